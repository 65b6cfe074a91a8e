"""[IO] Erases what is due. ``erase_at`` is set when the CDR was pushed or given up; without one, a recording goes a day
after the longest retention of any application. Of a store that all nodes see any node erases, of a folder its own.

Due is what the steady time (clock.py) and, where it has a clock of its own, the database say is due. What is held
stays.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Row, and_, or_, select, text, true, update
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.database import reading, upsert, writing
from gateway.recordings.audio import object_of
from gateway.recordings.clock import SteadyClock
from gateway.recordings.holding import mark_erased
from gateway.recordings.part import BATCH, DAY, KeeperSettings, Part
from gateway.recordings.proof import Proof
from gateway.recordings.tables import retention_clock
from gateway.schema import application, recording
from media.recording.store import RecordingStore

_log = structlog.get_logger()
NOTE_EVERY = 60.0
_NOW = text("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS double precision)")


def boot_ticks() -> float:
    """Seconds that have passed since the machine started, asleep or not."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def boot_id() -> str:
    """Another one after each start of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


class Erasing(Part):
    """Ready rows that are due become erased ones."""

    def __init__(
        self, engine: AsyncEngine, store: RecordingStore, settings: KeeperSettings, clock: Callable[[], float],
        proof: Proof, ticks: Callable[[], float] = boot_ticks, boot: Callable[[], str] = boot_id,
    ) -> None:  # fmt: skip
        super().__init__(engine, store, settings, clock)
        self._proof = proof
        self._ticks = ticks
        self._boot = boot
        self._steady = SteadyClock(clock(), ticks())
        self._known = False
        self._noted = float("-inf")
        self._told = False
        self._closed = 0
        """The day, since the epoch, on which the one before was last seen to be signed."""

    def now(self) -> float:
        """The time that retention goes by."""
        return self._steady.now(self.clock(), self._ticks())

    async def _work(self) -> None:
        await self._look_at_clock()
        now = self.now()
        async with reading(self.engine) as connection:
            if connection.dialect.name == "postgresql":
                now = min(now, (await connection.execute(_NOW)).scalar_one())
        today = int(now // DAY)
        if today != self._closed:
            async with writing(self.engine) as connection:
                await self._proof.close(connection, now)
            self._closed = today
        last = now - (await self._longest() + 1) * DAY
        await self._give_up(last, now)
        while True:
            never_pushed = and_(recording.c.erase_at.is_(None), recording.c.ended_at <= last)
            whose = true() if self.store.shared else self.mine()
            due = or_(recording.c.erase_at <= now, never_pushed)
            rows = await self.rows(whose, recording.c.state == "ready", recording.c.hold.is_(None), due)
            erased = [await self._erase(row, now) for row in rows]
            if len(rows) < BATCH or not any(erased):
                return

    async def _give_up(self, last: float, now: float) -> None:
        """What could not be rendered and nobody has looked at for so long: it is audio all the same."""
        old = (recording.c.state == "failed", recording.c.hold.is_(None), recording.c.ended_at <= last)
        for row in await self.rows(self.mine(), *old):
            try:
                await self.clear(row)
                async with writing(self.engine) as connection:
                    await mark_erased(connection, self._proof, row, f"node {self.settings.node}", "retention", now)
            except Exception as error:
                _log.error("a spool file could not be erased", name=row.name, error=f"{type(error).__name__}: {error}")
                continue
            _log.warning("what could not be rendered is erased", name=row.name)

    async def _erase(self, row: Row[Any], now: float) -> bool:
        try:
            await self.store.erase(object_of(row))
            async with writing(self.engine) as connection:
                done = await mark_erased(connection, self._proof, row, f"node {self.settings.node}", "retention", now)
        except Exception as error:
            _log.error("a recording could not be erased", name=row.name, error=f"{type(error).__name__}: {error}")
            return False
        if done:
            _log.info("recording erased", name=row.name)
        return done

    async def _longest(self) -> float:
        """Days that any application's recordings are kept."""
        async with reading(self.engine) as connection:
            said = (await connection.execute(select(application.c.settings))).scalars().all()
        days = [json.loads(one).get("recording_days") or 0 for one in said]
        return max(self.settings.retention_days, *days, 0)

    async def _look_at_clock(self) -> None:
        """Go on from what an earlier run has noted; note it; tell of a jump once, make good what it set too early."""
        if not self._known:
            async with reading(self.engine) as connection:
                query = select(retention_clock).where(retention_clock.c.node == self.settings.node)
                row = (await connection.execute(query)).first()
            known = None if row is None else (row.at, row.ticks, row.boot == self._boot())
            self._steady = SteadyClock(self.clock(), self._ticks(), known)
            self._known = True
        now, ticks = self.now(), self._ticks()
        if self._steady.strange != self._told:
            self._told = self._steady.strange
            if self._told:
                _log.error("the clock has jumped; what is due is not erased by it until it has stood for a day",
                           seconds=round(self.clock() - now))  # fmt: skip
        if self._steady.later:
            later, self._steady.later = self._steady.later, 0.0
            async with writing(self.engine) as connection:
                kept = (recording.c.state == "ready", recording.c.erase_at.is_not(None))
                mine = true() if self.store.shared else self.mine()
                moved = update(recording).where(mine, *kept).values(erase_at=recording.c.erase_at + later)
                await connection.execute(moved)
            _log.warning("the new time is believed; recordings are kept longer by as much", seconds=round(later))
        if ticks - self._noted >= NOTE_EVERY:
            async with writing(self.engine) as connection:
                values = {"at": now, "ticks": ticks, "boot": self._boot()}
                await upsert(connection, retention_clock, {"node": self.settings.node}, values)
            self._noted = ticks
