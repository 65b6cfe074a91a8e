"""[IO] Uploaded tones in the database. Every function works within its caller's transaction."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.database import upsert
from gateway.tones.convert import Sound
from gateway.tones.states import CANDIDATE, LIVE, State
from gateway.tones.tables import tone

AT_MOST = 500


class ToneStateError(Exception):
    """What the tone's state does not allow, in words."""


def _is(application: str, name: str, slot: str) -> tuple[Any, ...]:
    return tone.c.application == application, tone.c.name == name, tone.c.slot == slot


async def _find(connection: AsyncConnection, application: str, name: str, slot: str) -> Row[Any] | None:
    columns = [column for column in tone.c if column.name != "sound"]
    query = select(*columns).where(*_is(application, name, slot)).with_for_update()
    return (await connection.execute(query)).first()


async def upload(connection: AsyncConnection, application: str, name: str, sound: Sound, at: datetime) -> None:
    """Put a version into review, in the place of one that was. ToneStateError when there are too many."""
    values = {
        "state": State.REVIEW.value, "reason": "", "sound": sound.wav, "size": len(sound.wav),
        "seconds": sound.seconds, "sha256": hashlib.sha256(sound.wav).hexdigest(), "converted": int(sound.converted),
        "uploaded_at": at.timestamp(), "reviewed_at": None,
    }  # fmt: skip
    count = select(func.count()).select_from(tone).where(tone.c.application == application)
    if (await connection.execute(count)).scalar_one() >= AT_MOST:
        raise ToneStateError(f"there are {AT_MOST} tones already")
    await upsert(connection, tone, {"application": application, "name": name, "slot": CANDIDATE}, values)


async def approve(connection: AsyncConnection, application: str, name: str, at: datetime) -> None:
    """The candidate is what calls play from now on. ToneStateError."""
    await _expect(connection, application, name, State.REVIEW)
    await connection.execute(delete(tone).where(*_is(application, name, LIVE)))
    values = {"slot": LIVE, "state": State.APPROVED.value, "reason": "", "reviewed_at": at.timestamp()}
    await connection.execute(update(tone).where(*_is(application, name, CANDIDATE)).values(**values))


async def reject(connection: AsyncConnection, application: str, name: str, reason: str, at: datetime) -> None:
    """The candidate is refused for a reason. ToneStateError."""
    await _expect(connection, application, name, State.REVIEW)
    values = {"state": State.REJECTED.value, "reason": reason, "reviewed_at": at.timestamp()}
    await connection.execute(update(tone).where(*_is(application, name, CANDIDATE)).values(**values))


async def submit_again(connection: AsyncConnection, application: str, name: str) -> None:
    """What was rejected is to be looked at once more, as it is. ToneStateError."""
    await _expect(connection, application, name, State.REJECTED)
    values = {"state": State.REVIEW.value, "reason": "", "reviewed_at": None}
    await connection.execute(update(tone).where(*_is(application, name, CANDIDATE)).values(**values))


async def remove(connection: AsyncConnection, application: str, name: str) -> int:
    """Delete all versions; how many there were."""
    mine = (tone.c.application == application, tone.c.name == name)
    return (await connection.execute(delete(tone).where(*mine))).rowcount


async def _expect(connection: AsyncConnection, application: str, name: str, state: State) -> None:
    row = await _find(connection, application, name, CANDIDATE)
    if row is None or row.state != state:
        raise ToneStateError(f"no version of it is in {state}" if state is State.REVIEW else f"none of it is {state}")
