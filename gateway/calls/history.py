"""[IO] What the database knows of today's talk and of the last day's hours, for the guards that count them.

Read at the start, so that a restart gives nobody new minutes, and every REFRESH_SECONDS for applications with a limit
of minutes, so that nodes on one database hold it together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta, tzinfo

import structlog
from sqlalchemy import Integer, cast, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.calls.surge import HOURS, Usual
from gateway.calls.talk_time import TalkTime
from gateway.database import reading
from gateway.schema import cdr

_log = structlog.get_logger()
REFRESH_SECONDS = 15.0
HOUR = 3600


class History:
    """``clock`` gives aware time; a day is one of ``zone``."""

    def __init__(
        self, engine: AsyncEngine, talk: TalkTime, usual: Usual, zone: tzinfo, clock: Callable[[], datetime]
    ) -> None:
        self._engine = engine
        self._talk = talk
        self._usual = usual
        self._zone = zone
        self._clock = clock
        self._seen: set[str] = set()

    async def load(self) -> None:
        """The hours of the last day."""
        since = (int(self._clock().timestamp()) // HOUR - HOURS) * HOUR
        hour = cast(func.floor(cdr.c.started_at / HOUR), Integer)
        query = (
            select(cdr.c.application, hour.label("hour"), func.count().label("calls"))
            .where(cdr.c.ended_at >= since, cdr.c.started_at >= since)
            .group_by(cdr.c.application, hour)
        )
        async with reading(self._engine) as connection:
            for row in await connection.execute(query):
                self._usual.known(row.application, {int(row.hour): int(row.calls)})

    async def refresh(self) -> None:
        """Today's talk of the applications that have asked."""
        watched = self._talk.watched
        if not watched:
            return
        today = self._clock().astimezone(self._zone).date()
        start = datetime.combine(today, time(), self._zone).astimezone(UTC).timestamp()
        query = (
            select(cdr.c.application, func.sum(cdr.c.seconds).label("seconds"))
            .where(cdr.c.application.in_(sorted(watched)), cdr.c.ended_at >= start)
            .group_by(cdr.c.application)
        )
        async with reading(self._engine) as connection:
            found = {row.application: float(row.seconds) for row in await connection.execute(query)}
        self._talk.known(today.isoformat(), found)
        self._seen = set(watched)

    async def run(self) -> None:
        """For ever; an application that asks for the first time is looked up within a second."""
        waited = timedelta()
        while True:
            await asyncio.sleep(1.0)
            waited += timedelta(seconds=1)
            if self._talk.watched <= self._seen and waited.total_seconds() < REFRESH_SECONDS:
                continue
            waited = timedelta()
            try:
                await self.refresh()
            except Exception as error:
                _log.error("today's talk could not be read", error=type(error).__name__)
