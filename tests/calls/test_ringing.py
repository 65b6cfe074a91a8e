from __future__ import annotations

from dataclasses import replace

from gateway.calls.events import Alerting, CallOut
from gateway.calls.record import CallRecord
from gateway.causes import Cause
from media import control
from tests.calls.fakes import TRUNK, B, Bench, X, connect, invite, sdp

RINGBACK = ("ringback.wav",)


def plays(bench: Bench) -> list[str]:
    return [command.play for command in bench.commands if isinstance(command, control.Play)]


def rings(bench: Bench) -> list[int]:
    return [verb[2] for verb in bench.agent.verbs if verb[0] == "ring"]


def test_180_without_media_rings_back_locally() -> None:
    bench = Bench()
    bench.ring()
    assert rings(bench) == []
    bench.progress(180)
    assert rings(bench) == [183]
    assert bench.commands[-1] == control.Play(bench.call, control.CALLER, "ringback", RINGBACK, True)
    assert [type(event) for event in bench.events[-2:]] == [CallOut, Alerting]
    assert (bench.events[-1].caller, bench.events[-1].called) == (X, B)
    bench.progress(180)
    assert rings(bench) == [183]
    assert plays(bench) == ["ringback"]


def test_the_network_is_heard_from_its_first_packet() -> None:
    bench = Bench()
    bench.ring()
    bench.progress(183, sdp(5000))
    assert rings(bench) == [183]
    assert bench.commands[-1] == control.Relay(bench.call, True, False)
    bench.pass_time(0.3)
    bench.heard()
    bench.pass_time(20)
    bench.progress(180)
    assert plays(bench) == []


def test_media_that_does_not_come_is_replaced_after_400_ms_and_replaces_again() -> None:
    bench = Bench()
    bench.ring()
    bench.progress(183, sdp(5000))
    bench.pass_time(0.399)
    assert plays(bench) == []
    bench.pass_time(0.002)
    assert plays(bench) == ["ringback"]
    bench.heard()
    assert bench.commands[-1] == control.Stop(bench.call, control.CALLER, "ringback")


def test_a_network_that_says_nothing_at_all_rings_after_a_while() -> None:
    bench = Bench()
    bench.ring()
    bench.pass_time(2.9)
    assert plays(bench) == []
    bench.pass_time(0.2)
    assert plays(bench) == ["ringback"]


def test_the_last_description_of_several_phones_counts() -> None:
    bench = Bench()
    bench.ring()
    bench.progress(183, sdp(5000))
    bench.progress(183, sdp(5000))
    bench.progress(183, sdp(6000))
    bench.progress(183, b"not sdp")
    ports = [command.port for command in bench.commands if isinstance(command, control.Connect) and command.leg == 1]
    assert ports == [5000, 6000]


def test_the_waiting_tone_plays_once_and_ringback_cuts_in() -> None:
    bench = Bench()
    bench.ring(waiting_tone="wait.wav")
    assert rings(bench) == [183]
    assert plays(bench) == ["waiting"]
    bench.progress(180)
    bench.pass_time(4)
    assert plays(bench) == ["waiting"]
    bench.played("waiting")
    assert plays(bench) == ["waiting", "ringback"]


def test_early_media_heard_during_the_waiting_tone_follows_it() -> None:
    bench = Bench()
    bench.ring(waiting_tone="wait.wav")
    bench.progress(183, sdp(5000))
    bench.heard()
    bench.pass_time(4)
    bench.played("waiting")
    bench.pass_time(4)
    assert plays(bench) == ["waiting"]


def test_a_missing_waiting_tone_is_no_tone() -> None:
    bench = Bench()
    bench.ring(waiting_tone="missing.wav")
    assert plays(bench) == []
    assert rings(bench) == []


def test_a_caller_without_an_offer_gets_180_and_our_offer_in_the_200() -> None:
    bench = Bench()
    bench.dial(invite(body=b""))
    bench.route(connect(waiting_tone="wait.wav", notice="notice.wav"))
    bench.open_media()
    bench.progress(183, sdp(5000))
    bench.progress(180)
    assert rings(bench) == [180]
    bench.answer()
    assert b"RTP/AVP 8 0 101" in bench.verb("accept", "caller")[2]
    assert [(c.leg, c.play) for c in bench.commands if isinstance(c, control.Play)] == [(1, "notice")]
    bench.played("notice", control.CALLEE)
    bench.confirm(sdp(4000))
    assert [(c.leg, c.play) for c in bench.commands if isinstance(c, control.Play)] == [(1, "notice"), (0, "notice")]
    bench.played("notice", control.CALLER)
    assert bench.commands[-1] == control.Relay(bench.call, True, True)


def test_a_trunk_without_early_media_gets_180() -> None:
    bench = Bench(trunk=replace(TRUNK, early_media=False))
    bench.ring(waiting_tone="wait.wav")
    bench.progress(180)
    assert rings(bench) == [180]
    assert plays(bench) == []


def test_199_is_nothing() -> None:
    bench = Bench()
    bench.ring()
    bench.progress(199, sdp(5000))
    assert rings(bench) == []
    assert bench.events[-1].__class__ is CallOut


def test_the_answer_in_the_200_is_the_one_of_the_183() -> None:
    bench = Bench()
    bench.ring()
    bench.progress(180)
    bench.answer()
    assert bench.verb("ring", "caller")[3] == bench.verb("accept", "caller")[2]


def test_a_200_without_sdp_stands_on_the_18x() -> None:
    bench = Bench()
    bench.ring()
    bench.progress(183, sdp(5000))
    bench.answer(b"")
    assert ("accept", "caller") in bench.verbs


def final(bench: Bench) -> CallRecord:
    return bench.closed.record


def test_an_update_before_the_first_answer_is_out_of_turn() -> None:
    bench = Bench()
    bench.ring()
    bench.reinvite("callee-1", sdp(5000))
    assert bench.verb("refuse_offer", "callee-1")[2] == 491
    bench.reinvite("caller", sdp(4002))
    assert ("answer_offer", "caller") in bench.verbs
    bench.reinvite("caller", b"")
    assert bench.verb("refuse_offer", "caller")[2] == 500
    bench.answer()
    assert ("accept", "caller") in bench.verbs


def test_a_callee_that_never_rings() -> None:
    bench = Bench()
    bench.ring()
    bench.pass_time(91)
    assert bench.cause is Cause.CONNECT_TIMEOUT
    assert (final(bench).sip_status, final(bench).q850) == (408, 18)
    assert bench.verb("reject", "caller")[2] == 480
    assert ("hang_up", "callee-1") in bench.verbs


def test_a_callee_that_rings_for_ever() -> None:
    bench = Bench()
    bench.ring()
    bench.pass_time(80)
    bench.progress(180)
    bench.pass_time(59)
    assert bench.exchange.active == 1
    bench.pass_time(2)
    assert bench.cause is Cause.NO_ANSWER
    assert (final(bench).sip_status, final(bench).q850) == (480, 19)
