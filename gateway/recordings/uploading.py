"""[IO] From finished files to the store. The rows are the queue, so a restart goes on where the node was.

A few at a time. When the store fails, the pass ends: whatever else waits would fail too, and the rows that were tried
wait longer each time. A file that is gone or has changed is rendered again, its spool file is still there.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

import structlog
from sqlalchemy import Row, update
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.database import writing
from gateway.recordings.part import KeeperSettings, Part, finished
from gateway.recordings.proof import Proof, recorded_facts
from gateway.schema import recording
from media.recording.store import RecordingStore

_log = structlog.get_logger()
PARALLEL = 4


class Uploading(Part):
    """Rendered rows become ready ones."""

    def __init__(
        self, engine: AsyncEngine, store: RecordingStore, settings: KeeperSettings, clock: Callable[[], float],
        proof: Proof, on_stored: Callable[[Row[Any]], None] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(engine, store, settings, clock)
        self._proof = proof
        self._on_stored = on_stored

    async def _work(self) -> None:
        due = (recording.c.state == "rendered", recording.c.due_at <= self.clock())
        waiting = deque(await self.rows(self.mine(), *due))

        async def go() -> None:
            while waiting:
                row = waiting.popleft()
                try:
                    await self._upload(row)
                except OSError as error:
                    waiting.clear()
                    await self.put_off(row, f"{type(error).__name__}: {error}")
                except Exception as error:
                    await self.put_off(row, f"{type(error).__name__}: {error}")

        await asyncio.gather(*(go() for _ in range(PARALLEL)))

    async def _upload(self, row: Row[Any]) -> None:
        try:
            await self.store.put(row.object, finished(row))
        except FileNotFoundError:
            _log.warning("a rendered recording is gone; it is rendered again", name=row.name)
            await self.set(row, state="pending")
            return
        async with writing(self.engine) as connection:
            ready = update(recording).where(recording.c.name == row.name).values(state="ready", tries=0, due_at=0.0)
            await connection.execute(ready)
            await self._proof.add(connection, "recorded", row.name, recorded_facts(row), self.clock())
        await self.clear(row)
        if self._on_stored is not None:
            self._on_stored(row)
