"""[IO] X numbers whose state changes are told to the customer (privatenumber.md section 10), by way of the outbox.

One row tells of at most 100 numbers. The application's option ``push_number_status`` must be on; the notice goes to
``number_status_url``, else to ``status_url``.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.bindings.models import NumberStatus
from gateway.bindings.rows import read_application
from gateway.schema import application as applications
from gateway.schema import outbox

KIND = "numStatus"
SOME = 100
# (application, X, state, cause)
Told = tuple[str, str, NumberStatus, int | None]


async def tell_customers(connection: AsyncConnection, told: Sequence[Told], at: datetime) -> int:
    """Write the notices; how many rows."""
    rows: list[dict[str, Any]] = []
    for key, of_one in groupby(sorted(told), key=lambda one: one[0]):
        row = (await connection.execute(select(applications).where(applications.c.key == key))).first()
        if row is None or not read_application(row).push_number_status:
            continue
        numbers = [_shown(x, status, cause) for _, x, status, cause in of_one]
        rows += [_row(key, numbers[start : start + SOME], at) for start in range(0, len(numbers), SOME)]
    if rows:
        await connection.execute(insert(outbox), rows)
    return len(rows)


def _shown(x: str, status: NumberStatus, cause: int | None) -> dict[str, str]:
    why = {} if status is not NumberStatus.UNAVAILABLE or cause is None else {"cause": str(cause)}
    return {"number": x, "status": str(int(status)), **why}


def _row(key: str, numbers: list[dict[str, str]], at: datetime) -> dict[str, Any]:
    session, now = f"numbers-{uuid.uuid4()}", at.timestamp()
    payload = {"version": 1, "kind": KIND, "session": session, "application": key, "numbers": numbers}
    return {
        "id": f"{session}.0", "application": key, "session": session, "seq": 0, "kind": KIND,
        "payload": json.dumps(payload), "created_at": now, "due_at": now, "tries": 0, "state": "waiting",
    }  # fmt: skip
