"""Statistics: the same sums before and after a day is counted and its records are gone, for every zone's days."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.causes import Cause
from gateway.database import open_engine, reading, writing
from gateway.records.counting import Period, count_day, day_of, statistics
from gateway.records.keeping import KeepingSettings, RecordKeeping
from gateway.schema import application, attempt, cdr, day_count, outbox, sms_record
from tests.records.bench import fee, notice, put

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOON = datetime(2026, 11, 24, 4, tzinfo=UTC)  # 12:00 in Shanghai
DAY = timedelta(days=1)


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    made = open_engine(database_url, synchronous="OFF")
    yield made
    await made.dispose()


async def sums(
    engine: AsyncEngine, first: date, last: date, *keys: str, now: datetime = NOON, by_month: bool = False
) -> list[Period]:
    async with reading(engine) as connection:
        return await statistics(
            connection, first, last, day_of(now, SHANGHAI), SHANGHAI, keys or None, by_month=by_month
        )


def keeping(engine: AsyncEngine, now: datetime, days: int = 31) -> RecordKeeping:
    settings = KeepingSettings(days=days, statistics_days=731, zone=SHANGHAI)
    return RecordKeeping(engine, settings, lambda: now)


async def test_a_day_s_sums(engine: AsyncEngine) -> None:
    fees = [fee("1", "a", NOON), fee("2", "a", NOON, seconds=30.5), fee("3", "a", NOON, cause=Cause.BUSY),
            fee("4", "b", NOON), fee("5", "a", NOON - DAY)]  # fmt: skip
    await put(engine, fees, [notice("m1", "a", NOON, parts=3), notice("m2", "a", NOON, result=8, parts=0)])
    today = NOON.date()
    (period,) = await sums(engine, today, today, "a")
    assert period == Period("2026-11-24", calls=3, answered=2, seconds=90.5, recorded=2,
                            causes={int(Cause.BUSY): 1}, messages=2, parts=3, results={0: 1, 8: 1})  # fmt: skip
    assert [one.calls for one in await sums(engine, today - 2 * DAY, today)] == [0, 1, 4]
    assert await sums(engine, today, today, "nobody") == [Period("2026-11-24")]


async def test_a_day_is_the_operator_s(engine: AsyncEngine) -> None:
    """16:00 UTC is midnight in Shanghai."""
    midnight = datetime(2026, 11, 23, 16, tzinfo=UTC)
    second = timedelta(seconds=1)
    await put(engine, [fee("before", "a", midnight - second), fee("behind", "a", midnight)])
    assert [one.calls for one in await sums(engine, date(2026, 11, 23), date(2026, 11, 24))] == [1, 1]


async def test_counting_changes_no_sum_and_deleting_no_count(engine: AsyncEngine) -> None:
    generator = random.Random(20261124)
    causes = [Cause.NORMAL, Cause.BUSY, Cause.NO_ANSWER, Cause.NO_BINDING]
    fees = [
        fee(f"s{number}", generator.choice("abc"), NOON - timedelta(seconds=generator.uniform(0, 60 * 86400)),
            cause=generator.choice(causes), seconds=round(generator.uniform(1, 600), 2))
        for number in range(400)
    ]  # fmt: skip
    hours = [generator.uniform(0, 1400) for _ in range(100)]
    notices = [
        notice(f"m{number}", "a", NOON - timedelta(hours=at), result=number % 3) for number, at in enumerate(hours)
    ]
    await put(engine, fees, notices)
    first, last = NOON.date() - 60 * DAY, NOON.date()

    def plain(periods: list[Period]) -> list[tuple[object, ...]]:
        return [
            (one.name, one.calls, one.answered, round(one.seconds, 3), one.causes, one.messages, one.results)
            for one in periods
        ]

    expected: dict[str, int] = {}
    for one in fees:
        name = day_of(datetime.fromisoformat(str(one["ended"])), SHANGHAI).isoformat()
        expected[name] = expected.get(name, 0) + 1
    await keeping(engine, NOON, days=3650).work()
    counted = plain(await sums(engine, first, last))
    assert {str(row[0]): row[1] for row in counted if row[1]} == expected
    await keeping(engine, NOON, days=3650).work()
    assert plain(await sums(engine, first, last)) == counted
    await keeping(engine, NOON, days=7).work()
    assert plain(await sums(engine, first, last)) == counted
    async with reading(engine) as connection:
        left = (await connection.execute(select(func.count()).select_from(cdr))).scalar_one()
    assert left == sum(day_of(datetime.fromisoformat(str(one["ended"])), SHANGHAI) >= last - 7 * DAY for one in fees)
    later = NOON + 2 * DAY
    await keeping(engine, later, days=7).work()
    assert plain(await sums(engine, first, last, now=later)) == counted


async def test_months(engine: AsyncEngine) -> None:
    await put(engine, [fee(f"s{number}", "a", NOON - number * DAY) for number in range(60)])
    await keeping(engine, NOON).work()
    found = await sums(engine, date(2026, 9, 1), date(2026, 11, 30), by_month=True)
    assert [(one.name, one.calls) for one in found] == [("2026-09", 5), ("2026-10", 31), ("2026-11", 24)]


async def test_a_call_that_is_closed_late_is_counted(engine: AsyncEngine) -> None:
    """Its node was down for three days."""
    await put(engine, [fee("1", "a", NOON - 3 * DAY)])
    await keeping(engine, NOON).work()
    await put(engine, [fee("2", "a", NOON - 3 * DAY)])
    await keeping(engine, NOON).work()
    day = NOON.date() - 3 * DAY
    assert [one.calls for one in await sums(engine, day, day)] == [2]


async def test_old_counts_go(engine: AsyncEngine) -> None:
    await put(
        engine,
        [fee("old", "a", NOON - 732 * DAY), fee("kept", "a", NOON - 731 * DAY)],
        [notice("m", "a", NOON - 40 * DAY)],
    )
    await keeping(engine, NOON).work()
    async with reading(engine) as connection:
        days = (await connection.execute(select(day_count.c.day).where(day_count.c.kind == "call"))).scalars().all()
        assert days == [(NOON.date() - 731 * DAY).isoformat()]
        assert (await connection.execute(select(cdr))).all() == []
        assert (await connection.execute(select(sms_record))).all() == []


async def test_two_nodes_count_a_day_once(engine: AsyncEngine) -> None:
    await put(engine, [fee("1", "a", NOON - DAY)])
    for _ in range(2):
        async with writing(engine) as connection:
            await count_day(connection, (NOON - DAY).date(), SHANGHAI)
    async with reading(engine) as connection:
        assert len((await connection.execute(select(day_count))).all()) == 1


async def test_the_ledger_s_rows_go_with_their_attempts_but_for_those_that_wait(engine: AsyncEngine) -> None:
    old, young = (NOON - 40 * DAY).timestamp(), (NOON - 30 * DAY).timestamp()
    rows = [
        {"id": f"{state}-{at}", "application": "a", "session": f"{state}-{at}", "seq": 0, "kind": "fee",
         "payload": "{}", "created_at": at, "due_at": at, "tries": 1, "state": state}
        for state in ("done", "dead", "waiting") for at in (old, young)
    ]  # fmt: skip
    async with writing(engine) as connection:
        await connection.execute(insert(application).values(key="a", mode="AXB", settings="{}"))
        await connection.execute(insert(outbox), rows)
        tries = [{"outbox": row["id"], "at": row["due_at"], "seconds": 0.1} for row in rows]
        await connection.execute(insert(attempt), tries)
    await keeping(engine, NOON).work()
    left = {f"done-{young}", f"dead-{young}", f"waiting-{old}", f"waiting-{young}"}
    async with reading(engine) as connection:
        assert set((await connection.execute(select(outbox.c.id))).scalars()) == left
        assert set((await connection.execute(select(attempt.c.outbox))).scalars()) == left
