"""[IO] Statistics: records counted day by day, and the sums that somebody asks for (privatenumber.md section 12).

A day is one of the operator's time zone, by the end of a call. Days that are over are counted into ``day_count``, which
outlives the records; the last two days are always counted from the records themselves, so a question sees the call that
ended a second ago. Counting a day again gives the same rows, so it does not matter which node does it, or how often.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any

from sqlalchemy import Integer, case, delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.causes import Cause
from gateway.schema import cdr, day_count, sms_record

LIVE_DAYS = 2


@dataclass(slots=True)
class Period:
    """A day (``2026-11-24``) or a month (``2026-11``). ``causes``: failed calls by cause, ``results``: messages by
    sendResult. ``seconds``: of talk."""

    name: str
    calls: int = 0
    answered: int = 0
    seconds: float = 0.0
    recorded: int = 0
    causes: dict[int, int] = field(default_factory=dict)
    messages: int = 0
    parts: int = 0
    results: dict[int, int] = field(default_factory=dict)

    def add(self, row: Any) -> None:
        """A row of ``day_count``, or one like it."""
        if row.kind == "sms":
            self.messages += row.count_
            self.parts += int(row.seconds)
            self.results[row.result] = self.results.get(row.result, 0) + row.count_
            return
        self.calls += row.count_
        self.answered += row.answered
        self.seconds += row.seconds
        self.recorded += row.recorded
        if row.result != Cause.NORMAL:
            self.causes[row.result] = self.causes.get(row.result, 0) + row.count_


def day_of(at: datetime, zone: tzinfo) -> date:
    """The day of a moment."""
    return at.astimezone(zone).date()


def _span(day: date, zone: tzinfo) -> tuple[float, float]:
    """A day's first and its successor's first moment, as epoch seconds."""
    first, after = (datetime.combine(one, time(), zone).timestamp() for one in (day, day + timedelta(days=1)))
    return first, after


async def _counted(connection: AsyncConnection, day: date, zone: tzinfo, keys: Collection[str] | None) -> list[Any]:
    """What the records of a day come to, as rows like those of ``day_count``."""
    low, high = _span(day, zone)
    calls = (
        select(
            cdr.c.application, func.count().label("count_"), cdr.c.cause.label("result"),
            func.sum(case((cdr.c.answered, 1), else_=0)).cast(Integer).label("answered"),
            func.sum(cdr.c.seconds).label("seconds"),
            func.sum(case((cdr.c.recorded, 1), else_=0)).cast(Integer).label("recorded"),
        )
        .where(cdr.c.ended_at >= low, cdr.c.ended_at < high)
        .group_by(cdr.c.application, cdr.c.cause)
    )  # fmt: skip
    messages = (
        select(sms_record.c.application, func.count().label("count_"), sms_record.c.result,
               func.sum(sms_record.c.parts).label("parts"))
        .where(sms_record.c.at >= low, sms_record.c.at < high)
        .group_by(sms_record.c.application, sms_record.c.result)
    )  # fmt: skip
    if keys is not None:
        calls = calls.where(cdr.c.application.in_(keys))
        messages = messages.where(sms_record.c.application.in_(keys))
    found = [_Row("call", *row) for row in await connection.execute(calls)]
    found += [_Row("sms", key, count, result, 0, float(parts), 0)
              for key, count, result, parts in await connection.execute(messages)]  # fmt: skip
    return found


@dataclass(frozen=True, slots=True)
class _Row:
    kind: str
    application: str
    count_: int
    result: int
    answered: int
    seconds: float
    recorded: int


async def count_day(connection: AsyncConnection, day: date, zone: tzinfo) -> None:
    """Count a day that is over, in the caller's transaction."""
    rows = await _counted(connection, day, zone, None)
    await connection.execute(delete(day_count).where(day_count.c.day == day.isoformat()))
    values = [
        {"application": row.application, "day": day.isoformat(), "kind": row.kind, "result": row.result,
         "count": row.count_, "answered": row.answered, "seconds": row.seconds, "recorded": row.recorded}
        for row in rows
    ]  # fmt: skip
    if values:
        await connection.execute(insert(day_count), values)


async def last_counted(connection: AsyncConnection) -> date | None:
    """The last day that has a count."""
    text = (await connection.execute(select(func.max(day_count.c.day)))).scalar()
    return None if text is None else date.fromisoformat(text)


async def statistics(
    connection: AsyncConnection,
    first: date,
    last: date,
    today: date,
    zone: tzinfo,
    keys: Collection[str] | None,
    *,
    by_month: bool,
) -> list[Period]:
    """The sums of the days from ``first`` to ``last``, both included; periods without anything are there too."""
    periods: dict[str, Period] = {}
    for day in _days(first, last):
        name = day.isoformat()[: 7 if by_month else 10]
        periods.setdefault(name, Period(name))
    live = today - timedelta(days=LIVE_DAYS - 1)
    table, stored = day_count.c, min(last, live - timedelta(days=1)).isoformat()
    query = select(
        table.day,
        table.kind,
        table.result,
        table["count"].label("count_"),
        table.answered,
        table.seconds,
        table.recorded,
    ).where(table.day >= first.isoformat(), table.day <= stored)
    if keys is not None:
        query = query.where(day_count.c.application.in_(keys))
    for row in await connection.execute(query):
        periods[row.day[: 7 if by_month else 10]].add(row)
    for day in _days(max(first, live), min(last, today)):
        for row in await _counted(connection, day, zone, keys):
            periods[day.isoformat()[: 7 if by_month else 10]].add(row)
    return list(periods.values())


def _days(first: date, last: date) -> Iterable[date]:
    return (first + timedelta(days=number) for number in range((last - first).days + 1))
