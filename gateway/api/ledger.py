"""[IO] What was pushed to customers, what they answered, and pushing it once more.

A row of the outbox is *waiting*, *done* or *dead*: all seven tries failed, or no message could be made of it. Dead rows
stay until somebody replays them or the retention ends. A replay keeps the row's id, so a customer who compares
``X-Event-Id`` can tell it from a new event; within its call it waits its turn like any other.

Real numbers in payloads and answers are masked unless ``masked`` is False: that is for who may see them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.database import reading, writing
from gateway.numbers import PhoneNumber
from gateway.schema import attempt, outbox

_NUMBER = re.compile(r"(?<![0-9])(\+?[0-9]{7,20})(?![0-9])")
_OURS = frozenset({"session", "binding", "application", "recording", "trunk"})
REPLAY_LIMIT = 10_000


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try: when, for how many seconds, the HTTP status or why there is none, how the answer began."""

    at: datetime
    seconds: float
    status: int | None
    error: str | None
    answer: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One event or CDR. ``payload``: neutral JSON (gateway.calls.payloads)."""

    id: str
    application: str
    session: str
    kind: str
    state: str
    tries: int
    created_at: datetime
    due_at: datetime
    payload: dict[str, Any]
    attempts: tuple[Attempt, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which rows: all that is given must hold. ``since`` and ``before`` are of the row's creation."""

    ids: Sequence[str] = ()
    application: str = ""
    session: str = ""
    kind: str = ""
    state: str = ""
    since: datetime | None = None
    before: datetime | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """For a statement."""
        texts = ((outbox.c.application, self.application), (outbox.c.session, self.session),
                 (outbox.c.kind, self.kind), (outbox.c.state, self.state))  # fmt: skip
        where: list[ColumnElement[bool]] = [column == text for column, text in texts if text]
        if self.ids:
            where.append(outbox.c.id.in_(self.ids))
        if self.since is not None:
            where.append(outbox.c.created_at >= self.since.timestamp())
        if self.before is not None:
            where.append(outbox.c.created_at < self.before.timestamp())
        return where


@dataclass(frozen=True, slots=True)
class Dead:
    """What has been given up of an application, by kind; ``oldest``: when the first of them was made."""

    application: str
    kinds: dict[str, int] = field(default_factory=dict)
    oldest: datetime | None = None


class Ledger:
    """The outbox and its attempts, for people."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def entries(self, wanted: Wanted, *, limit: int = 100, masked: bool = True) -> list[Entry]:
        """The newest first, without their attempts."""
        order = (outbox.c.created_at.desc(), outbox.c.session, outbox.c.seq.desc())
        query = select(outbox).where(*wanted.conditions()).order_by(*order).limit(limit)
        async with reading(self._engine) as connection:
            return [read_entry(row, (), masked) for row in await connection.execute(query)]

    async def entry(self, id: str, *, masked: bool = True) -> Entry | None:
        """One with all its attempts, the first one first."""
        async with reading(self._engine) as connection:
            row = (await connection.execute(select(outbox).where(outbox.c.id == id))).first()
            if row is None:
                return None
            tries = select(attempt).where(attempt.c.outbox == id).order_by(attempt.c.id)
            found = tuple(_attempt(one, masked) for one in await connection.execute(tries))
        return read_entry(row, found, masked)

    async def dead(self) -> list[Dead]:
        """What has been given up, by application."""
        query = (
            select(outbox.c.application, outbox.c.kind, func.count(), func.min(outbox.c.created_at))
            .where(outbox.c.state == "dead")
            .group_by(outbox.c.application, outbox.c.kind)
            .order_by(outbox.c.application, outbox.c.kind)
        )
        found: dict[str, Dead] = {}
        async with reading(self._engine) as connection:
            for key, kind, count, oldest in await connection.execute(query):
                before = found.get(key, Dead(key))
                first = min([datetime.fromtimestamp(oldest, UTC), *([before.oldest] if before.oldest else [])])
                found[key] = Dead(key, {**before.kinds, kind: count}, first)
        return list(found.values())

    async def replay(self, wanted: Wanted, at: datetime) -> int:
        """Push rows again from now on, with the whole retry plan before them; how many. ValueError: for all rows."""
        async with writing(self._engine) as connection:
            return await self.replay_in(connection, wanted, at)

    async def replay_in(
        self, connection: AsyncConnection, wanted: Wanted, at: datetime, keys: Collection[str] | None = None
    ) -> int:
        """The same in the caller's transaction; ``keys``: rows of these applications only."""
        where = wanted.conditions()
        if not where:
            raise ValueError("a replay needs an id, an application, a session or a time")
        if keys is not None:
            where.append(outbox.c.application.in_(keys))
        # A waiting row is on its way already; the blocking question of X mode has no second time.
        some = (
            select(outbox.c.id)
            .where(*where, outbox.c.state != "waiting", outbox.c.kind != "question")
            .limit(REPLAY_LIMIT)
        )
        again = {"state": "waiting", "tries": 0, "due_at": at.timestamp()}
        ids = list((await connection.execute(some)).scalars())
        for start in range(0, len(ids), 500):
            part = ids[start : start + 500]
            await connection.execute(update(outbox).where(outbox.c.id.in_(part)).values(**again))
        return len(ids)


def masked_text(text: str) -> str:
    """A text with everything in it that may be a phone number masked."""
    return _NUMBER.sub(lambda found: PhoneNumber("+" + found[1].lstrip("+")).masked, text)


def _masked(name: str, value: object) -> object:
    """A payload's value without numbers; names of ours are none, though digits may stand in them."""
    return masked_text(value) if isinstance(value, str) and name not in _OURS else value


def read_entry(row: Any, attempts: tuple[Attempt, ...], masked: bool) -> Entry:
    """A row of the outbox as a value."""
    payload = json.loads(row.payload)
    if masked:
        payload = {name: _masked(name, value) for name, value in payload.items()}
    return Entry(
        row.id,
        row.application,
        row.session,
        row.kind,
        row.state,
        row.tries,
        datetime.fromtimestamp(row.created_at, UTC),
        datetime.fromtimestamp(row.due_at, UTC),
        payload,
        attempts,
    )


def _attempt(row: Any, masked: bool) -> Attempt:
    answer = row.answer or ""
    return Attempt(
        datetime.fromtimestamp(row.at, UTC),
        row.seconds,
        row.status,
        row.error,
        masked_text(answer) if masked else answer,
    )
