"""Short messages in the vendor's words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.api.sms import block_body, notify_body, read_block_answer
from gateway.bindings.models import Application, Mode
from gateway.questions import TextQuestion, TextVerdict

A, B, X = "+8613800000021", "+8613800000023", "+8617000000001"
QUESTION = TextQuestion(
    id=4, application="app", message="m1", sender=A, called=X, text="hi", at=1.0625, binding="b1", direction=1
)
PAYLOAD = {"version": 1, "kind": "sms", "session": "m1", "application": "app", "at": "2024-05-13T05:25:41.016999Z",
           "sender": A, "receiver": B, "x": X, "binding": "b1", "user_data": None, "parts": 2, "direction": 1,
           "result": 0, "text": None, "area_code": ""}  # fmt: skip


def test_the_notice() -> None:
    assert notify_body(PAYLOAD) == {
        "appKey": "app",
        "smsEvent": {
            "smsIdentifier": "m1", "notificationMode": "Notify", "calling": A, "called": B, "virtualNumber": X,
            "event": "Text SMS ", "timeStamp": "2024-05-13T05:25:41.016Z", "subscriptionId": "b1",
            "extInfo": {"extParas": [{"key": "splitNum", "value": "2"}, {"key": "direction", "value": "1"}]},
            "sendResult": 0,
        },
    }  # fmt: skip
    more = notify_body(
        PAYLOAD | {"receiver": None, "binding": None, "text": "hi", "area_code": "0755", "user_data": "u"}
    )
    event = more["smsEvent"]
    assert (event["smsContent"], event["areaCode"], event["userData"]) == ("hi", "0755", "u")
    assert not {"called", "subscriptionId"} & set(event)


@pytest.mark.parametrize("content", [True, False])
def test_the_question(content: bool) -> None:
    application = Application(key="app", secret="s", mode=Mode.AX, sms_content=content)
    event = block_body(QUESTION, application)["smsEvent"]
    assert event["notificationMode"] == "Block"
    assert event["timeStamp"] == "1970-01-01T00:00:01.062Z"
    assert "called" not in event
    assert event.get("smsContent") == ("hi" if content else None)


def action(**message: Any) -> dict[str, Any]:
    return {"operation": "vNumberRoute", "message": message}


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ({"actions": [action(called=B, calling=A)]}, TextVerdict(4, True, B)),
        ({"actions": action(called=B)}, TextVerdict(4, True, B)),
        ({"actions": [{"operation": "vNumberRoute"}]}, TextVerdict(4, True)),
        ({"actions": [action(calling=A)]}, TextVerdict(4, True)),
        ({"actions": [action(called=A)]}, TextVerdict(4, True)),
        ({"actions": [action(called=X)]}, TextVerdict(4, True)),
        ({"actions": [{"operation": "DiscardMessage"}]}, TextVerdict(4, True)),
        ({"actions": {"operation": "DiscardMessage", "message": {"called": B}}}, TextVerdict(4, True)),
        ({"actions": [action(called="12")]}, TextVerdict(4, False)),
        ({"actions": [{"operation": "keep"}]}, TextVerdict(4, False)),
        ({"actions": []}, TextVerdict(4, False)),
        ({}, TextVerdict(4, False)),
        ([], TextVerdict(4, False)),
    ],
)
def test_answers(answer: Any, verdict: TextVerdict) -> None:
    assert read_block_answer(json.dumps(answer).encode(), QUESTION) == verdict


def test_no_json() -> None:
    assert read_block_answer(b"OK", QUESTION) == TextVerdict(4, False)
