"""The table of gateway/calls/call.py, row by row: one Disconnected, one CallClosed, both legs and the media ended."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.calls.events import CallIn, Disconnected
from gateway.calls.outputs import CallOpened, Faulted, RecordingStarted
from gateway.causes import Cause
from gateway.sip.user_agent import Ended
from media import control
from tests.calls.fakes import A, B, Bench, X, connect, refuse, sdp

Row = tuple[Callable[[Bench], object], Cause, int, int]


def ringing(bench: Bench) -> None:
    bench.ring()
    bench.progress(180)


def test_nobody_knows_whose_x_it_is() -> None:
    for waits in (False, True):
        bench = Bench()
        bench.dial()
        if waits:
            bench.pass_time(6)
        else:
            bench.note(bench.exchange.route_failed(bench.call, bench.now))
        assert bench.cause is Cause.NO_ROUTE
        status, headers = bench.verb("reject", "caller")[2:]
        assert (status, headers["Retry-After"]) == (503, "5")


def test_a_caller_who_gives_up_during_the_look_up_is_told_to_the_right_customer() -> None:
    bench = Bench()
    bench.dial()
    bench.end("caller", "CANCEL")
    assert bench.exchange.active == 1
    bench.pass_time(0.5)
    bench.route(connect())
    assert [type(event) for event in bench.events] == [CallIn, Disconnected]
    assert [event.application for event in bench.events] == ["demo", "demo"]
    assert bench.cause is Cause.CALLER_GAVE_UP_BEFORE_FORWARD
    assert bench.closed.record.ended == 100.0
    assert bench.commands == []
    assert (bench.closed.record.sip_status, bench.closed.record.q850) == (487, 0)


def test_a_caller_who_gives_up_and_a_look_up_that_never_comes() -> None:
    bench = Bench()
    bench.dial()
    bench.end("caller", "CANCEL")
    bench.pass_time(6)
    assert bench.cause is Cause.CALLER_GAVE_UP_BEFORE_FORWARD
    assert bench.note(bench.exchange.routed(bench.call, connect(), bench.now)) == []


def test_a_refusal_is_explained_by_a_tone() -> None:
    bench = Bench()
    bench.dial()
    bench.route(refuse())
    bench.open_media()
    assert bench.commands[-1] == control.Play(bench.call, control.CALLER, "refusal", ("none.wav",))
    assert bench.verb("ring", "caller")[2] == 183
    bench.pass_time(3)
    bench.played("refusal")
    assert bench.verb("reject", "caller")[2:] == (
        404,
        {"Reason": f'Q.850;cause=1;text="{Cause.NO_BINDING.text}"'},
    )
    record = bench.closed.record
    assert (record.cause, record.direction, record.binding, record.sip_status) == (Cause.NO_BINDING, 2, None, 404)
    last = bench.events[-1]
    assert (last.caller, last.called) == (A, X)


def test_a_caller_who_does_not_hear_the_tone_out_was_refused_all_the_same() -> None:
    bench = Bench()
    bench.dial()
    bench.route(refuse())
    bench.open_media()
    bench.end("caller", "CANCEL")
    assert bench.cause is Cause.NO_BINDING
    assert ("reject", "caller") not in bench.verbs


def test_a_refusal_tone_has_a_limit() -> None:
    bench = Bench()
    bench.dial()
    bench.route(refuse())
    bench.open_media()
    bench.pass_time(15)
    assert bench.cause is Cause.NO_BINDING


@pytest.mark.parametrize("tone", ["", "no_permission"])
def test_a_refusal_without_a_tone_comes_at_once(tone: str) -> None:
    bench = Bench()
    bench.dial()
    bench.route(refuse(Cause.WRONG_DIRECTION, tone))
    assert bench.verb("reject", "caller")[2] == 403
    assert bench.cause is Cause.WRONG_DIRECTION
    assert bench.commands == []


def test_an_x_of_nobody_is_closed_too() -> None:
    bench = Bench()
    bench.dial()
    bench.route(refuse(Cause.NUMBER_UNKNOWN_HERE, "", application=None, mode=None))
    assert bench.cause is Cause.NUMBER_UNKNOWN_HERE
    assert (bench.closed.record.application, bench.closed.record.mode) == ("", "")


BEFORE_THE_CALLEE: list[Row] = [
    (lambda bench: bench.report(control.OpenFailed(bench.call, "full")), Cause.OUT_OF_PORTS, 503, 0),
    (lambda bench: bench.pass_time(2), Cause.OUT_OF_PORTS, 503, 0),
    (lambda bench: (bench.lose_worker(), bench.pass_time(2)), Cause.OUT_OF_PORTS, 503, 0),
    (lambda bench: bench.end("caller", "CANCEL"), Cause.CALLER_GAVE_UP_BEFORE_FORWARD, 0, 0),
]


@pytest.mark.parametrize(("happens", "cause", "status", "q850"), BEFORE_THE_CALLEE)
def test_endings_before_the_callee(happens: Callable[[Bench], object], cause: Cause, status: int, q850: int) -> None:
    bench = Bench()
    bench.dial()
    bench.route(connect())
    happens(bench)
    assert bench.cause is cause
    assert [verb[2] for verb in bench.agent.verbs] == ([status] if status else [])


def test_no_worker_at_all() -> None:
    bench = Bench(workers=0)
    bench.dial()
    bench.route(connect())
    assert bench.cause is Cause.OUT_OF_PORTS
    assert bench.verb("reject", "caller")[2] == 503


REFUSALS = [
    (404, Cause.CALLEE_UNKNOWN, 404, 1),
    (408, Cause.NO_ANSWER, 480, 19),
    (480, Cause.NO_ANSWER, 480, 19),
    (486, Cause.BUSY, 486, 17),
    (600, Cause.BUSY, 486, 17),
    (603, Cause.CALLEE_REJECTED, 603, 21),
    (403, Cause.CALLEE_REFUSED, 403, 21),
    (503, Cause.CALLEE_SIDE_FAILED, 502, 38),
    (302, Cause.CALLEE_SIDE_FAILED, 502, 38),
]


@pytest.mark.parametrize(("status", "cause", "to_caller", "q850"), REFUSALS)
def test_what_the_callee_says_is_translated(status: int, cause: Cause, to_caller: int, q850: int) -> None:
    bench = Bench()
    ringing(bench)
    bench.reject(status)
    record = bench.closed.record
    assert (record.cause, record.sip_status, record.q850) == (cause, status, q850)
    assert bench.verb("reject", "caller")[2:] == (to_caller, {"Reason": f'Q.850;cause={q850};text="{cause.text}"'})
    assert ("hang_up", "callee-1") not in bench.verbs
    assert (bench.events[-1].caller, bench.events[-1].called) == (X, B)


WHILE_RINGING: list[tuple[Callable[[Bench], object], Cause, int]] = [
    (lambda bench: bench.end("caller", "CANCEL"), Cause.CALLER_GAVE_UP_RINGING, 0),
    (lambda bench: bench.end("caller", "BYE"), Cause.CALLER_GAVE_UP_RINGING, 0),
    (lambda bench: bench.pass_time(61), Cause.NO_ANSWER, 480),
    (lambda bench: bench.answer(b""), Cause.CALLEE_SIDE_FAILED, 502),
    (lambda bench: bench.answer(sdp(5000, codecs="18")), Cause.CALLEE_SIDE_FAILED, 502),
    (lambda bench: (bench.lose_worker(), bench.pass_time(5)), Cause.OUT_OF_PORTS, 503),
    (lambda bench: bench.note(bench.exchange.stop_call(bench.call, bench.now)[1]), Cause.STOPPED_BY_CUSTOMER, 480),
    (lambda bench: bench.note(bench.exchange.hang_up_all(bench.now)), Cause.NO_ROUTE, 503),
]


@pytest.mark.parametrize(("happens", "cause", "to_caller"), WHILE_RINGING)
def test_endings_while_ringing(happens: Callable[[Bench], object], cause: Cause, to_caller: int) -> None:
    bench = Bench()
    ringing(bench)
    happens(bench)
    assert bench.cause is cause
    assert ("hang_up", "callee-1") in bench.verbs
    assert [verb[2] for verb in bench.agent.verbs if verb[0] == "reject"] == ([to_caller] if to_caller else [])


def test_giving_up_before_it_rings_has_its_own_cause() -> None:
    bench = Bench()
    bench.ring()
    bench.end("caller", "CANCEL")
    assert bench.cause is Cause.CALLER_GAVE_UP_BEFORE_RINGING
    assert (bench.closed.record.sip_status, bench.closed.record.q850) == (487, 0)


WHILE_TALKING: list[tuple[Callable[[Bench], object], Cause, set[str]]] = [
    (lambda bench: bench.end("caller"), Cause.NORMAL, {"callee-1"}),
    (lambda bench: bench.end("callee-1"), Cause.NORMAL, {"caller"}),
    (lambda bench: bench.sip(Ended("caller", "timeout", "no-ack", "")), Cause.NORMAL, {"callee-1"}),
    (lambda bench: bench.sip(Ended("callee-1", "timeout", "481", "")), Cause.NORMAL, {"caller"}),
    (lambda bench: bench.report(control.Silent(bench.call, 1)), Cause.NORMAL, {"caller", "callee-1"}),
    (lambda bench: (bench.lose_worker(), bench.pass_time(5)), Cause.NORMAL, {"caller", "callee-1"}),
    (lambda bench: (bench.replace_worker(), bench.pass_time(2)), Cause.NORMAL, {"caller", "callee-1"}),
    (
        lambda bench: bench.note(bench.exchange.stop_call(bench.call, bench.now)[1]),
        Cause.STOPPED_BY_CUSTOMER,
        {"caller", "callee-1"},
    ),
    (lambda bench: bench.note(bench.exchange.hang_up_all(bench.now)), Cause.NORMAL, {"caller", "callee-1"}),
]


@pytest.mark.parametrize(("happens", "cause", "hung_up"), WHILE_TALKING)
@pytest.mark.parametrize("recorded", [False, True])
def test_endings_while_talking(
    happens: Callable[[Bench], object], cause: Cause, hung_up: set[str], recorded: bool
) -> None:
    bench = Bench()
    bench.talk(record=recorded)
    bench.pass_time(5)
    happens(bench)
    bench.report(control.Closed(bench.call, control.LegStats(), control.LegStats(), True))
    record = bench.closed.record
    assert (record.cause, record.sip_status, record.q850) == (cause, 0, 0)
    assert {session for verb, session in bench.verbs if verb == "hang_up"} == hung_up
    assert record.recorded is recorded
    assert len(bench.of(RecordingStarted)) == int(recorded)


def test_both_sides_hang_up_at_once() -> None:
    bench = Bench()
    bench.talk(record=True)
    bench.pass_time(5)
    bench.sip(Ended("caller", "peer", "BYE", ""), Ended("callee-1", "peer", "BYE", ""))
    bench.pass_time(3)
    assert bench.cause is Cause.NORMAL
    assert len(bench.of(CallOpened)) == 1


def test_a_stop_needs_the_right_application_and_a_call() -> None:
    bench = Bench()
    assert bench.exchange.stop_call("nothing", bench.now) == (False, [])
    bench.dial()
    assert bench.exchange.stop_call(bench.call, bench.now) == (False, [])
    bench.route(connect())
    assert bench.exchange.stop_call(bench.call, bench.now, application="other") == (False, [])
    assert bench.exchange.stop_call(bench.call, bench.now, application="demo")[0]
    assert bench.exchange.stop_call(bench.call, bench.now, application="demo") == (False, [])


@pytest.mark.parametrize("verb", ["invite", "ring", "accept"])
def test_a_mistake_of_ours_ends_one_call_only(verb: str) -> None:
    bench = Bench()
    bench.agent.broken = {verb}
    bench.talk()
    (fault,) = bench.of(Faulted)
    assert str(fault.error) == f"{verb} is broken"
    assert bench.exchange.counters["faults"] == 1
    assert bench.closed.record.cause in (Cause.NO_ROUTE, Cause.NORMAL)
    bench.agent.broken = set()
    bench.seen.clear()
    bench.dial(session="second")
    assert bench.exchange.active == 1


def test_even_ending_may_fail() -> None:
    bench = Bench()
    bench.talk()
    bench.agent.broken = {"hang_up"}
    bench.end("caller")
    assert [str(fault.error) for fault in bench.of(Faulted)] == ["hang_up is broken"]
    assert bench.cause is Cause.NORMAL
