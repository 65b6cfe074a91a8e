"""A call on its way from a media worker that died to another: what can go wrong. Good ways: tests/scenarios."""

from __future__ import annotations

import pytest

from gateway.calls.outputs import CallMoved, MediaCommand
from gateway.causes import Cause
from gateway.sip.user_agent import Accepted, Ended, OfferAnswered, OfferRefused
from media import control
from tests.calls.fakes import Bench, connect, sdp


def moving(**changes: object) -> Bench:
    """A call between whose workers there is nothing left but the re-INVITEs."""
    bench = Bench(workers=2)
    bench.talk(**changes)
    bench.pass_time(5)
    bench.lose_worker()
    assert bench.report(control.Opened(bench.call, 30000, 30002), worker=1) == []
    return bench


def offered(bench: Bench, session: str) -> list[bytes]:
    return [verb[2] for verb in bench.agent.verbs if verb[:2] == ("reoffer", session)]


def answer(bench: Bench, *sessions: str) -> list[object]:
    return bench.sip(*(OfferAnswered(session, sdp()) for session in sessions))


def test_each_leg_is_told_its_own_new_port() -> None:
    bench = moving()
    assert b"m=audio 30000 " in offered(bench, "caller")[0]
    assert b"m=audio 30002 " in offered(bench, "callee-1")[0]
    assert answer(bench, "caller") == []
    bench.now += 0.2
    assert answer(bench, "callee-1")[-1] == CallMoved(bench.call, "moved", pytest.approx(0.2))
    bench.end("caller")
    assert bench.cause is Cause.NORMAL
    assert bench.closed.record.moved == ((105.0, 105.2),)


@pytest.mark.parametrize("status", [488, 500, 603])
def test_a_party_that_refuses_is_lost_where_nobody_comes_back_to_its_ports(status: int) -> None:
    bench = moving(record=True)
    answer(bench, "caller")
    assert bench.sip(OfferRefused("callee-1", status)) == []
    bench.pass_time(5)
    bench.report(control.Closed(bench.call, control.LegStats(), control.LegStats(), False), worker=1)
    assert bench.cause is Cause.NORMAL
    assert bench.closed.record.recorded, "the first worker may have heard them"
    assert [one.result for one in bench.of(CallMoved)] == ["ended"]
    assert {session for verb, session in bench.verbs if verb == "hang_up"} == {"caller", "callee-1"}


@pytest.mark.parametrize("up", ["before", "after"])
def test_a_party_that_refuses_keeps_its_ports_and_the_other_is_asked_back(up: str) -> None:
    bench = moving()
    answer(bench, "caller")

    def successor() -> list[object]:
        return [one.command for one in bench.note(bench.exchange.worker_ready(0, 9, bench.now))]

    commands = successor() if up == "before" else []
    outputs = bench.sip(OfferRefused("callee-1", 488))
    commands += [one.command for one in outputs if isinstance(one, MediaCommand)]
    if up == "after":
        assert outputs == [], "who is heard at the other worker is heard on"
        bench.pass_time(2)
        commands += successor()
    home = control.Open(bench.call, (20000, 20002), 2)
    told = [one for one in commands if one == home or isinstance(one, control.Close)]
    assert told == [control.Close(bench.call), home]
    bench.open_media()
    assert [len(offered(bench, leg)) for leg in ("caller", "callee-1")] == [2, 1]
    assert b"m=audio 20000 " in offered(bench, "caller")[1]
    outputs = answer(bench, "caller")
    assert [one.result for one in outputs if isinstance(one, CallMoved)] == ["moved"]
    bench.end("caller")
    assert bench.cause is Cause.NORMAL


def test_who_refuses_to_go_back_ends_it() -> None:
    bench = moving()
    bench.note(bench.exchange.worker_ready(0, 9, bench.now))
    answer(bench, "caller")
    bench.sip(OfferRefused("callee-1", 488))
    bench.open_media()
    bench.sip(OfferRefused("caller", 488))
    assert bench.cause is Cause.NORMAL
    assert [one.result for one in bench.of(CallMoved)] == ["ended"]


def test_an_offer_under_way_when_the_other_refuses_is_followed_by_one_back() -> None:
    """And the successor that has no port for it is the end."""
    for answered in (False, True):
        bench = moving()
        bench.note(bench.exchange.worker_ready(0, 9, bench.now))
        bench.sip(OfferRefused("callee-1", 488))
        if answered:
            answer(bench, "caller")
            bench.open_media()
            assert len(offered(bench, "caller")) == 2, "whatever it has taken"
            answer(bench, "caller")
            assert [one.result for one in bench.of(CallMoved)] == ["moved"]
        else:
            bench.report(control.OpenFailed(bench.call, "no free port"))
            assert bench.cause is Cause.NORMAL


def test_the_worker_of_a_call_that_goes_back_may_die_too() -> None:
    bench = moving()
    answer(bench, "caller")
    bench.sip(OfferRefused("callee-1", 488))
    bench.note(bench.exchange.worker_gone(1, bench.now))
    bench.note(bench.exchange.worker_ready(1, 9, bench.now))
    opened = [one.command for one in bench.note(bench.exchange.worker_ready(0, 9, bench.now))]
    assert control.Open(bench.call, (20000, 20002), 2) in opened
    bench.open_media()
    assert [len(offered(bench, leg)) for leg in ("caller", "callee-1")] == [2, 1]


@pytest.mark.parametrize("body", [b"", b"nonsense", sdp(0), sdp(codecs="18")])
def test_an_answer_that_is_of_no_use_ends_the_call(body: bytes) -> None:
    bench = moving()
    bench.sip(OfferAnswered("callee-1", body))
    assert bench.cause is Cause.NORMAL


def test_who_is_busy_with_an_offer_of_his_own_is_asked_again() -> None:
    bench = moving()
    answer(bench, "caller")
    for tries in range(2, 6):
        bench.sip(OfferRefused("callee-1", 491))
        bench.pass_time(0.1)
        assert len(offered(bench, "callee-1")) == tries
    bench.sip(OfferRefused("callee-1", 491))
    assert len(offered(bench, "caller")) == 1
    bench.pass_time(5)
    assert bench.cause is Cause.NORMAL


def test_a_leg_that_may_not_be_offered_anything_yet_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(workers=2)
    bench.talk()
    waits = {"caller"}
    monkeypatch.setattr(bench.agent, "may_offer", lambda session: session not in waits)
    bench.lose_worker()
    bench.report(control.Opened(bench.call, 30000, 30002), worker=1)
    assert (len(offered(bench, "caller")), len(offered(bench, "callee-1"))) == (0, 1)
    answer(bench, "caller", "callee-1")
    assert bench.of(CallMoved) == [], "the caller has answered something else"
    waits.clear()
    bench.pass_time(0.1)
    answer(bench, "caller")
    assert [one.result for one in bench.of(CallMoved)] == ["moved"]


def test_an_offer_of_theirs_that_comes_between_makes_ours_newer() -> None:
    bench = moving()
    bench.reinvite("caller", sdp(direction="sendonly"))
    first, second = offered(bench, "caller")
    assert b"a=sendrecv" in first
    assert b"a=recvonly" in second, "he holds now"
    assert offered(bench, "callee-1")[1:] == []
    version = [int(body.split(b"\r\n")[1].split(b" ")[2]) for body in (first, second)]
    assert version[1] > version[0] + 1, "newer than our answer, too"


def test_calls_move_one_after_the_other_and_who_has_not_moved_yet_may_stay() -> None:
    bench = Bench(workers=2)
    calls = []
    for number in range(4):
        bench.dial(session=f"caller{number}")
        calls.append(bench.call)
        worker = number % 2
        bench.route(connect())
        bench.report(control.Opened(bench.call, 20000 + 4 * number, 20002 + 4 * number), worker)
        bench.sip(Accepted(f"callee-{number + 1}", sdp(5000), None))  # type: ignore[arg-type]
    opened = [output.command for output in bench.lose_worker() if isinstance(output.command, control.Open)]
    assert opened == [control.Open(calls[0], None, 1)]
    home = bench.note(bench.exchange.worker_ready(0, 9, bench.now))
    opened = [output.command for output in home if isinstance(output.command, control.Open)]
    assert opened == [control.Open(calls[2], (20008, 20010), 1)]
    bench.note(bench.exchange.worker_gone(1, bench.now))
    outputs = bench.pass_time(0.001)
    assert outputs == []
    moved = [output.command for output in bench.pass_time(0.1) if isinstance(output, MediaCommand)]
    assert [command.session for command in moved if isinstance(command, control.Open)] == [calls[1], calls[3]]


def test_a_worker_without_a_port_is_left_for_another() -> None:
    bench = Bench(workers=3)
    bench.talk()
    bench.lose_worker()
    bench.report(control.OpenFailed(bench.call, "no free port"), worker=1)
    bench.report(control.Opened(bench.call, 30000, 30002), worker=2)
    answer(bench, "caller", "callee-1")
    assert [one.result for one in bench.of(CallMoved)] == ["moved"]
    bench.end("caller")
    assert bench.cause is Cause.NORMAL


def test_a_worker_that_says_nothing_ends_the_call() -> None:
    bench = Bench(workers=2)
    bench.talk()
    bench.lose_worker()
    bench.pass_time(2)
    assert bench.cause is Cause.NORMAL
    assert [one.result for one in bench.of(CallMoved)] == ["ended"]


def test_where_no_other_has_a_port_its_own_place_is_waited_for() -> None:
    bench = Bench(workers=2)
    bench.talk()
    bench.lose_worker()
    assert bench.report(control.OpenFailed(bench.call, "no free port"), worker=1) == []
    bench.pass_time(1)
    commands = [output.command for output in bench.note(bench.exchange.worker_ready(0, 9, bench.now))]
    assert commands[:2] == [control.Rest((20000, 20002)), control.Open(bench.call, (20000, 20002), 2)]
    bench.open_media()
    assert [one.result for one in bench.of(CallMoved)] == ["moved"]
    assert offered(bench, "caller") == offered(bench, "callee-1") == []


def test_its_own_place_may_be_there_already() -> None:
    """The worker that the call has gone to dies too; by then the first one's successor is up."""
    bench = moving()
    answer(bench, "caller", "callee-1")
    bench.note(bench.exchange.worker_ready(0, 9, bench.now))
    bench.note(bench.exchange.worker_gone(1, bench.now))
    bench.report(control.OpenFailed(bench.call, "no free port"), worker=0)
    opened = [output.command for output in bench.note(bench.exchange.worker_ready(1, 9, bench.now))]
    assert control.Open(bench.call, (30000, 30002), 3) in opened
    bench.report(control.OpenFailed(bench.call, "Address already in use"), worker=1)
    bench.pass_time(5)
    assert bench.cause is Cause.NORMAL
    assert [one.result for one in bench.of(CallMoved)] == ["moved", "ended"]


def test_a_call_that_rings_needs_its_own_ports() -> None:
    bench = Bench(workers=2)
    bench.ring()
    assert bench.lose_worker() == []
    (ready,) = [bench.note(bench.exchange.worker_ready(0, 9, bench.now))]
    commands = [output.command for output in ready]
    assert commands[:2] == [control.Rest((20000, 20002)), control.Open(bench.call, (20000, 20002), 1)]
    bench.report(control.OpenFailed(bench.call, "Address already in use"))
    assert bench.cause is Cause.OUT_OF_PORTS
    assert bench.verb("reject", "caller")[2] == 503


def test_a_call_that_opens_goes_to_any_worker() -> None:
    bench = Bench(workers=2)
    bench.dial()
    bench.route(connect())
    (moved,) = bench.lose_worker()
    assert (moved.worker, moved.command) == (1, control.Open(bench.call))
    bench.report(control.Opened(bench.call, 30000, 30002), worker=1)
    assert b"m=audio 30002 " in bench.verb("invite", "callee-1")[4]["body"]


def test_a_call_that_opens_waits_where_there_is_none() -> None:
    bench = Bench()
    bench.dial()
    bench.route(connect())
    assert bench.lose_worker() == []
    bench.pass_time(1)
    (ready,) = bench.note(bench.exchange.worker_ready(0, 9, bench.now))
    assert ready.command == control.Open(bench.call)
    bench.open_media()
    assert bench.verb("invite", "callee-1")


def test_a_hang_up_on_the_way_is_a_hang_up() -> None:
    bench = moving()
    bench.end("caller")
    assert bench.cause is Cause.NORMAL
    assert bench.of(CallMoved) == []


def test_a_hang_up_while_there_is_no_worker() -> None:
    bench = Bench()
    bench.talk(record=True)
    bench.pass_time(5)
    bench.lose_worker()
    bench.sip(Ended("callee-1", "peer", "BYE", ""))
    assert bench.cause is Cause.NORMAL
    assert bench.closed.record.recorded
    assert bench.note(bench.exchange.worker_ready(0, 9, bench.now))[0].command == control.Rest((20000, 20002))
