"""[IO] What the three parts of the keeper do alike: find their rows, change them, put one off that has failed.

A row belongs to the node whose disk has its files ("" in rows of older versions: whoever sees them). ``due_at`` keeps
one that failed from being tried again at once; it is in the table, so a restart neither forgets a row nor hurries it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import ColumnElement, Row, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.database import reading, writing
from gateway.schema import application, recording
from media.recording.forms import Form
from media.recording.multipart import note_of
from media.recording.parts import remove_parts
from media.recording.store import RecordingStore

_log = structlog.get_logger()
BATCH = 500
DAY = 86400.0
FIRST_WAIT, LONGEST_WAIT = 5.0, 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class KeeperSettings:
    """``retention_days``: from the CDR's push; ``shortest``: a talk of fewer seconds leaves nothing; ``form``: wav or
    flac, where the application doesn't say; ``mute_keys``: digits in the sound are not kept."""

    node: str
    retention_days: float = 7
    form: Form = "wav"
    shortest: float = 3.0
    mute_keys: bool = False
    poll_seconds: float = 10.0


class Part:
    """One kind of work on recordings; ``work`` does all that is due, and never twice at a time."""

    def __init__(
        self, engine: AsyncEngine, store: RecordingStore, settings: KeeperSettings, clock: Callable[[], float]
    ) -> None:
        self.engine = engine
        self.store = store
        self.settings = settings
        self.clock = clock
        self.turn = asyncio.Lock()

    async def work(self) -> None:
        """All that is due now. What fails for one recording holds up no other."""
        async with self.turn:
            await self._work()

    async def _work(self) -> None:
        raise NotImplementedError

    async def application(self, key: str) -> dict[str, Any]:
        """The settings of an application; none when it is gone."""
        async with reading(self.engine) as connection:
            query = select(application.c.settings).where(application.c.key == key)
            found = (await connection.execute(query)).scalar()
        return json.loads(found) if found else {}

    def mine(self) -> ColumnElement[bool]:
        """Rows whose files are on this node's disk."""
        return recording.c.node.in_((self.settings.node, ""))

    async def rows(self, *where: ColumnElement[bool]) -> Sequence[Row[Any]]:
        """A batch of rows, the oldest first."""
        query = select(recording).where(*where).order_by(recording.c.created_at, recording.c.name).limit(BATCH)
        async with reading(self.engine) as connection:
            return (await connection.execute(query)).all()

    async def set(self, row: Row[Any], **values: Any) -> None:
        """Change a row."""
        async with writing(self.engine) as connection:
            await connection.execute(update(recording).where(recording.c.name == row.name).values(**values))

    async def put_off(self, row: Row[Any], why: str) -> None:
        """Try again later: 5 s after the first failure, 10 minutes at most."""
        wait = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(row.tries, 10))
        await self.set(row, tries=row.tries + 1, due_at=self.clock() + wait)
        _log.warning("a recording waits", name=row.name, state=row.state, tries=row.tries + 1, wait=wait, error=why)

    async def clear(self, row: Row[Any]) -> None:
        """Remove what lies on this disk, then say so: a crash in between finds the row and removes it again."""
        for path in (note_of(finished(row)), finished(row)):
            await asyncio.to_thread(path.unlink, missing_ok=True)
        await asyncio.to_thread(remove_parts, row.spool)
        await self.set(row, spool="")


def finished(row: Row[Any]) -> Path:
    """Where the rendered file of a row lies until it is stored."""
    return Path(row.spool).with_suffix(".done")
