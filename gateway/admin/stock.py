"""[IO] X numbers between the stock and the applications: each is in one of the two tables, moved in one transaction.

    import --> stock --give--> an application's --release--> stock --remove--> gone

A number with bindings is neither released nor transferred: it must be unbound first, or ``force`` unbinds it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.admin.tables import stock_number
from gateway.bindings.models import NumberStatus
from gateway.bindings.pool import live, lock
from gateway.schema import binding, number

PART = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class NewNumber:
    """An X number as it is imported."""

    x: str
    area_code: str = ""
    province: str = ""
    sms: bool = True


def parts(items: Sequence[Any]) -> list[Sequence[Any]]:
    """Pieces that a statement can hold."""
    return [items[start : start + PART] for start in range(0, len(items), PART)]


async def add_to_stock(connection: AsyncConnection, wanted: Sequence[NewNumber], at: datetime) -> set[str]:
    """Put numbers into the stock; those that were there already, or are an application's, are given back."""
    known: set[str] = set()
    for some in parts([one.x for one in wanted]):
        for table in (stock_number, number):
            known |= set((await connection.execute(select(table.c.x).where(table.c.x.in_(some)))).scalars())
    fresh = {one.x: one for one in wanted if one.x not in known}
    rows = [
        {"x": one.x, "area_code": one.area_code, "province": one.province, "sms": one.sms, "added_at": at.timestamp()}
        for one in fresh.values()
    ]
    if rows:
        await connection.execute(insert(stock_number), rows)
    return known


async def pick(connection: AsyncConnection, area_code: str, count: int, *, sms: bool = False) -> list[str]:
    """The first ``count`` numbers in stock of a city ("": of any), that carry short messages if ``sms``; locked."""
    query = select(stock_number.c.x).order_by(stock_number.c.x).limit(count)
    if area_code:
        query = query.where(stock_number.c.area_code == area_code)
    if sms:
        query = query.where(stock_number.c.sms.is_(True))
    # Another transaction's choice is passed over, not waited for.
    return list((await connection.execute(query.with_for_update(skip_locked=True))).scalars())


async def give(
    connection: AsyncConnection, wanted: Collection[str], application: str, *, sms: bool | None = None
) -> set[str]:
    """Move numbers from the stock to an application; which of them."""
    given: set[str] = set()
    for some in parts(sorted(wanted)):
        query = select(stock_number).where(stock_number.c.x.in_(some)).with_for_update()
        rows = (await connection.execute(query)).all()
        if not rows:
            continue
        values = [
            {"x": row.x, "application": application, "area_code": row.area_code, "province": row.province,
             "status": int(NumberStatus.NORMAL), "sms": row.sms if sms is None else sms, "origin": "api", "cause": None}
            for row in rows
        ]  # fmt: skip
        await connection.execute(insert(number), values)
        moved = [row.x for row in rows]
        await connection.execute(delete(stock_number).where(stock_number.c.x.in_(moved)))
        given |= set(moved)
    return given


async def owned(
    connection: AsyncConnection, wanted: Collection[str], keys: Collection[str] | None
) -> dict[str, Row[Any]]:
    """The rows of numbers that belong to applications (``keys``: to one of these), locked."""
    return await _rows(connection, wanted, keys, lock_them=True)


async def owned_alone(
    connection: AsyncConnection, wanted: Collection[str], keys: Collection[str] | None
) -> dict[str, Row[Any]]:
    """The same, alone with their applications: nobody binds one of them until the transaction's end."""
    owners = {row.application for row in (await _rows(connection, wanted, keys, lock_them=False)).values()}
    await lock(connection, *owners)
    # Another transaction may have moved some of them before it let go.
    return await owned(connection, wanted, owners)


async def _rows(
    connection: AsyncConnection, wanted: Collection[str], keys: Collection[str] | None, *, lock_them: bool
) -> dict[str, Row[Any]]:
    found: dict[str, Row[Any]] = {}
    for some in parts(sorted(wanted)):
        query = select(number).where(number.c.x.in_(some))
        if keys is not None:
            query = query.where(number.c.application.in_(keys))
        found |= {row.x: row for row in await connection.execute(query.with_for_update() if lock_them else query)}
    return found


async def bound(connection: AsyncConnection, wanted: Collection[str], at: datetime) -> dict[str, int]:
    """How many live bindings each number has, as X or as Y; numbers without any are left out."""
    counts: dict[str, int] = {}
    for some in parts(sorted(wanted)):
        for column in (binding.c.x, binding.c.y):
            query = select(column, func.count()).where(column.in_(some), live(at)).group_by(column)
            for x, count in await connection.execute(query):
                counts[x] = counts.get(x, 0) + count
    return counts


async def unbind_all(connection: AsyncConnection, wanted: Collection[str]) -> int:
    """Delete every binding of numbers; how many."""
    gone = 0
    for some in parts(sorted(wanted)):
        where = binding.c.x.in_(some) | binding.c.y.in_(some)
        gone += (await connection.execute(delete(binding).where(where))).rowcount
    return gone


async def release(connection: AsyncConnection, wanted: Collection[str], at: datetime) -> None:
    """Move numbers of applications, unbound, back to the stock."""
    for some in parts(sorted(wanted)):
        rows = (await connection.execute(select(number).where(number.c.x.in_(some)))).all()
        # What has expired and isn't purged yet would come to life with the number's next owner.
        await unbind_all(connection, some)
        await connection.execute(delete(number).where(number.c.x.in_(some)))
        values = [{"x": row.x, "area_code": row.area_code, "province": row.province, "sms": row.sms,
                   "added_at": at.timestamp()} for row in rows]  # fmt: skip
        await connection.execute(insert(stock_number), values)


async def transfer(connection: AsyncConnection, wanted: Collection[str], application: str) -> None:
    """Give numbers, unbound, to another application."""
    for some in parts(sorted(wanted)):
        await unbind_all(connection, some)
        await connection.execute(update(number).where(number.c.x.in_(some)).values(application=application))
