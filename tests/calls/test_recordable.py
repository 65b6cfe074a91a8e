"""Calls that must be recorded, or whose notice must come first, and can't be: refused before the answer."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.bindings.decisions import RecordingRules
from gateway.calls.disk import SPARED, SPOOL, Room
from gateway.calls.outputs import CallAnswered, RecordingStarted
from gateway.causes import Cause
from media import control
from tests.calls.fakes import Bench, connect

RECORDED = {"record": True, "notice": "notice.wav"}
MUST = {"recording": RecordingRules(required=True), **RECORDED}
FIRST = {"recording": RecordingRules(notice_first=True), **RECORDED}
FULL = Room(free=10 << 20, total=100 << 30)
AWAY = Room(trouble="Read-only file system")
GOOD = Room(free=50 << 30, total=100 << 30)


def refused(bench: Bench) -> tuple[Cause | None, list[Any]]:
    """The cause of a call whose callee was never called, and what the caller got."""
    assert [verb for verb, session in bench.verbs if session != "caller"] == []
    assert bench.of(CallAnswered) == bench.of(RecordingStarted) == []
    return bench.cause, [verb[2] for verb in bench.agent.verbs if verb[0] == "reject"]


@pytest.mark.parametrize("room", [FULL, AWAY])
@pytest.mark.parametrize("by_node", [False, True])
def test_a_call_that_must_be_recorded_is_refused_when_there_is_no_room(room: Room, by_node: bool) -> None:
    bench = Bench(recording_required=by_node)
    bench.exchange.disk.saw(SPOOL, room, bench.now)
    bench.dial()
    bench.route(connect(**(RECORDED if by_node else MUST)))
    assert refused(bench) == (Cause.RECORDING_FAILED, [500])
    assert int(Cause.RECORDING_FAILED) == 8015


def test_a_call_that_need_not_be_goes_on_without_room() -> None:
    bench = Bench()
    bench.exchange.disk.saw(SPOOL, FULL, bench.now)
    bench.talk(**RECORDED)
    assert bench.exchange.active == 1
    unrecorded = Bench(recording_required=True)
    unrecorded.exchange.disk.saw(SPOOL, FULL, unrecorded.now)
    unrecorded.talk()
    assert unrecorded.exchange.active == 1, "it shall not be recorded"


def test_a_disk_that_fills_while_the_phone_rings_ends_the_call_before_the_answer() -> None:
    bench = Bench()
    bench.ring(**MUST)
    bench.progress(180)
    bench.exchange.disk.saw(SPOOL, FULL, bench.now)
    bench.answer()
    bench.report(control.Closed(bench.call, control.LegStats(), control.LegStats()))
    assert bench.of(CallAnswered) == bench.of(RecordingStarted) == []
    assert bench.verb("reject", "caller")[2] == 500
    assert ("hang_up", "callee-1") in bench.verbs
    assert ("accept", "caller") not in bench.verbs
    record = bench.closed.record
    assert (record.cause, record.answered, record.talk_seconds) == (Cause.RECORDING_FAILED, None, 0.0)


def test_a_disk_that_has_just_failed_is_spared_and_then_tried_again() -> None:
    bench = Bench()
    bench.exchange.disk.failed("Input/output error", bench.now)
    bench.dial()
    bench.route(connect(**MUST))
    assert refused(bench) == (Cause.RECORDING_FAILED, [500])
    later = Bench()
    later.exchange.disk.failed("Input/output error", later.now)
    later.pass_time(SPARED)
    later.talk(**MUST)
    assert later.of(CallAnswered)


def test_room_again_is_believed_at_once() -> None:
    bench = Bench()
    bench.exchange.disk.saw(SPOOL, FULL, bench.now)
    bench.exchange.disk.saw(SPOOL, GOOD, bench.now)
    bench.talk(**MUST)
    assert bench.of(CallAnswered)


@pytest.mark.parametrize("notice", ["missing.wav", ""])
@pytest.mark.parametrize("by_node", [False, True])
def test_without_a_notice_that_must_come_first_nobody_is_called(notice: str, by_node: bool) -> None:
    bench = Bench(notice_first=by_node)
    bench.dial()
    bench.route(connect(**{**(RECORDED if by_node else FIRST), "notice": notice}))
    assert refused(bench) == (Cause.NOTICE_FAILED, [500])


def test_a_call_that_must_be_recorded_and_whose_notice_is_missing_is_refused() -> None:
    bench = Bench()
    bench.dial()
    bench.route(connect(**{**MUST, "notice": "missing.wav"}))
    assert refused(bench) == (Cause.RECORDING_FAILED, [500])


def test_a_notice_that_must_come_first_and_can_not_be_read_ends_the_call_unheard() -> None:
    bench = Bench()
    bench.ring(**FIRST)
    bench.answer()
    bench.confirm()
    bench.played("notice", control.CALLER, completed=False, error="no WAV")
    bench.report(control.Closed(bench.call, control.LegStats(), control.LegStats()))
    assert bench.cause is Cause.NOTICE_FAILED
    assert bench.of(RecordingStarted) == []
    assert control.Relay(bench.call, True, True) not in bench.commands
