"""[IO] Looks after recordings: renders what calls have left in the spool, erases what is due.

    pending   -> rendered in a process of its own (numpy would hold up the API) -> stored -> ready, spool file removed
    empty     -> nothing worth keeping was said: spool file removed
    ready     -> erase_at has come: object erased, then the row says erased; the link ends with it
    failed    -> could not be rendered: the spool file stays for a person to look at

``erase_at`` is set when the CDR was pushed or given up; without one, a recording goes a day after its retention.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Row, and_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.database import reading, writing
from gateway.schema import recording
from media.recording.render import Rendered, render
from media.recording.store import RecordingStore

_log = structlog.get_logger()
DAY = 86400.0
RENDER_TRIES = 3


class Keeper:
    """``start`` runs it as a task, ``wake`` says that there may be work, ``settle`` does all that is due now."""

    def __init__(
        self,
        engine: AsyncEngine,
        store: RecordingStore,
        *,
        retention_days: float,
        shortest: float = 3.0,
        clock: Callable[[], float] = time.time,
        poll_seconds: float = 10.0,
    ) -> None:
        self._engine = engine
        self._store = store
        self._retention = retention_days * DAY
        self._shortest = shortest
        self._clock = clock
        self._poll = poll_seconds
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()
        self._pool: ProcessPoolExecutor | None = None
        self._died: Counter[str] = Counter()
        """How often the rendering process died over a recording."""

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    def wake(self) -> None:
        """There may be work."""
        self._wake.set()

    async def stop(self) -> None:
        """Finish the rendering under way, then stop."""
        async with self._turn:
            if self._task is not None:
                self._task.cancel()
                await asyncio.gather(self._task, return_exceptions=True)
        if self._pool is not None:
            await asyncio.to_thread(self._pool.shutdown)

    async def settle(self) -> None:
        """Render and erase all that is due. What fails for one recording holds up no other."""
        async with self._turn:
            async with reading(self._engine) as connection:
                left = and_(recording.c.state.in_(("empty", "ready")), recording.c.spool != "")
                wanted = select(recording).where(or_(recording.c.state == "pending", left, self._due()))
                rows = (await connection.execute(wanted.order_by(recording.c.created_at))).all()
            for row in rows:
                try:
                    await self._look_after(row)
                except Exception:
                    # The disk, the store or the database: the row is as it was, and the next pass tries again.
                    _log.exception("a recording could not be looked after", name=row.name, state=row.state)

    async def _look_after(self, row: Row[Any]) -> None:
        if row.state == "pending":
            await self._render(row)
        elif row.spool:
            await self._clear_spool(row)
        else:
            await self._store.erase(row.name)
            await self._set(row, state="erased")
            _log.info("recording erased", name=row.name)

    def _due(self) -> Any:
        now = self._clock()
        never_pushed = and_(recording.c.erase_at.is_(None), recording.c.ended_at <= now - self._retention - DAY)
        return and_(recording.c.state == "ready", or_(recording.c.erase_at <= now, never_pushed))

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            try:
                await self.settle()
            except Exception:
                _log.exception("recordings could not be looked after")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._poll):
                    await self._wake.wait()

    async def _render(self, row: Row[Any]) -> None:
        finished = _finished(row)
        rendered = await self._rendered(row, finished)
        if rendered is None:
            return
        if rendered.empty or rendered.seconds < self._shortest:
            await self._set(row, state="empty")
        else:
            await self._store.put(row.name, finished)
            await self._set(row, state="ready", size=rendered.size, sha256=rendered.sha256, seconds=rendered.seconds)
        await self._clear_spool(row)

    async def _rendered(self, row: Row[Any], finished: Path) -> Rendered | None:
        """Render in the process of the pool. None: not now (the process died), or never (the row says failed)."""
        if self._pool is None:
            self._pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._pool, render, Path(row.spool), finished)
        except BrokenExecutor:
            # Out of memory, most likely: a pool whose process died takes no more work, so the next gets a new one.
            self._pool = None
            self._died[row.name] += 1
            _log.error("the rendering process died", name=row.name, times=self._died[row.name])
            if self._died[row.name] >= RENDER_TRIES:
                await self._set(row, state="failed")
        except Exception:
            _log.exception("a recording could not be rendered", name=row.name)
            await self._set(row, state="failed")
        return None

    async def _clear_spool(self, row: Row[Any]) -> None:
        """Remove the raw packets, then say so: a crash in between finds the row and removes them again."""
        for path in (_finished(row), Path(row.spool)):
            await asyncio.to_thread(path.unlink, missing_ok=True)
        await self._set(row, spool="")

    async def _set(self, row: Row[Any], **values: Any) -> None:
        async with writing(self._engine) as connection:
            await connection.execute(update(recording).where(recording.c.name == row.name).values(**values))


def _finished(row: Row[Any]) -> Path:
    return Path(row.spool).with_suffix(".wav")
