from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from gateway.calls.events import CallIn, Disconnected
from gateway.calls.payloads import event_payload, fee_payload
from gateway.calls.record import CallRecord
from gateway.calls.tones import Tone
from gateway.causes import Cause
from gateway.numbers import PhoneNumber
from media.control import CALLER

A, B, X = PhoneNumber("+8613800000021"), PhoneNumber("+8613800000023"), PhoneNumber("+8617000000001")


def wall(at: float) -> datetime:
    return datetime(2024, 1, 24, 2, 30, tzinfo=UTC) + timedelta(seconds=at)


def record(cause: Cause | None) -> CallRecord:
    return CallRecord(
        session="s", trunk="t", application="app", mode="AXB", binding="b", user_data=None, direction=1, x=X,
        caller=A, shown=X, callee=B, started=1.0, forwarded=1.5, answered=4.0, ended=10.5, cause=cause,
        notice=((4.0, 6.0), None), heard=(Tone(CALLER, "waiting", "waiting.wav", 1.5, 4.0),),
    )  # fmt: skip


def test_event_carries_wall_time_and_whole_numbers() -> None:
    event = CallIn(session="s", application="app", at=3.25, caller=None, called=X, binding="b")
    payload = event_payload(event, wall)
    assert (payload["kind"], payload["at"]) == ("callin", "2024-01-24T02:30:03.250000Z")
    assert (payload["caller"], payload["called"]) == (None, "+8617000000001")
    assert "cause" not in payload


def test_disconnect_says_why() -> None:
    event = Disconnected(session="s", application="app", at=3.0, caller=X, called=B, cause=Cause.BUSY)
    payload = event_payload(event, wall)
    assert (payload["kind"], payload["cause"], payload["cause_text"]) == ("disconnect", 8102, Cause.BUSY.text)


def test_fee_is_json_and_complete() -> None:
    payload = fee_payload(record(Cause.NORMAL), wall)
    assert json.loads(json.dumps(payload)) == payload
    assert (payload["talk_seconds"], payload["rang"], payload["cause"]) == (6.5, None, 0)
    assert payload["notice"] == [["2024-01-24T02:30:04.000000Z", "2024-01-24T02:30:06.000000Z"], None]
    begin, end = "2024-01-24T02:30:01.500000Z", "2024-01-24T02:30:04.000000Z"
    told = {"leg": "caller", "play": "waiting", "file": "waiting.wav", "begin": begin, "end": end}
    assert payload["heard"] == [told]


def test_an_open_call_has_no_fee() -> None:
    with pytest.raises(ValueError, match="not over"):
        fee_payload(record(None), wall)
