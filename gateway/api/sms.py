"""Short messages in the vendor's words: the notice, the blocking question and its answer (privatenumber.md section 9).

    {"actions":[{"operation":"vNumberRoute","message":{"called":"+86...","calling":"+86..."}}]}

``actions`` is an array or an object; without ``called``, and with DiscardMessage, nobody gets the message.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from gateway.api.errors import ApiError
from gateway.api.fields import Fields, parse_object
from gateway.bindings.models import Application
from gateway.questions import TextQuestion, TextVerdict

# The samples' spelling, blank and all.
EVENT = "Text SMS "


def notify_body(payload: Mapping[str, Any]) -> dict[str, Any]:
    """The notice of an outbox payload (gateway.messages.forwarder)."""
    extra = [("splitNum", payload["parts"]), ("direction", payload["direction"])]
    event = {
        "smsIdentifier": payload["session"],
        "notificationMode": "Notify",
        "calling": payload["sender"] or "",
        "called": payload["receiver"],
        "virtualNumber": payload["x"],
        "event": EVENT,
        "timeStamp": stamp(datetime.fromisoformat(payload["at"])),
        "subscriptionId": payload["binding"],
        "smsContent": payload["text"],
        "extInfo": _extra(extra),
        "sendResult": payload["result"],
        "areaCode": payload["area_code"] or None,
        "userData": payload["user_data"],
    }
    return {"appKey": payload["application"], "smsEvent": _given(event)}


def block_body(question: TextQuestion, application: Application) -> dict[str, Any]:
    """The question."""
    event = {
        "smsIdentifier": question.message,
        "notificationMode": "Block",
        "calling": question.sender,
        "virtualNumber": question.called,
        "event": EVENT,
        "timeStamp": stamp(datetime.fromtimestamp(question.at, UTC)),
        "subscriptionId": question.binding or None,
        "smsContent": question.text if application.sms_content else None,
        "extInfo": _extra([("direction", question.direction)]),
    }
    return {"appKey": application.key, "smsEvent": _given(event)}


def read_block_answer(body: bytes, question: TextQuestion) -> TextVerdict:
    """The verdict in the body of a 2xx. Never raises; what can't be read is no answer."""
    try:
        action = Fields(parse_object(body)).inner("actions")
        if action is None:
            return TextVerdict(question.id, False)
        if action.choice("operation", "vNumberRoute", "DiscardMessage") == "vNumberRoute":
            message = action.inner("message")
            called = message.number("called") if message is not None else None
            if called is not None and called.e164 not in (question.sender, question.called):
                return TextVerdict(question.id, True, called.e164)
        return TextVerdict(question.id, True)
    except ApiError:
        return TextVerdict(question.id, False)


def stamp(at: datetime) -> str:
    """ISO with milliseconds, ``2020-12-23T09:06:16.450Z``."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def _extra(values: list[tuple[str, int]]) -> dict[str, Any]:
    return {"extParas": [{"key": key, "value": str(value)} for key, value in values]}


def _given(event: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in event.items() if value is not None}
