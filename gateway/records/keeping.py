"""[IO] Counts days that are over and deletes what has had its time, once an hour: CDRs, messages, the ledger's rows
(what was pushed or given up, with its attempts: both hold real numbers), statistics.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any

import structlog
from sqlalchemy import and_, delete, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.database import reading, writing
from gateway.records.counting import count_day, day_of, last_counted
from gateway.schema import application, cdr, day_count, outbox, sms_record

_log = structlog.get_logger()
EVERY_SECONDS = 3600.0
PART = 1000
# A node that was down may close calls of some days ago when it comes back.
AGAIN_DAYS = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepingSettings:
    """For how many days records and statistics are kept, and whose days."""

    days: int
    statistics_days: int
    zone: tzinfo


class RecordKeeping:
    """``work`` is one round, ``run`` goes on for ever."""

    def __init__(self, engine: AsyncEngine, settings: KeepingSettings, clock: Callable[[], datetime]) -> None:
        self._engine = engine
        self._settings = settings
        self._clock = clock

    async def run(self, pause: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Now and after each pause."""
        while True:
            try:
                await self.work()
            except Exception as error:
                _log.error("records could not be counted or deleted", error=type(error).__name__)
            await pause(EVERY_SECONDS)

    async def work(self) -> None:
        """Count, then delete: nothing goes that isn't counted."""
        await self._count()
        await self._delete()

    async def _count(self) -> None:
        zone = self._settings.zone
        today = day_of(self._clock(), zone)
        async with reading(self._engine) as connection:
            oldest = [
                (await connection.execute(select(func.min(column)))).scalar()
                for column in (cdr.c.ended_at, sms_record.c.at)
            ]
            counted = await last_counted(connection)
        known = [day_of(datetime.fromtimestamp(moment, zone), zone) for moment in oldest if moment is not None]
        if not known:
            return
        day = min(known)
        if counted is not None:
            day = max(day, min(counted, today) - timedelta(days=AGAIN_DAYS))
        while day < today:
            async with writing(self._engine) as connection:
                await count_day(connection, day, zone)
            day += timedelta(days=1)

    async def _delete(self) -> None:
        now, settings = self._clock(), self._settings
        # Whole days only: half a day counted again would be half a count.
        first = day_of(now - timedelta(days=settings.days), settings.zone)
        until = datetime(first.year, first.month, first.day, tzinfo=settings.zone).timestamp()
        for table, at, key in ((cdr, cdr.c.ended_at, cdr.c.session), (sms_record, sms_record.c.at, sms_record.c.id)):
            await self._delete_some(table, key, at < until)
        async with reading(self._engine) as connection:
            keys = (await connection.execute(select(application.c.key))).scalars().all()
        for key in keys:
            # One step in the index for each; a row that waits is never too old.
            for state in ("done", "dead"):
                mine = and_(outbox.c.state == state, outbox.c.application == key, outbox.c.due_at < until)
                await self._delete_some(outbox, outbox.c.id, mine)
        last = day_of(now - timedelta(days=settings.statistics_days), settings.zone).isoformat()
        async with writing(self._engine) as connection:
            await connection.execute(delete(day_count).where(day_count.c.day < last))

    async def _delete_some(self, table: Any, key: Any, where: Any) -> None:
        """A thousand at a time, so that nobody waits long."""
        while True:
            async with writing(self._engine) as connection:
                some = select(key).where(where).limit(PART)
                gone = (await connection.execute(delete(table).where(key.in_(some)))).rowcount
            if gone < PART:
                return
