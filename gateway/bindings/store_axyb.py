"""[IO] AXYB in the tables: A behind an X, and a Y for each B that he has to do with (privatenumber.md section 4.2).

The binding of A and X has the member row (X, ""), as in AX. Its relations are ``relations.py``'s. Ids of the API are
those of the A-X binding; a relation is named by its Y or its B.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import func, insert, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.bindings.errors import BindingNotFound, NoFreeNumber, SameNumber, TooManyNumbers
from gateway.bindings.models import Application, Binding, Mode
from gateway.bindings.pool import choose_number, live, lock, new_id
from gateway.bindings.relations import TRIES, allocate_y, remove
from gateway.bindings.requests import NewAxyb, NewRelation
from gateway.bindings.rows import binding_values, read_binding
from gateway.database import reading, writing
from gateway.numbers import PhoneNumber
from gateway.schema import binding as table
from gateway.schema import binding_member

NUMBERS_LIMIT = 5


class AxybStore:
    """The AXYB part of the binding store."""

    _engine: AsyncEngine

    async def bind_axyb(self, application: Application, wanted: NewAxyb, at: datetime) -> Binding:
        """Give A an X of a city. NoFreeNumber, TooManyNumbers."""
        for _ in range(TRIES):
            try:
                async with writing(self._engine) as connection:
                    await lock(connection, application.key)
                    return await _bind(connection, application, wanted, at)
            except IntegrityError:
                continue  # another A was given the same X in the same moment
        raise NoFreeNumber

    async def bind_relation(self, application: Application, wanted: NewRelation, at: datetime) -> Binding:
        """Give B a Y of A's. BindingNotFound, NoFreeNumber, SameNumber."""
        async with reading(self._engine) as connection:
            ax = await _find(connection, application, wanted.parent, None, at)
        if wanted.b in (ax.a, ax.x):
            raise SameNumber
        return await allocate_y(
            self._engine,
            application,
            ax,
            wanted.b,
            at,
            area_code=wanted.area_code,
            loose=wanted.loose,
            seconds=wanted.seconds,
            tone_for_a=wanted.tone_for_a,
            user_data=wanted.user_data,
        )

    async def unbind_axyb(
        self,
        application: Application,
        binding: str,
        *,
        y: PhoneNumber | None = None,
        b: PhoneNumber | None = None,
        at: datetime,
    ) -> None:
        """End an A-X binding with all its relations, or the one of ``y`` (else of ``b``). BindingNotFound."""
        async with writing(self._engine) as connection:
            await lock(connection, application.key)
            ax = await _find(connection, application, binding, None, at)
            where = [table.c.parent == ax.id]
            if y is not None:
                where.append(table.c.y == y.e164)
            elif b is not None:
                where.append(table.c.b == b.e164)
            ids = list((await connection.execute(select(table.c.id).where(*where))).scalars())
            if y is None and b is None:
                ids.append(ax.id)
            elif not ids:
                raise BindingNotFound
            await remove(connection, ids)

    async def query_axyb(
        self, application: Application, *, binding: str | None = None, x: PhoneNumber | None = None, at: datetime
    ) -> list[Binding]:
        """The A-X binding by id, else by X, and behind it its live relations. BindingNotFound."""
        async with reading(self._engine) as connection:
            ax = await _find(connection, application, binding, x, at)
            query = select(table).where(table.c.parent == ax.id, live(at)).order_by(table.c.created_at, table.c.id)
            return [ax, *(read_binding(row) for row in await connection.execute(query))]


async def _bind(connection: AsyncConnection, application: Application, wanted: NewAxyb, at: datetime) -> Binding:
    mine = (table.c.application == application.key, table.c.a == wanted.a.e164, table.c.parent.is_(None))
    held = select(func.count()).select_from(table).where(*mine, live(at))
    if (await connection.execute(held)).scalar_one() >= NUMBERS_LIMIT:
        raise TooManyNumbers
    await _purge(connection, application, at)
    members = ("",)
    # An X is no Y: a number that anybody has a relation on is taken.
    related = select(table.c.y).where(table.c.application == application.key, table.c.y.is_not(None))
    ys = list((await connection.execute(related.distinct())).scalars())
    x = await choose_number(connection, application, wanted, members=members, limit=10**9, at=at, without=ys)
    made = Binding(
        id=new_id(connection),
        application=application.key,
        mode=Mode.AXYB,
        x=x,
        a=wanted.a,
        direction=wanted.direction,
        created_at=at,
        duration=wanted.duration,
        expires_at=at + timedelta(seconds=wanted.duration) if wanted.duration else None,
        policy=wanted.policy,
        extra=wanted.extra,
        user_data=wanted.user_data,
    )
    await connection.execute(insert(table).values(**binding_values(made)))
    await connection.execute(insert(binding_member).values(x=x.e164, number="", binding=made.id))
    return made


async def _purge(connection: AsyncConnection, application: Application, at: datetime) -> None:
    """Expired A-X bindings give their X free, and take their relations with them."""
    gone = select(table.c.id).where(table.c.application == application.key, table.c.mode == Mode.AXYB.value, ~live(at))
    ids = list((await connection.execute(gone.limit(500))).scalars())
    if ids:
        related = select(table.c.id).where(table.c.parent.in_(ids))
        await remove(connection, [*ids, *(await connection.execute(related)).scalars()])


async def _find(
    connection: AsyncConnection, application: Application, binding: str | None, x: PhoneNumber | None, at: datetime
) -> Binding:
    wanted = or_(table.c.id == (binding or ""), table.c.x == (x.e164 if x and not binding else ""))
    query = select(table).where(
        table.c.application == application.key,
        table.c.mode == Mode.AXYB.value,
        table.c.parent.is_(None),
        live(at),
        wanted,
    )
    row = (await connection.execute(query)).first()
    if row is None:
        raise BindingNotFound
    return read_binding(row)
