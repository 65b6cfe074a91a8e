"""[IO] What can be proven of recordings: a chain of entries, day by day, that is only ever added to.

    recorded   stored: sha256 of the WAV, of each channel, seconds, who heard the notice from when to when
    held       may not be erased: who said so, and why          released   may be again
    erased     who or what erased it, when, why, and the sha256 of what it was

An entry's ``hash`` is SHA-256 over itself and the hash before it. When a day (UTC) is over, ``recording_day`` says how
many entries it had and the hash of its last, signed (Ed25519) with the node's key where there is one; the first entry
of the next day is chained to that statement and its signature. So nothing can be changed, left out or put in behind
anybody's back who has kept one day's signature, and who has the database but not the key can't make a chain of his own.
Entries hold no number of anybody, and stay when the recording goes.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.recordings.tables import recording_day, recording_proof

NOTHING = "0" * 64
_LOCK = text("SELECT pg_advisory_xact_lock(1919247984)")


class ProofKey:
    """The key that signs days."""

    def __init__(self, secret: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(secret)
        self.public = self._key.public_key().public_bytes_raw().hex()

    def sign(self, statement: bytes) -> str:
        """128 hexadecimal digits."""
        return self._key.sign(statement).hex()


def proof_key(path: Path) -> ProofKey:
    """The key in a file, made if it isn't there (0600). OSError, ValueError."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return ProofKey(base64.b64decode(path.read_text(encoding="ascii"), validate=True))
    secret = os.urandom(32)
    with open(fd, "w", encoding="ascii") as file:
        file.write(base64.b64encode(secret).decode("ascii"))
        file.flush()
        os.fsync(file.fileno())
    return ProofKey(secret)


def entry_hash(seq: int, day: str, kind: str, name: str, facts: str, previous: str) -> str:
    """The hash of an entry."""
    return hashlib.sha256(json.dumps([seq, day, kind, name, facts, previous]).encode()).hexdigest()


def statement(day: str, last: int, entries: int, head: str, previous: str) -> bytes:
    """What is signed of a day."""
    return json.dumps([day, last, entries, head, previous]).encode()


def day_hash(said: bytes, signature: str) -> str:
    """What the next day is chained to."""
    return hashlib.sha256(said + signature.encode()).hexdigest()


def recorded_facts(row: Any) -> dict[str, Any]:
    """What is proven of a recording, from its row."""
    return {
        "application": row.application, "session": row.session, "sha256": row.sha256,
        "channels": json.loads(row.channels or "null"), "seconds": row.seconds, "answered": row.answered_at,
        "ended": row.ended_at, "notice": json.loads(row.notice or "null"), "trouble": row.trouble,
    }  # fmt: skip


class Proof:
    """Adds to the chain; ``key`` None: days are chained, but not signed."""

    def __init__(self, key: ProofKey | None = None) -> None:
        self._key = key

    async def add(
        self, connection: AsyncConnection, kind: str, name: str, facts: Mapping[str, Any], now: float
    ) -> None:
        """One more entry, in the caller's transaction; whoever else adds one waits for its end."""
        last, day = await _last(connection), _day(now)
        seq, previous = 1, NOTHING
        if last is not None:
            before = await _last_day(connection)
            closed = before is not None and before.day == last.day
            # A clock that is behind opens no day that is over.
            day = max(day, _after(last.day) if closed else last.day)
            seq, previous = last.seq + 1, last.hash
            if day > last.day:
                previous = _chained_to(before) if closed else await self._close(connection, last, before)
        said = json.dumps(dict(facts), sort_keys=True)
        entry = {"seq": seq, "day": day, "kind": kind, "name": name, "facts": said, "previous": previous}
        hashed = entry_hash(seq, day, kind, name, said, previous)
        await connection.execute(insert(recording_proof).values(**entry, hash=hashed))

    async def close(self, connection: AsyncConnection, now: float) -> None:
        """Sign the day of the last entry, when it is over and not signed yet."""
        last = await _last(connection)
        if last is None or last.day >= _day(now):
            return
        before = await _last_day(connection)
        if before is None or before.day < last.day:
            await self._close(connection, last, before)

    async def _close(self, connection: AsyncConnection, last: Any, before: Any) -> str:
        """Sign the day of the last entry; what the next one is chained to. ``before``: the day signed last."""
        previous = _chained_to(before)
        counted = select(func.count()).where(recording_proof.c.day == last.day)
        entries = (await connection.execute(counted)).scalar_one()
        said = statement(last.day, last.seq, entries, last.hash, previous)
        signature, key = (self._key.sign(said), self._key.public) if self._key is not None else ("", "")
        row = {"day": last.day, "last": last.seq, "entries": entries, "head": last.hash, "previous": previous}
        await connection.execute(insert(recording_day).values(**row, signature=signature, key=key))
        return day_hash(said, signature)


async def _last(connection: AsyncConnection) -> Any:
    """The last entry; nobody adds another until the transaction's end."""
    if connection.dialect.name == "postgresql":
        await connection.execute(_LOCK)
    query = select(recording_proof).order_by(recording_proof.c.seq.desc()).limit(1)
    return (await connection.execute(query)).first()


async def _last_day(connection: AsyncConnection) -> Any:
    query = select(recording_day).order_by(recording_day.c.day.desc()).limit(1)
    return (await connection.execute(query)).first()


def _chained_to(day: Any) -> str:
    """What follows a day that was signed."""
    if day is None:
        return NOTHING
    return day_hash(statement(day.day, day.last, day.entries, day.head, day.previous), day.signature)


def _day(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).date().isoformat()


def _after(day: str) -> str:
    return (date.fromisoformat(day) + timedelta(days=1)).isoformat()
