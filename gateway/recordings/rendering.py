"""[IO] From spool files to finished ones, in a process of its own: numpy would hold up the API."""

from __future__ import annotations

import asyncio
import base64
import json
import multiprocessing
from collections import Counter
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Row, and_, or_
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.recordings.audio import object_name
from gateway.recordings.part import KeeperSettings, Part, finished
from gateway.schema import recording
from media.recording.forms import Form
from media.recording.render import Rendered, render
from media.recording.spool import SpoolBusy
from media.recording.store import RecordingStore

_log = structlog.get_logger()
RENDER_TRIES = 3
DISK_TRIES = 100  # with ten minutes between most of them: the better part of a day


class Rendering(Part):
    """Pending rows become rendered, empty or failed ones."""

    def __init__(
        self, engine: AsyncEngine, store: RecordingStore, settings: KeeperSettings, clock: Callable[[], float]
    ) -> None:
        super().__init__(engine, store, settings, clock)
        self._pool: ProcessPoolExecutor | None = None
        self._died: Counter[str] = Counter()
        """How often the rendering process died over a recording."""

    async def _work(self) -> None:
        pending = and_(recording.c.state == "pending", recording.c.due_at <= self.clock())
        left = and_(recording.c.state.in_(("empty", "ready")), recording.c.spool != "")
        for row in await self.rows(self.mine(), or_(pending, left)):
            try:
                await (self._render(row) if row.state == "pending" else self.clear(row))
            except Exception:
                # The database, or the disk: the row is as it was, and the next pass tries again.
                _log.exception("a recording could not be looked after", name=row.name, state=row.state)

    async def stop(self) -> None:
        """Finish the rendering under way; no more."""
        async with self.turn:
            if self._pool is not None:
                await asyncio.to_thread(self._pool.shutdown)

    async def _render(self, row: Row[Any]) -> None:
        form: Form = (await self.application(row.application)).get("recording_form") or self.settings.form
        data_key = base64.b64decode(row.data_key) if row.data_key else b""
        rendered = await self._rendered(row, form, data_key)
        if rendered is None:
            return
        if rendered.empty or rendered.seconds < self.settings.shortest:
            await self.set(row, state="empty")
            await self.clear(row)
            return
        await self.set(
            row, state="rendered", object=object_name(row.name, form, sealed=bool(data_key)),
            size=rendered.size, sha256=rendered.sha256,
            seconds=rendered.seconds, channels=json.dumps(rendered.channels), tries=0, due_at=0.0,
        )  # fmt: skip

    async def _rendered(self, row: Row[Any], form: Form, data_key: bytes) -> Rendered | None:
        """Render in the process of the pool. None: not now (the process died), or never (the row says failed)."""
        if self._pool is None:
            self._pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
        loop = asyncio.get_running_loop()
        try:
            work = partial(render, Path(row.spool), finished(row), form, data_key, mute_keys=self.settings.mute_keys)
            return await loop.run_in_executor(self._pool, work)
        except BrokenExecutor:
            # Out of memory, most likely: a pool whose process died takes no more work, so the next gets a new one.
            self._pool = None
            self._died[row.name] += 1
            _log.error("the rendering process died", name=row.name, times=self._died[row.name])
            if self._died[row.name] >= RENDER_TRIES:
                await self.set(row, state="failed", trouble="the rendering process died")
        except FileNotFoundError:
            await self._fail(row, "there is no spool file")
        except (SpoolBusy, OSError) as error:
            # A disk that is full or read-only may be mended.
            if row.tries >= DISK_TRIES:
                await self._fail(row, f"{type(error).__name__}: {error}")
            else:
                await self.put_off(row, f"{type(error).__name__}: {error}")
        except Exception as error:
            _log.exception("a recording could not be rendered", name=row.name)
            await self._fail(row, f"{type(error).__name__}: {error}")
        return None

    async def _fail(self, row: Row[Any], why: str) -> None:
        await self.set(row, state="failed", trouble=why[:500])
        _log.error("a recording is given up; its spool file stays", name=row.name, error=why)
