"""[IO] What the database says of events that wait, dead letters and recordings; asked at most every few seconds.

All nodes of one database report the same figures: take the maximum over nodes, never the sum (docs/metrics.md).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.database import reading
from gateway.metrics.tally import Row
from gateway.schema import outbox, recording

KEEP_SECONDS = 5.0
PATIENCE = 3.0


class Backlog:
    """``clock`` gives epoch seconds."""

    def __init__(self, engine: AsyncEngine, clock: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._clock = clock
        self._rows: list[Row] = []
        self._until = float("-inf")
        self._turn = asyncio.Lock()

    async def rows(self) -> list[Row]:
        """As counted a moment ago at most. A database that can't be reached is a row of its own."""
        async with self._turn:
            if time.monotonic() >= self._until:
                try:
                    async with asyncio.timeout(PATIENCE):
                        self._rows = await self._ask()
                except Exception:
                    # Whatever a driver raises: Prometheus is to hear of it, not of our surprise.
                    self._rows = [("maskline_database_up", [], [0.0])]
                self._until = time.monotonic() + KEEP_SECONDS
            return self._rows

    async def _ask(self) -> list[Row]:
        rows: list[Row] = [("maskline_database_up", [], [1.0])]
        now = self._clock()
        async with reading(self._engine) as connection:
            for state in ("waiting", "dead"):
                asked = select(func.count(), func.min(outbox.c.due_at)).where(outbox.c.state == state)
                count, oldest = (await connection.execute(asked)).one()
                rows.append(("maskline_outbox_rows", [state], [float(count)]))
                if state == "waiting":
                    late = max(0.0, now - oldest) if oldest is not None else 0.0
                    rows.append(("maskline_outbox_overdue_seconds", [], [late]))
            for state in ("spooling", "pending", "rendered", "failed"):
                counted = select(func.count()).where(recording.c.state == state)
                rows.append(("maskline_recordings", [state], [float((await connection.execute(counted)).scalar_one())]))
        return rows
