"""[IO] AXB in the tables: pairs of users on an X, no user number twice on the same X (privatenumber.md section 3).

The rule is the primary key of ``binding_member``, so two clients that race for one number can't both win. An expired
pair gives its numbers free inside the transaction that wants them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.bindings.errors import AlreadyBound, BindingNotFound, NoFreeNumber, SameNumber
from gateway.bindings.models import Application, Binding, Mode
from gateway.bindings.pool import check_number, choose_number, live, lock, new_id, present
from gateway.bindings.requests import UNSET, AxbChanges, NewAxb, changed_policy, given
from gateway.bindings.rows import binding_values, read_binding
from gateway.database import reading, writing
from gateway.numbers import PhoneNumber
from gateway.schema import binding as table
from gateway.schema import binding_member

PAIRS_LIMIT = 5000


class AxbStore:
    """The AXB half of the binding store."""

    _engine: AsyncEngine

    async def bind_axb(self, application: Application, wanted: NewAxb, at: datetime) -> Binding:
        """Bind a pair. NumberNotOwned, NumberBlacklisted, NoFreeNumber, AlreadyBound, SameNumber."""
        if wanted.a == wanted.b or wanted.x in (wanted.a, wanted.b):
            raise SameNumber
        async with writing(self._engine) as connection:
            await lock(connection, application.key)
            x = wanted.x
            if x is None:
                members = (wanted.a.e164, wanted.b.e164)
                x = await choose_number(connection, application, wanted, members=members, limit=PAIRS_LIMIT, at=at)
            else:
                await check_number(connection, application, x)
            await _clear(connection, x, (wanted.a, wanted.b), at)
            pairs = select(func.count()).select_from(table).where(table.c.x == x.e164, live(at))
            if (await connection.execute(pairs)).scalar_one() >= PAIRS_LIMIT:
                raise NoFreeNumber
            made = Binding(
                id=new_id(connection),
                application=application.key,
                mode=Mode.AXB,
                x=x,
                a=wanted.a,
                b=wanted.b,
                direction=wanted.direction,
                created_at=at,
                duration=wanted.duration,
                expires_at=at + timedelta(seconds=wanted.duration) if wanted.duration else None,
                policy=wanted.policy,
                sms=wanted.sms,
                user_data=wanted.user_data,
            )
            await connection.execute(insert(table).values(**binding_values(made)))
            await _add_members(connection, made)
        return made

    async def modify_axb(self, application: Application, binding_id: str, changes: AxbChanges, at: datetime) -> Binding:
        """Change a binding. BindingNotFound, AlreadyBound, SameNumber, NoLimit."""
        async with writing(self._engine) as connection:
            await lock(connection, application.key)
            query = select(table).where(table.c.id == binding_id, table.c.application == application.key, live(at))
            row = (await connection.execute(query)).first()
            if row is None:
                raise BindingNotFound
            old = read_binding(row)
            new = replace(
                old,
                policy=changed_policy(old.policy, changes.policy),
                **given(changes, "a", "b", "direction", "sms", "user_data"),
            )
            if changes.duration is not UNSET:
                ends = at + timedelta(seconds=changes.duration) if changes.duration else None
                new = replace(new, duration=changes.duration, expires_at=ends)
            if new.a == new.b or new.x in (new.a, new.b):
                raise SameNumber
            values = binding_values(new)
            await connection.execute(update(table).where(table.c.id == binding_id).values(**values))
            if {new.a, new.b} != {old.a, old.b}:
                await connection.execute(delete(binding_member).where(binding_member.c.binding == binding_id))
                await _clear(connection, new.x, [one for one in (new.a, new.b) if one is not None], at)
                await _add_members(connection, new)
        return new

    async def query_axb(
        self,
        application: Application,
        *,
        binding: str | None = None,
        x: PhoneNumber | None = None,
        a: PhoneNumber | None = None,
        b: PhoneNumber | None = None,
        page: int = 1,
        size: int = 50,
        at: datetime | None = None,
    ) -> list[Binding]:
        """Live bindings by id, or on an X (of one pair when ``a`` or ``b`` is given), oldest first; ``page`` from 1."""
        query = (
            select(table).where(*_wanted(application, binding, x, a, b, at)).order_by(table.c.created_at, table.c.id)
        )
        async with reading(self._engine) as connection:
            rows = await connection.execute(query.limit(size).offset((page - 1) * size))
            return [read_binding(row) for row in rows]

    async def count_axb(
        self,
        application: Application,
        *,
        binding: str | None = None,
        x: PhoneNumber | None = None,
        a: PhoneNumber | None = None,
        b: PhoneNumber | None = None,
        at: datetime | None = None,
    ) -> int:
        """How many bindings ``query_axb`` has on all its pages."""
        query = select(func.count()).select_from(table).where(*_wanted(application, binding, x, a, b, at))
        async with reading(self._engine) as connection:
            return (await connection.execute(query)).scalar_one()


def _wanted(
    application: Application,
    binding: str | None,
    x: PhoneNumber | None,
    a: PhoneNumber | None,
    b: PhoneNumber | None,
    at: datetime | None,
) -> list[ColumnElement[bool]]:
    where = [table.c.application == application.key, table.c.mode == Mode.AXB.value, live(at or present())]
    if binding is not None:
        where.append(table.c.id == binding)
    numbers = ((table.c.x, x), (table.c.a, a), (table.c.b, b))
    return where + [column == number.e164 for column, number in numbers if number is not None]


async def _clear(connection: AsyncConnection, x: PhoneNumber, numbers: Sequence[PhoneNumber], at: datetime) -> None:
    """Delete expired bindings that hold one of ``numbers`` on ``x``; AlreadyBound when a live one does."""
    query = (
        select(binding_member.c.number, table.c.id, table.c.expires_at)
        .join(table, table.c.id == binding_member.c.binding)
        .where(binding_member.c.x == x.e164, binding_member.c.number.in_([one.e164 for one in numbers]))
    )
    rows = (await connection.execute(query)).all()
    held = {row.number for row in rows if row.expires_at is None or row.expires_at > at.timestamp()}
    for one in numbers:
        if one.e164 in held:
            raise AlreadyBound(one)
    gone = [row.id for row in rows]
    if gone:
        await connection.execute(delete(binding_member).where(binding_member.c.binding.in_(gone)))
        await connection.execute(delete(table).where(table.c.id.in_(gone)))


async def _add_members(connection: AsyncConnection, made: Binding) -> None:
    assert made.b is not None
    for one in (made.a, made.b):
        try:
            values = {"x": made.x.e164, "number": one.e164, "binding": made.id}
            await connection.execute(insert(binding_member).values(**values))
        except IntegrityError:
            raise AlreadyBound(one) from None
