"""X mode in the vendor's words: the blocking ``callin`` and what may come back (privatenumber.md section 4.3).

    {"operation":"connect","connectInfo":{"calleeNum":"+86...", ...}}
    {"operation":"close","closeInfo":{"closeHintTone":"bye.wav"}}

``connectInfo`` and ``closeInfo`` are objects, or arrays of one. What can't be read ends the call with NO_BINDING
(8014), a tone that is not there with TONE_UNKNOWN (8006).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gateway.api.errors import ApiError
from gateway.api.events import vendor_time
from gateway.api.fields import Fields, parse_object
from gateway.bindings.models import Application
from gateway.causes import Cause
from gateway.questions import Question, Verdict

MINUTES = 1440


def callin_body(question: Question, at: str) -> dict[str, Any]:
    """The question; ``at`` is ISO 8601 in UTC."""
    return {
        "eventType": "callin",
        "statusInfo": {
            "timestamp": vendor_time(at),
            "sessionId": question.session,
            "caller": question.caller,
            "called": question.called,
            "notifyMode": "Block",
        },
    }


def read_answer(
    body: bytes, question: Question, application: Application, tone_exists: Callable[[str], bool]
) -> Verdict:
    """The verdict in the body of a 2xx. Never raises."""
    try:
        answer = Fields(parse_object(body))
        if answer.choice("operation", "connect", "close") == "connect":
            return _connect(question, answer.inner("connectInfo") or Fields({}), application, tone_exists)
        if answer.has("operation"):
            return _close(question, answer.inner("closeInfo") or Fields({}), tone_exists)
    except ApiError:
        pass
    return bad(question)


def bad(question: Question, cause: Cause = Cause.NO_BINDING) -> Verdict:
    """No answer, or one that can't be used."""
    return Verdict(id=question.id, cause=int(cause))


def _connect(question: Question, info: Fields, application: Application, tone_exists: Callable[[str], bool]) -> Verdict:
    shown = info.number("displayCalleeNum")
    callee = info.required_number("calleeNum")
    tones = {name: info.tone(name) or "" for name in ("waitVoice", "calleeHintVoice", "recordHintTone", "lastMinVoice")}
    minutes = info.integer("maxDuration", 0, MINUTES) or 0
    record = bool(info.flag("recordFlag")) and application.recording
    if callee.e164 in (question.called, question.caller):
        return bad(question)
    if any(name and not tone_exists(name) for name in tones.values()):
        return bad(question, Cause.TONE_UNKNOWN)
    return Verdict(
        id=question.id,
        callee=callee.e164,
        shown=shown.e164 if shown else question.called,
        waiting_tone=tones["waitVoice"] or application.waiting,
        callee_tone=tones["calleeHintVoice"],
        record=record,
        notice=(tones["recordHintTone"] or application.notice) if record else "",
        last_minute=tones["lastMinVoice"] if minutes else "",
        max_minutes=minutes,
        user_data=info.user_data(),
    )


def _close(question: Question, info: Fields, tone_exists: Callable[[str], bool]) -> Verdict:
    tone = info.tone("closeHintTone") or ""
    if tone and not tone_exists(tone):
        return bad(question, Cause.TONE_UNKNOWN)
    return Verdict(id=question.id, cause=int(Cause.NO_BINDING), close_tone=tone, user_data=info.user_data())
