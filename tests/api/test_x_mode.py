"""X mode: what the customer's server may answer, and what it may not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.api.x_mode import callin_body, read_answer
from gateway.bindings.models import Application, Mode
from gateway.causes import Cause
from gateway.questions import Question, Verdict

A, B, X = "+8613800000021", "+8613800000023", "+8617000000001"
QUESTION = Question(7, "app", "s1", A, X, 0.0)
APP = Application(key="app", secret="s", mode=Mode.X, recording=True, notice="std.wav")
WHOLE = {"displayCalleeNum": X, "calleeNum": B, "maxDuration": 30, "waitVoice": "w.wav", "recordFlag": "true",
         "recordHintTone": "r.wav", "lastMinVoice": "l.wav", "calleeHintVoice": "c.wav", "userData": "u"}  # fmt: skip


def read(answer: Any, application: Application = APP) -> Verdict:
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return read_answer(body, QUESTION, application, lambda name: name != "missing.wav")


def connect(**info: Any) -> Verdict:
    return read({"operation": "connect", "connectInfo": {"calleeNum": B, **info}})


def test_the_question() -> None:
    assert callin_body(QUESTION, "2024-01-24T02:30:03.5Z") == {
        "eventType": "callin",
        "statusInfo": {
            "timestamp": "2024-01-24 02:30:03", "sessionId": "s1", "caller": A, "called": X, "notifyMode": "Block"
        },
    }  # fmt: skip


@pytest.mark.parametrize("wrap", [lambda info: info, lambda info: [info]])
def test_every_field_in_an_object_or_an_array(wrap: Any) -> None:
    assert read({"operation": "connect", "connectInfo": wrap(WHOLE)}) == Verdict(
        id=7, callee=B, shown=X, waiting_tone="w.wav", callee_tone="c.wav", record=True, notice="r.wav",
        last_minute="l.wav", max_minutes=30, user_data="u",
    )  # fmt: skip


def test_the_least_that_connects() -> None:
    assert connect() == Verdict(id=7, callee=B, shown=X)
    assert connect(recordFlag=True) == Verdict(id=7, callee=B, shown=X, record=True, notice="std.wav")
    assert connect(lastMinVoice="l.wav").last_minute == "", "it needs a limit"


def test_an_application_without_recording() -> None:
    silent = Application(key="app", secret="s", mode=Mode.X)
    verdict = read({"operation": "connect", "connectInfo": WHOLE}, silent)
    assert (verdict.record, verdict.notice) == (False, "")


@pytest.mark.parametrize("wrap", [lambda info: info, lambda info: [info]])
def test_close(wrap: Any) -> None:
    answer = {"operation": "close", "closeInfo": wrap({"closeHintTone": "bye.wav", "userData": "u"})}
    assert read(answer) == Verdict(id=7, cause=8014, close_tone="bye.wav", user_data="u")
    assert read({"operation": "close"}) == Verdict(id=7, cause=8014)


@pytest.mark.parametrize(
    "answer",
    [
        b"", b"[]", b"null", b"\xff\xfe{", b"{", b"ok", {}, {"operation": ""}, {"operation": "wait"},
        {"operation": "connect"}, {"operation": "connect", "connectInfo": []},
        {"operation": "connect", "connectInfo": [WHOLE, WHOLE]}, {"operation": "connect", "connectInfo": "x"},
        *({"operation": "connect", "connectInfo": {"calleeNum": B, **wrong}} for wrong in (
            {"maxDuration": 7200}, {"maxDuration": -1}, {"calleeNum": ""}, {"calleeNum": "12"}, {"calleeNum": X},
            {"calleeNum": A}, {"displayCalleeNum": "x"}, {"recordFlag": "maybe"}, {"userData": "{"},
            {"waitVoice": "../x"}, {"userData": "x" * 257},
        )),
        {"operation": "close", "closeInfo": {"closeHintTone": 5.5, "userData": "}"}},
    ],
)  # fmt: skip
def test_what_can_t_be_read(answer: Any) -> None:
    assert read(answer) == Verdict(id=7, cause=int(Cause.NO_BINDING))


@pytest.mark.parametrize("name", ["waitVoice", "calleeHintVoice", "recordHintTone", "lastMinVoice"])
def test_a_tone_that_is_not_there(name: str) -> None:
    assert connect(**{name: "missing.wav"}) == Verdict(id=7, cause=int(Cause.TONE_UNKNOWN))


def test_a_close_tone_that_is_not_there() -> None:
    answer = {"operation": "close", "closeInfo": {"closeHintTone": "missing.wav"}}
    assert read(answer) == Verdict(id=7, cause=int(Cause.TONE_UNKNOWN))
