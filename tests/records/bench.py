"""Records of calls and messages as the journal writes them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.calls.journal_rows import cdr_row, message_row
from gateway.calls.payloads import time_text
from gateway.causes import Cause
from gateway.database import writing
from gateway.schema import cdr, sms_record

X, A, B = "+8617000000001", "+8613800000021", "+8613800000023"


def fee(session: str, application: str, ended: datetime, *, cause: Cause = Cause.NORMAL, seconds: float = 60.0,
        **more: Any) -> dict[str, Any]:  # fmt: skip
    """A CDR's payload; answered unless ``cause`` says otherwise."""
    answered = cause is Cause.NORMAL
    talked = seconds if answered else 0.0
    began = ended - timedelta(seconds=talked + 5)
    return {
        "version": 1, "kind": "fee", "session": session, "application": application, "trunk": "in", "mode": "AXB",
        "binding": "b1", "user_data": None, "direction": 1, "x": X, "caller": A, "shown": X, "callee": B,
        "started": time_text(began), "forwarded": time_text(began), "rang": None,
        "answered": time_text(began + timedelta(seconds=5)) if answered else None, "ended": time_text(ended),
        "record_started": None, "cause": int(cause), "cause_text": cause.text, "sip_status": cause.sip_status,
        "q850": 0, "talk_seconds": talked, "recorded": answered, "recording": None, "notice": [None, None],
        "extension": "", "rule": "A calls X: B is reached.", "way": "out", "tones": "waiting: w.wav",
        "recovered": False,
        **more,
    }  # fmt: skip


def notice(id: str, application: str, at: datetime, **more: Any) -> dict[str, Any]:
    """A short message's."""
    return {"session": id, "application": application, "at": time_text(at), "sender": A, "receiver": B, "x": X,
            "binding": "b1", "parts": 1, "direction": 1, "result": 0, **more}  # fmt: skip


async def put(engine: AsyncEngine, fees: Sequence[dict[str, Any]], notices: Sequence[dict[str, Any]] = ()) -> None:
    """Write them down."""
    async with writing(engine) as connection:
        if fees:
            await connection.execute(insert(cdr), [cdr_row(one) for one in fees])
        if notices:
            await connection.execute(insert(sms_record), [message_row(one) for one in notices])
