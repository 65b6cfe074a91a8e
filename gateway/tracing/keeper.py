"""[IO] The web process's part: looks for switches that were turned on or off, and writes down what comes of them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable

import structlog
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.database import writing
from gateway.tracing import store
from gateway.tracing.recorder import Switch
from gateway.tracing.store import Traced

_log = structlog.get_logger()
LOOK_SECONDS = 2.0
PURGE_SECONDS = 600.0
MOST_WAITING = 10_000
BATCH = 500


class TraceKeeper:
    """``tell`` is given the switches whenever they change."""

    def __init__(
        self,
        engine: AsyncEngine,
        node: str,
        *,
        keep_calls: int,
        keep_days: float,
        tell: Callable[[list[Switch]], None],
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._engine = engine
        self._node = node
        self._keep = keep_calls, keep_days
        self._tell = tell
        self._look = look_seconds
        self._told: list[Switch] = []
        self._waiting: list[Traced] = []
        self._more = asyncio.Event()
        self._purged_at = float("-inf")

    def put(self, message: Traced) -> None:
        """A message of a traced call; never waits."""
        if len(self._waiting) < MOST_WAITING:
            self._waiting.append(message)
            self._more.set()

    def wake(self) -> None:
        """A switch may have been turned."""
        self._more.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self._turn()
            except Exception as error:
                _log.error("traces wait for the database", error=type(error).__name__)
                await asyncio.sleep(self._look)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._look):
                    await self._more.wait()

    async def _turn(self) -> None:
        self._more.clear()
        now = time.time()
        switches = await store.look_for_switches(self._engine, now)
        if switches != self._told:
            self._told = switches
            self._tell(switches)
        while self._waiting:
            batch = self._waiting[:BATCH]
            try:
                async with writing(self._engine) as connection:
                    await store.put(connection, self._node, batch)
            except (IntegrityError, DataError):
                # There already, or its trace was deleted meanwhile: another try would fail too.
                _log.error("messages of traces could not be written", count=len(batch))
            del self._waiting[: len(batch)]
            self._purged_at = min(self._purged_at, now - PURGE_SECONDS)
        if now - self._purged_at >= PURGE_SECONDS:
            self._purged_at = now
            async with writing(self._engine) as connection:
                await store.purge(connection, *self._keep, now)
