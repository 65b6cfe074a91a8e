"""[IO] What a batch of the journal comes to in rows.

Every statement costs PostgreSQL a round trip, so a batch is eight at most, whatever is in it. The fixed
``seq`` of each kind gives an event its place in its call and its stable id.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import bindparam, delete, insert, update

from gateway.calls.payloads import Payload
from gateway.database import Part
from gateway.schema import cdr, open_call, outbox, recording, sms_record

_encode = msgspec.json.Encoder().encode
SEQ = {"callin": 0, "collectInfo": 1, "callout": 2, "alerting": 3, "answer": 4, "disconnect": 90, "fee": 91, "sms": 0}
_EVENT, _CDR, _MESSAGE, _OPEN, _RECORD = map(insert, (outbox, cdr, sms_record, open_call, recording))
_CHANGE = (
    update(open_call)
    .where(open_call.c.session == bindparam("of"))
    .values(record=bindparam("new_record"), known_at=bindparam("now"))
)
_CLOSE = delete(open_call).where(open_call.c.session == bindparam("of"))
_END = (
    update(recording)
    .where(recording.c.session == bindparam("of"))
    .values(
        state=bindparam("new_state"),
        answered_at=bindparam("answered"),
        ended_at=bindparam("ended"),
        notice=bindparam("heard"),
        trouble=bindparam("why"),
    )
)


class Rows:
    """What a batch comes to."""

    def __init__(self, node: str) -> None:
        self._node = node
        self.outbox: list[dict[str, Any]] = []
        self.cdrs: list[dict[str, Any]] = []
        self.messages: list[dict[str, Any]] = []
        self.recordings: list[dict[str, Any]] = []
        self.ends: list[dict[str, Any]] = []
        self._opened: dict[str, dict[str, Any]] = {}
        self._changed: dict[str, dict[str, Any]] = {}
        self._closed: list[dict[str, Any]] = []

    def open(self, session: str, application: str, record: str, now: float) -> None:
        """A call is open."""
        self._opened[session] = {
            "session": session,
            "node": self._node,
            "application": application,
            "record": record,
            "next_seq": 0,
            "known_at": now,
        }

    def change(self, session: str, record: str, now: float) -> None:
        """More is known of an open call."""
        if session in self._opened:
            self._opened[session] |= {"record": record, "known_at": now}
        else:
            self._changed[session] = {"of": session, "new_record": record, "now": now}

    def close(self, session: str) -> None:
        """A call is over; one that was opened in this batch needs no row at all."""
        self._changed.pop(session, None)
        if self._opened.pop(session, None) is None:
            self._closed.append({"of": session})

    def parts(self) -> list[Part]:
        """The statements of one transaction."""
        return [
            (_EVENT, self.outbox),
            (_CDR, self.cdrs),
            (_MESSAGE, self.messages),
            (_OPEN, list(self._opened.values())),
            (_CHANGE, list(self._changed.values())),
            (_CLOSE, self._closed),
            (_RECORD, self.recordings),
            (_END, self.ends),
        ]


def text_of(value: Any) -> str:
    """JSON, as it stands in the database."""
    return _encode(value).decode()


def event_row(payload: Payload, now: float) -> dict[str, Any]:
    """An ``outbox`` row that is due at once."""
    seq = SEQ[payload["kind"]]
    return {
        "id": f"{payload['session']}.{seq}",
        "application": payload["application"],
        "session": payload["session"],
        "seq": seq,
        "kind": payload["kind"],
        "payload": text_of(payload),
        "created_at": now,
        "due_at": now,
        "tries": 0,
        "state": "waiting",
    }


def cdr_row(fee: Payload, quality: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The ``cdr`` row of a fee."""
    return {
        "session": fee["session"],
        "application": fee["application"],
        "mode": fee["mode"],
        "x": fee["x"],
        "caller": fee["caller"],
        "callee": fee["callee"],
        "trunk": fee["trunk"],
        "direction": fee["direction"],
        "started_at": epoch_of(fee["started"]),
        "ended_at": epoch_of(fee["ended"]),
        "answered": fee["answered"] is not None,
        "seconds": fee["talk_seconds"],
        "cause": fee["cause"],
        "recorded": fee["recorded"],
        "payload": text_of(fee),
        "quality": None if quality is None else text_of(quality),
    }


def message_row(notice: Payload) -> dict[str, Any]:
    """The ``sms_record`` row of a short message's notice; its text is not kept."""
    names = ("application", "x", "sender", "receiver", "direction", "parts", "result", "binding")
    return {"id": notice["session"], "at": epoch_of(notice["at"]), **{name: notice[name] for name in names}}


def epoch_of(text: str | None) -> float | None:
    """A payload's time as epoch seconds."""
    return None if text is None else datetime.fromisoformat(text).timestamp()
