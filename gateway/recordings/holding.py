"""[IO] What people do to recordings: forbid that one is erased, allow it again, erase one before its time.

Each in the caller's transaction, with its entry in the chain of proof.
"""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.recordings.audio import object_of
from gateway.recordings.proof import Proof
from gateway.schema import recording
from media.recording.store import RecordingStore


class HoldError(Exception):
    """It can't be done: there is no such recording, or it is held. In words."""


async def hold(connection: AsyncConnection, proof: Proof, name: str, by: str, why: str, now: float) -> Row[Any]:
    """It may not be erased from now on. HoldError."""
    row = await _row(connection, name)
    if row.state == "erased":
        raise HoldError("The recording is erased already.")
    said = {"by": by, "why": why, "at": now}
    await _set(connection, name, hold=json.dumps(said))
    await proof.add(connection, "held", name, said, now)
    return row


async def release(connection: AsyncConnection, proof: Proof, name: str, by: str, why: str, now: float) -> Row[Any]:
    """It may be erased again; when it is due, it is. HoldError."""
    row = await _row(connection, name)
    if row.hold is None:
        raise HoldError("The recording is not held.")
    await _set(connection, name, hold=None)
    await proof.add(connection, "released", name, {"by": by, "why": why, "at": now}, now)
    return row


async def erase(
    connection: AsyncConnection, store: RecordingStore, proof: Proof, name: str, by: str, why: str, now: float
) -> Row[Any]:
    """Erase one that is ready, whatever its time. HoldError, OSError."""
    row = await _row(connection, name)
    if row.hold is not None:
        raise HoldError("The recording is held.")
    if row.state != "ready":
        raise HoldError(f"The recording is {row.state}.")
    await store.erase(object_of(row))
    await mark_erased(connection, proof, row, by, why, now)
    return row


async def mark_erased(connection: AsyncConnection, proof: Proof, row: Row[Any], by: str, why: str, now: float) -> bool:
    """Its object is gone: say so, once. False when somebody else already did, or it is held since."""
    free = (recording.c.name == row.name, recording.c.state == row.state, recording.c.hold.is_(None))
    # Its data key goes with it: copies of the object that a store still has can't be opened.
    change = update(recording).where(*free).values(state="erased", data_key=None)
    if not (await connection.execute(change)).rowcount:
        return False
    said = {"by": by, "why": why, "at": now, "sha256": row.sha256, "application": row.application}
    await proof.add(connection, "erased", row.name, said, now)
    return True


async def _row(connection: AsyncConnection, name: str) -> Row[Any]:
    query = select(recording).where(recording.c.name == name).with_for_update()
    row = (await connection.execute(query)).first()
    if row is None:
        raise HoldError("There is no such recording.")
    return row


async def _set(connection: AsyncConnection, name: str, **values: Any) -> None:
    await connection.execute(update(recording).where(recording.c.name == name).values(**values))
