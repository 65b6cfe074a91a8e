from __future__ import annotations

import pytest

from gateway.bindings.decisions import RecordingRules
from gateway.calls.outputs import CallAnswered, RecordingStarted, Talked
from gateway.calls.settings import DataKey
from gateway.causes import Cause
from media import control
from tests.calls.fakes import A, B, Bench, sdp

RECORDED = {"record": True, "notice": "notice.wav"}


def test_both_hear_the_notice_before_they_hear_each_other() -> None:
    bench = Bench()
    bench.ring(**RECORDED)
    bench.progress(180)
    bench.answer()
    kinds = [type(command).__name__ for command in bench.commands]
    assert kinds[-5:] == ["Record", "Play", "Play", "Relay", "Watch"]
    assert control.Relay(bench.call, False, False) in bench.commands
    bench.played("notice", control.CALLER)
    assert control.Relay(bench.call, True, True) not in bench.commands
    bench.played("notice", control.CALLEE)
    assert bench.commands[-1] == control.Relay(bench.call, True, True)
    bench.end("caller")
    bench.report(closed(bench))
    assert bench.closed.record.notice == ((99.0, 100.0), (99.0, 100.0))


def closed(bench: Bench, *, recorded: bool = True) -> control.Closed:
    return control.Closed(bench.call, control.LegStats(), control.LegStats(), recorded)


def test_the_recording_begins_with_the_answer() -> None:
    bench = Bench()
    bench.talk(**RECORDED)
    (started,) = bench.of(RecordingStarted)
    assert started.name.startswith("261124040000")
    assert started.path == f"/spool/{started.name}.spool"
    assert control.Record(bench.call, started.path) in bench.commands
    (answered,) = bench.of(CallAnswered)
    assert answered.record.recording == started.name == started.record.recording
    bench.pass_time(10)
    bench.end("callee-1")
    assert bench.exchange.active == 1, "the worker has still to say what the spool holds"
    bench.report(closed(bench))
    record = bench.closed.record
    assert (record.recorded, record.recording, record.record_started) == (True, started.name, 100.0)
    assert record.talk_seconds == 10.0


@pytest.mark.parametrize(("seconds", "spooled"), [(2.9, True), (10.0, False)])
def test_a_short_talk_or_an_empty_spool_leaves_no_recording(seconds: float, spooled: bool) -> None:
    bench = Bench()
    bench.talk(**RECORDED)
    bench.pass_time(seconds)
    bench.end("caller")
    bench.report(closed(bench, recorded=spooled))
    assert (bench.closed.record.recorded, bench.closed.record.recording) == (False, None)


def test_a_worker_that_does_not_say_closed_is_not_waited_for() -> None:
    bench = Bench()
    bench.talk(**RECORDED)
    bench.pass_time(10)
    bench.end("caller")
    bench.pass_time(2.1)
    assert bench.closed.record.recorded
    assert bench.closed.record.ended == 110.0


FIRST = {"recording": RecordingRules(notice_first=True), **RECORDED}
MUST = {"recording": RecordingRules(required=True), **RECORDED}


@pytest.mark.parametrize("by_node", [False, True])
def test_where_the_notice_comes_first_nobody_is_recorded_or_heard_before(by_node: bool) -> None:
    bench = Bench(notice_first=by_node)
    bench.ring(**(RECORDED if by_node else FIRST))
    bench.answer()
    bench.confirm()
    bench.played("notice", control.CALLER)
    bench.pass_time(100)
    assert bench.of(RecordingStarted) == []
    assert not any(isinstance(command, control.Record) for command in bench.commands)
    assert control.Relay(bench.call, True, True) not in bench.commands
    bench.played("notice", control.CALLEE)
    (started,) = bench.of(RecordingStarted)
    assert bench.commands[-2:] == [
        control.Record(bench.call, started.path), control.Relay(bench.call, True, True)
    ]  # fmt: skip
    bench.pass_time(5)
    bench.end("caller")
    bench.report(closed(bench))
    record = bench.closed.record
    assert (record.recorded, record.record_started) == (True, 200.0)
    assert all(span is not None and span[1] <= record.record_started for span in record.notice)


def test_a_notice_that_must_come_first_and_never_ends_ends_the_call() -> None:
    bench = Bench()
    bench.ring(**FIRST)
    bench.answer()
    bench.confirm()
    bench.played("notice", control.CALLER)
    bench.pass_time(621)
    assert bench.cause is Cause.NOTICE_FAILED
    assert bench.of(RecordingStarted) == []
    assert control.Relay(bench.call, True, True) not in bench.commands


def test_a_talk_recorded_too_shortly_after_the_notice_leaves_none() -> None:
    bench = Bench()
    bench.ring(**FIRST)
    bench.answer()
    bench.confirm()
    bench.pass_time(10)
    for leg in (control.CALLER, control.CALLEE):
        bench.played("notice", leg)
    bench.pass_time(2)
    bench.end("caller")
    bench.report(closed(bench))
    assert (bench.closed.record.recorded, bench.closed.record.talk_seconds) == (False, 12.0)


def test_a_disk_that_fails_costs_the_rest_of_the_recording_and_not_the_call() -> None:
    bench = Bench()
    bench.talk(**RECORDED)
    bench.pass_time(10)
    bench.report(control.SpoolFailed(bench.call, "No space left on device"))
    bench.pass_time(10)
    assert bench.exchange.active == 1
    bench.end("caller")
    bench.report(closed(bench))
    record = bench.closed.record
    assert (record.recorded, record.record_trouble, record.cause) == (True, "No space left on device", Cause.NORMAL)


def test_a_disk_that_fails_ends_a_call_that_must_be_recorded() -> None:
    bench = Bench()
    bench.talk(**MUST)
    bench.pass_time(10)
    bench.report(control.SpoolFailed(bench.call, "No space left on device"))
    bench.report(closed(bench))
    assert (bench.cause, int(bench.cause)) == (Cause.RECORDING_FAILED, 8015)
    assert {("hang_up", "caller"), ("hang_up", "callee-1")} <= set(bench.verbs)
    assert bench.closed.record.recorded


def test_a_data_key_goes_to_the_worker_and_the_journal_and_is_printed_nowhere() -> None:
    key = bytes(range(32))
    bench = Bench(data_key=lambda: DataKey(key, b"sealed"))
    bench.talk(**RECORDED)
    (started,) = bench.of(RecordingStarted)
    assert started.data_key == key
    assert control.Record(bench.call, started.path, key, kept_key=b"sealed") in bench.commands
    assert "data_key" not in repr(started)
    assert repr(key)[2:20] not in repr(control.Record(bench.call, started.path, key))


def test_nobody_is_recorded_unasked() -> None:
    bench = Bench()
    bench.talk(record=True, notice="missing.wav")
    assert bench.of(RecordingStarted) == []
    bench.end("caller")
    assert not bench.closed.record.recorded


def test_a_notice_that_fails_ends_the_call() -> None:
    bench = Bench()
    bench.ring(**RECORDED)
    bench.answer()
    bench.played("notice", control.CALLEE, completed=False, error="no such file")
    bench.report(closed(bench))
    assert bench.cause is Cause.NOTICE_FAILED
    assert {("hang_up", "caller"), ("hang_up", "callee-1")} <= set(bench.verbs)


def test_a_notice_that_never_ends_does_not_keep_them_apart() -> None:
    bench = Bench()
    bench.ring(**RECORDED)
    bench.answer()
    bench.pass_time(31)
    assert bench.commands[-1] == control.Relay(bench.call, True, True)


def test_the_last_minute_is_announced_and_the_call_is_cut() -> None:
    bench = Bench()
    bench.talk(max_seconds=120, last_minute="last.wav")
    bench.pass_time(59.9)
    assert not [command for command in bench.commands if isinstance(command, control.Play) and "last" in command.play]
    bench.pass_time(0.2)
    assert bench.commands[-2:] == [
        control.Play(bench.call, leg, "last minute", ("demo/last.wav",)) for leg in (control.CALLER, control.CALLEE)
    ]
    bench.pass_time(60)
    assert bench.cause is Cause.MAX_DURATION
    assert bench.closed.record.talk_seconds == 120.0
    assert (bench.closed.record.sip_status, bench.closed.record.q850) == (0, 0)


def test_a_maximum_of_a_minute_has_no_last_minute() -> None:
    bench = Bench()
    bench.talk(max_seconds=60, last_minute="last.wav")
    bench.pass_time(60)
    assert bench.cause is Cause.MAX_DURATION
    assert all(command.play != "last minute" for command in bench.commands if isinstance(command, control.Play))


@pytest.mark.parametrize("side", ["caller", "callee-1"])
@pytest.mark.parametrize("hold", [sdp(5000, direction="sendonly"), sdp(5000, direction="inactive"), "0.0.0.0"])
def test_hold_and_resume_stay_on_their_leg(side: str, hold: bytes | str) -> None:
    bench = Bench()
    bench.talk()
    bench.seen.clear()
    bench.reinvite(side, sdp(5000, host=hold) if isinstance(hold, str) else hold)
    connect, watch = bench.commands
    assert isinstance(connect, control.Connect)
    assert (connect.leg, connect.receives) == (int(side != "caller"), False)
    assert watch == control.Watch(bench.call, 0.0)
    bench.report(control.Silent(bench.call, control.CALLER))
    assert bench.exchange.active == 1
    bench.reinvite(side, sdp(5000))
    assert bench.commands[-1] == control.Watch(bench.call, 30.0)
    assert [verb[:2] for verb in bench.agent.verbs[-2:]] == [("answer_offer", side)] * 2


def test_the_same_terms_do_not_open_the_latch_again() -> None:
    bench = Bench()
    bench.talk()
    bench.seen.clear()
    bench.reinvite("callee-1", sdp(5000))
    assert bench.commands == []
    bench.reinvite("callee-1", sdp(5002))
    assert [command.port for command in bench.commands if isinstance(command, control.Connect)] == [5002]


def test_a_reinvite_without_an_offer_gets_ours() -> None:
    bench = Bench()
    bench.talk()
    bench.reinvite("caller", b"")
    assert b"m=audio 20000 RTP/AVP 8 0 101" in bench.verb("answer_offer", "caller")[2]
    bench.confirm(sdp(4010))
    assert isinstance(bench.commands[-1], control.Connect)
    assert bench.commands[-1].port == 4010


@pytest.mark.parametrize(("body", "status"), [(sdp(5000, codecs="18"), 488), (b"nonsense", 400)])
def test_an_offer_that_can_not_be_answered_leaves_the_call_alone(body: bytes, status: int) -> None:
    bench = Bench()
    bench.talk()
    bench.reinvite("callee-1", body)
    assert bench.verb("refuse_offer", "callee-1")[2] == status
    assert bench.exchange.active == 1


def test_an_answer_that_is_none_ends_the_call() -> None:
    bench = Bench()
    bench.talk()
    bench.reinvite("caller", b"")
    bench.confirm(b"nonsense")
    assert bench.cause is Cause.NORMAL


def test_talked_comes_when_the_binding_wants_to_know() -> None:
    bench = Bench()
    bench.talk(consumes_temporary=True)
    (talked,) = bench.of(Talked)
    assert (talked.caller, talked.called, talked.at) == (A, B, 100.0)
    plain = Bench()
    plain.talk()
    assert plain.of(Talked) == []
