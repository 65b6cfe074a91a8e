"""[IO] AXYB: a Y for a B (privatenumber.md section 4.2). By the API, or by itself when an unknown B calls X.

A relation is a binding of its own, ``parent`` the binding of A and X. Its two member rows, (X, B) and (Y, A), are what
both calls find it by; they also forbid a second Y for a B, and one Y for two Bs of an A, whoever races for it. A Y
holds at most ``RELATIONS_LIMIT`` relations and is never an X. Its life is the API's or the X binding's ``ybDuration``,
and ends with the X binding's at the latest.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.bindings.allocation import Candidate, choose
from gateway.bindings.errors import NoFreeNumber
from gateway.bindings.models import Application, Binding, Mode, NumberStatus
from gateway.bindings.pool import live, lock, new_id
from gateway.bindings.rows import binding_values, read_binding, read_number
from gateway.database import writing
from gateway.numbers import PhoneNumber
from gateway.schema import binding as table
from gateway.schema import binding_member, number

RELATIONS_LIMIT = 1000
TRIES = 5


async def allocate_y(
    engine: AsyncEngine,
    application: Application,
    ax: Binding,
    b: PhoneNumber,
    at: datetime,
    *,
    area_code: str = "",
    loose: bool = True,
    seconds: int | None = None,
    tone_for_a: str = "",
    user_data: str | None = None,
) -> Binding:
    """The relation of ``ax`` and B: the live one that is there, else a new one. NoFreeNumber.

    ``area_code``: of the Y (default: that of X); ``seconds``: its life (None: ``ybDuration`` of ``ax``; 0: with it).
    """
    for _ in range(TRIES):
        try:
            async with writing(engine) as connection:
                await lock(connection, application.key)
                found = await _relation(connection, ax, b, at)
                if found is not None:
                    return found
                y = await _choose(connection, application, ax, b, at, area_code, loose)
                made = replace(_made(ax, b, y, at, seconds, tone_for_a, user_data), id=new_id(connection))
                await connection.execute(insert(table).values(**binding_values(made)))
                for on, member in ((ax.x, b), (y, ax.a)):
                    values = {"x": on.e164, "number": member.e164, "binding": made.id}
                    await connection.execute(insert(binding_member).values(**values))
                return made
        except IntegrityError:
            continue  # somebody else was quicker: with this B, or with this Y
    raise NoFreeNumber


def _made(
    ax: Binding, b: PhoneNumber, y: PhoneNumber, at: datetime, seconds: int | None, tone: str, user_data: str | None
) -> Binding:
    life = int(ax.extra.get("ybDuration") or 0) if seconds is None else seconds
    ends = [end for end in (ax.expires_at, at + timedelta(seconds=life) if life else None) if end is not None]
    changes: dict[str, Any] = {name: getattr(ax, name) for name in ("application", "x", "a", "direction", "sms")}
    return Binding(
        **changes,
        id="",
        mode=Mode.AXYB,
        b=b,
        y=y,
        parent=ax.id,
        created_at=at,
        duration=life or None,
        expires_at=min(ends) if ends else None,
        policy=replace(ax.policy, tone_for_a=tone),
        user_data=ax.user_data if user_data is None else user_data,
    )


async def _relation(connection: AsyncConnection, ax: Binding, b: PhoneNumber, at: datetime) -> Binding | None:
    """The live relation of B; one that has expired is taken away."""
    query = select(table).where(table.c.parent == ax.id, table.c.b == b.e164)
    for row in (await connection.execute(query)).all():
        if row.expires_at is None or row.expires_at > at.timestamp():
            return read_binding(row)
        await remove(connection, [row.id])
    return None


async def remove(connection: AsyncConnection, ids: list[str]) -> None:
    """Delete bindings with their member rows."""
    await connection.execute(delete(binding_member).where(binding_member.c.binding.in_(ids)))
    await connection.execute(delete(table).where(table.c.id.in_(ids)))


async def _choose(
    connection: AsyncConnection,
    application: Application,
    ax: Binding,
    b: PhoneNumber,
    at: datetime,
    area_code: str,
    loose: bool,
) -> PhoneNumber:
    expired = select(table.c.id).where(table.c.a == ax.a.e164, table.c.y.is_not(None), ~live(at))
    gone = list((await connection.execute(expired)).scalars())
    if gone:
        await remove(connection, gone)
    taken = select(binding_member.c.x).where(binding_member.c.number.in_(("", ax.a.e164)))
    used = select(func.count()).select_from(table).where(table.c.y == number.c.x, live(at)).scalar_subquery()
    query = select(number, used.label("used")).where(
        number.c.application == application.key,
        number.c.status == int(NumberStatus.NORMAL),
        number.c.x.not_in(taken),
        number.c.x.not_in((ax.x.e164, ax.a.e164, b.e164)),
    )
    rows = (await connection.execute(query)).all()
    area = area_code
    if not area:
        own = select(number.c.area_code).where(number.c.x == ax.x.e164)
        area = (await connection.execute(own)).scalar_one_or_none() or ""
    free = [Candidate(read_number(row), row.used) for row in rows if row.used < RELATIONS_LIMIT]
    chosen = choose(free, area, loose=loose or not area_code)
    if chosen is None:
        raise NoFreeNumber
    return chosen.x
