"""[IO] What AXB and AX share of the tables: whose number an X is, which bindings count, which X to take, fresh ids."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Collection
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.bindings.allocation import Candidate, choose
from gateway.bindings.areas import area_code_of
from gateway.bindings.errors import NoFreeNumber, NumberBlacklisted, NumberNotOwned
from gateway.bindings.models import Application, NumberStatus
from gateway.bindings.requests import NewAx, NewAxb, NewAxe, NewAxyb
from gateway.bindings.rows import read_number
from gateway.numbers import PhoneNumber
from gateway.schema import application as applications
from gateway.schema import binding, binding_member, number

IDS = "maskline_ids"


def new_id(connection: AsyncConnection) -> str:
    """A subscription id. Its engine's option ``IDS`` may say where ids come from: the lab's repeat themselves."""
    make: Callable[[], object] = connection.engine.get_execution_options().get(IDS, uuid.uuid4)
    return str(make())


def present() -> datetime:
    """Now, for questions that name no moment."""
    return datetime.now(UTC)


def live(at: datetime) -> ColumnElement[bool]:
    """The condition that a binding counts at ``at``."""
    return or_(binding.c.expires_at.is_(None), binding.c.expires_at > at.timestamp())


async def lock(connection: AsyncConnection, *keys: str) -> None:
    """Let nobody else bind or unbind for these applications until the transaction's end: who decides by what he has
    read (a free X, a free E, how many) must be alone with it. SQLite's writers are one after the other anyway."""
    if connection.dialect.name != "sqlite":
        mine = select(applications.c.key).where(applications.c.key.in_(keys)).order_by(applications.c.key)
        await connection.execute(mine.with_for_update(key_share=True))


async def check_owned(connection: AsyncConnection, application: Application, x: PhoneNumber) -> NumberStatus:
    """The state of an X of the application. NumberNotOwned."""
    query = select(number.c.status).where(number.c.x == x.e164, number.c.application == application.key)
    status = (await connection.execute(query)).scalar_one_or_none()
    if status is None:
        raise NumberNotOwned
    return NumberStatus(status)


async def check_number(connection: AsyncConnection, application: Application, x: PhoneNumber) -> None:
    """NumberNotOwned, or NumberBlacklisted for an X that takes no new binding."""
    if await check_owned(connection, application, x) is not NumberStatus.NORMAL:
        raise NumberBlacklisted


async def choose_number(
    connection: AsyncConnection,
    application: Application,
    wanted: NewAxb | NewAx | NewAxe | NewAxyb,
    *,
    members: Collection[str],
    limit: int,
    at: datetime,
    without: Collection[str] = (),
) -> PhoneNumber:
    """An X of the wanted city with fewer than ``limit`` bindings, none holding one of ``members``; none of ``without``.
    NoFreeNumber."""
    mine = select(number.c.x).where(number.c.application == application.key)
    taken = (
        select(binding_member.c.x)
        .join(binding, binding.c.id == binding_member.c.binding)
        .where(binding_member.c.x.in_(mine), binding_member.c.number.in_(members), live(at))
    )
    stored = select(func.count()).select_from(binding).where(binding.c.x == number.c.x).scalar_subquery()
    query = select(number, stored.label("stored")).where(
        number.c.application == application.key,
        number.c.status == int(NumberStatus.NORMAL),
        number.c.x.not_in(taken),
        number.c.x.not_in([*members, *without, wanted.a.e164]),
    )
    # Counting by index and taking off the few expired rows is many times faster than reading all rows for their end.
    expired = select(binding.c.x).where(binding.c.expires_at <= at.timestamp())
    gone = Counter((await connection.execute(expired)).scalars())
    rows = (await connection.execute(query)).all()
    candidates = [Candidate(read_number(row), row.stored - gone[row.x]) for row in rows]
    area = wanted.area_code or area_code_of(wanted.a) or ""
    # Without an areaCode the city is A's own, which is only known of a fixed line: it is a wish, not a condition.
    loose = wanted.loose or not wanted.area_code
    chosen = choose([one for one in candidates if one.used < limit], area, loose=loose)
    if chosen is None:
        raise NoFreeNumber
    return chosen.x
