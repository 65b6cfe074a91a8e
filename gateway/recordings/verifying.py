"""[IO] Whether the chain of proof holds, and whether recordings are what it says (proof.py)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.database import reading
from gateway.recordings.audio import AudioReader
from gateway.recordings.proof import NOTHING, day_hash, entry_hash, statement
from gateway.recordings.tables import recording_day, recording_proof
from gateway.schema import recording
from media.recording import wav

PART = 1000


@dataclass(slots=True)
class Verified:
    """What was looked at; ``faults`` is empty when all holds. ``keys``: who signed."""

    entries: int = 0
    days: int = 0
    signed: int = 0
    recordings: int = 0
    erased: int = 0
    keys: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)


async def verify(
    engine: AsyncEngine, reader: AudioReader | None, *, keys: Collection[str] = (), names: Collection[str] = ()
) -> Verified:
    """Look at the whole chain, and with ``reader`` at the recordings (all, or ``names``).

    ``keys``: public keys that may sign, in hexadecimal; none: any.
    """
    told = Verified()
    days = await _days(engine, keys, told)
    facts = await _entries(engine, days, told)
    if reader is not None:
        await _recordings(engine, reader, facts, names, told)
    return told


async def _days(engine: AsyncEngine, keys: Collection[str], told: Verified) -> dict[str, tuple[Any, str]]:
    """Each day's row, and what the day after it is chained to."""
    async with reading(engine) as connection:
        rows = (await connection.execute(select(recording_day).order_by(recording_day.c.day))).all()
    previous, found = NOTHING, {}
    for row in rows:
        told.days += 1
        said = statement(row.day, row.last, row.entries, row.head, row.previous)
        if row.previous != previous:
            told.faults.append(f"day {row.day}: is not chained to the day before")
        if row.signature:
            told.signed += 1
            told.keys.add(row.key)
            if not _signed(row.key, row.signature, said):
                told.faults.append(f"day {row.day}: the signature is not its key's")
        if keys and row.key not in keys:
            told.faults.append(f"day {row.day}: signed by {row.key or 'nobody'}")
        previous = day_hash(said, row.signature)
        found[row.day] = row, previous
    return found


def _signed(key: str, signature: str, said: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(bytes.fromhex(signature), said)
    except (InvalidSignature, ValueError):
        return False
    return True


async def _entries(engine: AsyncEngine, days: dict[str, tuple[Any, str]], told: Verified) -> dict[str, dict[str, Any]]:
    """What is proven of each recording that was not erased."""
    facts: dict[str, dict[str, Any]] = {}
    seq, day, previous, counted = 0, "", NOTHING, 0
    async for row in _chain(engine):
        told.entries += 1
        if row.seq != seq + 1:
            told.faults.append(f"entry {row.seq}: follows {seq}")
        if row.day != day and day:
            previous = _day_over(day, seq, counted, previous, days, told)
        counted = 1 if row.day != day else counted + 1
        if row.previous != previous:
            told.faults.append(f"entry {row.seq}: is not chained to the one before")
        if row.hash != entry_hash(row.seq, row.day, row.kind, row.name, row.facts, row.previous):
            told.faults.append(f"entry {row.seq}: was changed")
        if row.kind == "recorded":
            facts[row.name] = json.loads(row.facts)
        elif row.kind == "erased":
            facts.pop(row.name, None)
            told.erased += 1
        seq, day, previous = row.seq, row.day, row.hash
    if day in days:
        _day_over(day, seq, counted, previous, days, told)
    if days and max(days) > day:
        told.faults.append(f"day {max(days)}: is signed, and its entries are gone")
    return facts


def _day_over(day: str, seq: int, counted: int, head: str, days: dict[str, tuple[Any, str]], told: Verified) -> str:
    if day not in days:
        told.faults.append(f"day {day}: has no statement")
        return head
    row, after = days[day]
    if (row.last, row.entries, row.head) != (seq, counted, head):
        told.faults.append(f"day {day}: its entries are not those that were signed")
    return after


async def _chain(engine: AsyncEngine) -> AsyncIterator[Any]:
    after = 0
    while True:
        table = recording_proof
        async with reading(engine) as connection:
            query = select(table).where(table.c.seq > after).order_by(table.c.seq).limit(PART)
            rows = (await connection.execute(query)).all()
        for row in rows:
            yield row
        if len(rows) < PART:
            return
        after = rows[-1].seq


async def _recordings(
    engine: AsyncEngine, reader: AudioReader, facts: dict[str, dict[str, Any]], names: Collection[str], told: Verified
) -> None:
    for name in names or facts:
        if name not in facts:
            told.faults.append(f"{name}: nothing is proven of it")
            continue
        async with reading(engine) as connection:
            row = (await connection.execute(select(recording).where(recording.c.name == name))).first()
        told.recordings += 1
        if row is None or row.state != "ready":
            told.faults.append(f"{name}: is gone, and nobody has erased it")
            continue
        try:
            raw = await reader.wav(row)
            channels = [hashlib.sha256(codes.data).hexdigest() for codes in wav.parse(raw)]
        except (OSError, ValueError) as error:
            told.faults.append(f"{name}: can't be read: {error}")
            continue
        if hashlib.sha256(raw).hexdigest() != facts[name].get("sha256") or channels != facts[name].get("channels"):
            told.faults.append(f"{name}: was changed")
        elif json.loads(row.notice or "null") != facts[name].get("notice"):
            told.faults.append(f"{name}: who heard the notice was changed")
