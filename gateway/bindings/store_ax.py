"""[IO] AX in the tables: one A behind an X, at most five X for an A, temporary callees (privatenumber.md section 2).

"One A on an X" is the primary key of ``binding_member`` with the number "".
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.bindings.allocation import Candidate, choose
from gateway.bindings.areas import area_code_of
from gateway.bindings.errors import (
    BindingNotFound,
    BoundToAnother,
    NoFreeNumber,
    NotBound,
    PairExists,
    SameNumber,
    TooManyNumbers,
)
from gateway.bindings.models import Application, Binding, Mode, NumberStatus
from gateway.bindings.pool import check_number, lock, new_id
from gateway.bindings.requests import AxChanges, NewAx, changed_policy, given
from gateway.bindings.rows import binding_values, read_binding, read_number
from gateway.database import reading, writing
from gateway.numbers import PhoneNumber
from gateway.schema import binding as table
from gateway.schema import binding_member, number, temporary_callee

NUMBERS_LIMIT = 5


class AxStore:
    """The AX half of the binding store."""

    _engine: AsyncEngine

    async def bind_ax(self, application: Application, wanted: NewAx, at: datetime) -> Binding:
        """Bind A to an X. NumberNotOwned, NumberBlacklisted, NoFreeNumber, TooManyNumbers, PairExists,
        BoundToAnother, SameNumber."""
        if wanted.a == wanted.x:
            raise SameNumber
        async with writing(self._engine) as connection:
            await lock(connection, application.key)
            if wanted.x is not None:
                await check_number(connection, application, wanted.x)
                await _free(connection, wanted.x, wanted.a)
            mine = (
                select(func.count())
                .select_from(table)
                .where(table.c.application == application.key, table.c.a == wanted.a.e164)
            )
            if (await connection.execute(mine)).scalar_one() >= NUMBERS_LIMIT:
                raise TooManyNumbers
            x = wanted.x or await _choose(connection, application, wanted)
            made = Binding(
                id=new_id(connection),
                application=application.key,
                mode=Mode.AX,
                x=x,
                a=wanted.a,
                direction=wanted.direction,
                created_at=at,
                policy=wanted.policy,
                sms=wanted.sms,
                switched_on=wanted.switched_on,
                show_caller=wanted.show_caller,
                user_data=wanted.user_data,
            )
            await connection.execute(insert(table).values(**binding_values(made)))
            try:
                await connection.execute(insert(binding_member).values(x=x.e164, number="", binding=made.id))
            except IntegrityError:
                raise BoundToAnother from None
        return made

    async def modify_ax(
        self,
        application: Application,
        *,
        binding: str | None = None,
        x: PhoneNumber | None = None,
        a: PhoneNumber | None = None,
        changes: AxChanges,
        at: datetime | None = None,
    ) -> Binding:
        """Change a binding found by id or by X; ``a``, when given, must be its A. BindingNotFound, NotBound,
        NoLimit."""
        async with writing(self._engine) as connection:
            await lock(connection, application.key)
            old = await _find(connection, application, binding, x, a)
            names = ("direction", "sms", "switched_on", "show_caller", "user_data")
            new = replace(old, policy=changed_policy(old.policy, changes.policy), **given(changes, *names))
            await connection.execute(update(table).where(table.c.id == old.id).values(**binding_values(new)))
        return new

    async def query_ax(
        self,
        application: Application,
        *,
        binding: str | None = None,
        a: PhoneNumber | None = None,
        x: PhoneNumber | None = None,
    ) -> list[Binding]:
        """Bindings by id, else by A, else by X, oldest first."""
        where = [table.c.application == application.key, table.c.mode == Mode.AX.value]
        if binding is not None:
            where.append(table.c.id == binding)
        elif a is not None:
            where.append(table.c.a == a.e164)
        elif x is not None:
            where.append(table.c.x == x.e164)
        async with reading(self._engine) as connection:
            rows = await connection.execute(select(table).where(*where).order_by(table.c.created_at))
            return [read_binding(row) for row in rows]

    async def set_temporary_callee(
        self,
        application: Application,
        *,
        binding: str | None = None,
        x: PhoneNumber | None = None,
        a: PhoneNumber | None = None,
        callee: PhoneNumber,
        seconds: int,
        user_data: str | None = None,
        at: datetime,
    ) -> None:
        """Whom A's next call to X reaches, for ``seconds``. BindingNotFound, NotBound, SameNumber."""
        async with writing(self._engine) as connection:
            await lock(connection, application.key)
            found = await _find(connection, application, binding, x, a)
            if callee in (found.a, found.x):
                raise SameNumber
            await connection.execute(delete(temporary_callee).where(temporary_callee.c.binding == found.id))
            await connection.execute(
                insert(temporary_callee).values(
                    binding=found.id,
                    callee=callee.e164,
                    expires_at=(at + timedelta(seconds=seconds)).timestamp(),
                    user_data=user_data,
                )
            )


async def _find(
    connection: AsyncConnection,
    application: Application,
    binding: str | None,
    x: PhoneNumber | None,
    a: PhoneNumber | None,
) -> Binding:
    where = [table.c.application == application.key, table.c.mode == Mode.AX.value]
    if binding is not None:
        where.append(table.c.id == binding)
    else:
        where.append(table.c.x == (x.e164 if x else ""))
    if a is not None:
        where.append(table.c.a == a.e164)
    row = (await connection.execute(select(table).where(*where))).first()
    if row is None:
        raise BindingNotFound if binding is not None else NotBound
    return read_binding(row)


async def _free(connection: AsyncConnection, x: PhoneNumber, a: PhoneNumber) -> None:
    row = (await connection.execute(select(table.c.a).where(table.c.x == x.e164))).first()
    if row is not None:
        raise PairExists if row.a == a.e164 else BoundToAnother


async def _choose(connection: AsyncConnection, application: Application, wanted: NewAx) -> PhoneNumber:
    """A free X in the wanted city."""
    query = (
        select(number)
        .outerjoin(binding_member, binding_member.c.x == number.c.x)
        .where(
            number.c.application == application.key,
            number.c.status == int(NumberStatus.NORMAL),
            number.c.x != wanted.a.e164,
            binding_member.c.x.is_(None),
        )
    )
    rows = (await connection.execute(query)).all()
    area = wanted.area_code or area_code_of(wanted.a) or ""
    loose = wanted.loose or not wanted.area_code
    chosen = choose([Candidate(read_number(row), 0) for row in rows], area, loose=loose)
    if chosen is None:
        raise NoFreeNumber
    return chosen.x
