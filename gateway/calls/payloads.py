"""The neutral JSON of the outbox: what happened in a call, for whoever renders it in a customer's dialect.

Every payload has ``"version": 1``. A time is ISO 8601 in UTC with microseconds (``2024-01-24T02:30:03.000000Z``) or
null; a number is E.164 with ``+`` or null; a text may be null where it says so.

Event (outbox kind ``callin`` ``collectInfo`` ``callout`` ``alerting`` ``answer`` ``disconnect``):

    version, kind, session, application, mode, at, caller (null: withheld), called, binding (null), user_data (null)
    and for ``disconnect``: cause (int), cause_text; for ``collectInfo``: digits

Fee (outbox kind ``fee``, the CDR):

    version, kind, session, application, trunk, mode ("AXB", "AX", ... or ""), binding (null), user_data (null),
    direction (0, 1, 2), x, caller (null), shown (null), callee (null),
    started, forwarded, rang, answered, ended, record_started (times),
    cause (int), cause_text, sip_status (int), q850 (int), talk_seconds (float),
    recorded (bool), recording (object name or null), extension (AXE, or ""), rule, way (trunk to the callee), tones,
    notice: [caller, callee], each null or [first, last] as times
    heard: what was played, as it began: {leg (caller, callee), play (waiting, ringback, ...), file, begin, end}
    moved: for each media worker that died in the call [first, last], without media from when to when
    recovered (bool): the node died in the call, and ``ended`` is the last instant it was known to be up
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from gateway.calls.events import Alerting, Answered, CallIn, CallOut, Collected, Disconnected, Event
from gateway.calls.record import CallRecord, Span
from gateway.calls.tones import Tone
from gateway.causes import Cause
from gateway.numbers import PhoneNumber
from media.control import CALLER

VERSION = 1
Wall = Callable[[float], datetime]
Payload = dict[str, Any]

_KINDS: dict[type[Event], str] = {
    CallIn: "callin",
    Collected: "collectInfo",
    CallOut: "callout",
    Alerting: "alerting",
    Answered: "answer",
    Disconnected: "disconnect",
}


def kind_of(event: Event) -> str:
    """The outbox kind of an event."""
    return _KINDS[type(event)]


def event_payload(event: Event, wall: Wall) -> Payload:
    """An event as JSON values; ``wall`` turns monotonic seconds into an aware datetime."""
    payload: Payload = {
        "version": VERSION,
        "kind": kind_of(event),
        "session": event.session,
        "application": event.application,
        "mode": event.mode,
        "at": _time(event.at, wall),
        "caller": _number(event.caller),
        "called": event.called.e164,
        "binding": event.binding,
        "user_data": event.user_data,
    }
    if isinstance(event, Disconnected):
        payload |= {"cause": int(event.cause), "cause_text": event.cause.text}
    elif isinstance(event, Collected):
        payload |= {"digits": event.digits}
    return payload


def fee_payload(record: CallRecord, wall: Wall, *, recovered: bool = False) -> Payload:
    """The CDR of a closed call (``record.cause`` is set) as JSON values. ValueError for a call that isn't over."""
    if record.cause is None:
        raise ValueError("the call is not over")
    return _record_payload(record, wall, recovered)


def open_payload(record: CallRecord, wall: Wall) -> Payload:
    """A call that is not over, like a fee: what :func:`recovered_payloads` goes on from. ``cause`` is null."""
    return _record_payload(record, wall, False)


def recovered_payloads(opened: Payload, ended: datetime, min_recording: float) -> tuple[Payload, Payload]:
    """The disconnect and the fee of a call that died with its node, last known to be up at ``ended``.

    An answered call counts as hung up then (NORMAL), any other as one that found no way (NO_ROUTE).
    """
    answered = opened["answered"]
    cause = Cause.NO_ROUTE if answered is None else Cause.NORMAL
    talked = 0.0
    if answered is not None:
        ended = max(ended, datetime.fromisoformat(answered))
        talked = (ended - datetime.fromisoformat(answered)).total_seconds()
    kept = opened["recording"] is not None and talked >= min_recording
    fee = opened | {
        "ended": time_text(ended),
        "cause": int(cause),
        "cause_text": cause.text,
        "talk_seconds": talked,
        "recorded": kept,
        "recording": opened["recording"] if kept else None,
        "recovered": True,
    }
    forwarded = opened["forwarded"] is not None
    disconnect = {
        "version": VERSION,
        "kind": "disconnect",
        "session": opened["session"],
        "application": opened["application"],
        "mode": opened["mode"],
        "at": time_text(ended),
        "caller": opened["shown"] if forwarded else opened["caller"],
        "called": opened["callee"] if forwarded else opened["x"],
        "binding": opened["binding"],
        "user_data": opened["user_data"],
        "cause": int(cause),
        "cause_text": cause.text,
    }
    return disconnect, fee


def _record_payload(record: CallRecord, wall: Wall, recovered: bool) -> Payload:
    return {
        "version": VERSION,
        "kind": "fee",
        "session": record.session,
        "application": record.application,
        "trunk": record.trunk,
        "mode": record.mode,
        "binding": record.binding,
        "user_data": record.user_data,
        "direction": record.direction,
        "x": record.x.e164,
        "caller": _number(record.caller),
        "shown": _number(record.shown),
        "callee": _number(record.callee),
        "started": _time(record.started, wall),
        "forwarded": _time(record.forwarded, wall),
        "rang": _time(record.rang, wall),
        "answered": _time(record.answered, wall),
        "ended": _time(record.ended, wall),
        "record_started": _time(record.record_started, wall),
        "cause": None if record.cause is None else int(record.cause),
        "cause_text": None if record.cause is None else record.cause.text,
        "sip_status": record.sip_status,
        "q850": record.q850,
        "talk_seconds": record.talk_seconds,
        "recorded": record.recorded,
        "recording": record.recording,
        "notice": [_span(span, wall) for span in record.notice],
        "extension": record.extension,
        "rule": record.rule,
        "way": record.way,
        "tones": record.tones,
        "heard": [_tone(tone, wall) for tone in record.heard],
        "moved": [_span(span, wall) for span in record.moved],
        "recovered": recovered,
    }


def time_text(moment: datetime) -> str:
    """An aware datetime as payloads write it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _time(at: float | None, wall: Wall) -> str | None:
    return None if at is None else time_text(wall(at))


def _number(number: PhoneNumber | None) -> str | None:
    return None if number is None else number.e164


def _tone(tone: Tone, wall: Wall) -> dict[str, Any]:
    begin, end = _time(tone.begin, wall), _time(tone.end, wall)
    leg = "caller" if tone.leg == CALLER else "callee"
    return {"leg": leg, "play": tone.play, "file": tone.file, "begin": begin, "end": end}


def _span(span: Span | None, wall: Wall) -> list[str | None] | None:
    return None if span is None else [_time(span[0], wall), _time(span[1], wall)]
