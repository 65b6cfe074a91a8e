"""What the guards learn from the database: minutes of today, hours of the last day; on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.calls.history import History
from gateway.calls.surge import Surge, Usual
from gateway.calls.talk_time import TalkTime
from gateway.database import open_engine, writing
from gateway.schema import cdr

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 24, 2, 0, tzinfo=ZONE)


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    made = open_engine(database_url, synchronous="OFF")
    yield made
    await made.dispose()


async def put(engine: AsyncEngine, name: str, ended: datetime, seconds: float, application: str = "app") -> None:
    async with writing(engine) as connection:
        await connection.execute(insert(cdr).values(
            session=name, application=application, mode="AXB", x="+8617000000001", caller=None, callee=None,
            trunk="t", direction=1, started_at=ended.timestamp() - seconds, ended_at=ended.timestamp(), answered=True,
            seconds=seconds, cause=0, recorded=False, payload="{}"))  # fmt: skip


async def test_minutes_of_today_by_the_operators_clock(engine: AsyncEngine) -> None:
    await put(engine, "yesterday", NOW - timedelta(hours=3), 1000.0)
    await put(engine, "today", NOW - timedelta(hours=1), 60.0)
    await put(engine, "too", NOW, 30.0)
    await put(engine, "other", NOW, 30.0, "other")
    talk = TalkTime()
    history = History(engine, talk, Usual(3.0, 1), ZONE, lambda: NOW.astimezone(UTC))
    await history.refresh()
    assert talk.seconds("app", "2026-11-24", 0.0) == 0.0
    await history.refresh()
    assert talk.seconds("app", "2026-11-24", 0.0) == 90.0
    assert talk.watched == {"app"}


async def test_hours_of_the_last_day(engine: AsyncEngine) -> None:
    for back in range(1, 6):
        for number in range(4):
            await put(engine, f"{back}-{number}", NOW - timedelta(hours=back), 10.0)
    usual = Usual(3.0, 1)
    await History(engine, TalkTime(), usual, ZONE, lambda: NOW).load()
    hour = int(NOW.timestamp()) // 3600
    found = [surge for _ in range(20) if (surge := usual.count("app", hour)) is not None]
    assert [(surge.application, surge.usual > 3.0) for surge in found] == [("app", True)]
    assert isinstance(found[0], Surge)
