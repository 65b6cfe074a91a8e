"""[IO] Looks after recordings: what calls have left in the spool is rendered, stored, and erased when it is due.

    spooling  -> the call stands
    pending   -> rendered in a process of its own                      (rendering.py)
    empty     -> nothing worth keeping was said: spool file removed
    rendered  -> stored, read back and compared; only then the files of the spool folder go   (uploading.py)
    ready     -> erase_at has come: object erased, then the row says erased; the link ends with it   (erasing.py)
    failed    -> could not be rendered: the spool file stays for a person to look at, as long as recordings do at most

Each part has its own task, so a store that is away holds up no rendering, and neither holds up the erasing.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any

import structlog
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.recordings.erasing import Erasing, boot_ticks
from gateway.recordings.part import KeeperSettings, Part
from gateway.recordings.proof import Proof
from gateway.recordings.rendering import Rendering
from gateway.recordings.uploading import Uploading
from media.recording.store import RecordingStore

_log = structlog.get_logger()


class Keeper:
    """``start`` runs it as tasks, ``wake`` says that there may be something to render, ``settle`` does all that is due
    now. What else there is to do comes of the rendering, or by the clock."""

    def __init__(
        self,
        engine: AsyncEngine,
        store: RecordingStore,
        settings: KeeperSettings,
        clock: Callable[[], float] = time.time,
        *,
        proof: Proof | None = None,
        ticks: Callable[[], float] = boot_ticks,
        on_stored: Callable[[Row[Any]], None] | None = None,
    ) -> None:
        self._settings = settings
        proof = proof or Proof()
        self._erasing = Erasing(engine, store, settings, clock, proof, ticks)
        self._rendering = Rendering(engine, store, settings, clock)
        self._parts: tuple[Part, ...] = (
            self._rendering,
            Uploading(engine, store, settings, clock, proof, on_stored),
            self._erasing,
        )
        self._wakes = tuple(asyncio.Event() for _ in self._parts)
        self._tasks: list[asyncio.Task[None]] = []

    def now(self) -> float:
        """The time that retention goes by."""
        return self._erasing.now()

    def start(self) -> None:
        """Begin."""
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(self._run(part, wake)) for part, wake in zip(self._parts, self._wakes, strict=True)
        ]

    def wake(self) -> None:
        """There may be something to render."""
        self._wakes[self._parts.index(self._rendering)].set()

    async def settle(self) -> None:
        """Do all that is due now, one part after the other."""
        for part in self._parts:
            await part.work()

    async def stop(self) -> None:
        """Finish the rendering under way; an upload is broken off and goes on at the next start."""
        await self._rendering.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, part: Part, wake: asyncio.Event) -> None:
        while True:
            wake.clear()
            try:
                await part.work()
            except Exception:
                _log.exception("recordings could not be looked after")
            if part is self._rendering:
                self._wakes[1].set()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._settings.poll_seconds):
                    await wake.wait()
