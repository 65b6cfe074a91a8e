"""[IO] AXE in the tables: many A behind one X, each with an extension E (privatenumber.md section 4.1).

Two member rows hold the rules, whoever races: (X, A), an A has one E on an X; (X, "#" E), an E has one A. An expired
binding gives its places free inside the transaction that wants them. An E that the customer does not name is the first
free one behind the newest: an extension that has just been given back is not given out again at once, since people
still have it written down.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.bindings.errors import BindingNotFound, NoFreeExtension, NoFreeNumber, PairExists, SameNumber
from gateway.bindings.models import Application, Binding, Callback, Mode
from gateway.bindings.pool import check_number, check_owned, choose_number, live, lock, new_id
from gateway.bindings.requests import UNSET, AxeChanges, NewAxe, changed_policy, given
from gateway.bindings.rows import binding_values, read_binding
from gateway.database import reading, writing
from gateway.numbers import PhoneNumber
from gateway.schema import binding as table
from gateway.schema import binding_member

TRIES = 5


class AxeStore:
    """The AXE part of the binding store."""

    _engine: AsyncEngine

    async def bind_axe(self, application: Application, wanted: NewAxe, at: datetime) -> Binding:
        """Bind A to an extension of an X. NumberNotOwned, NumberBlacklisted, NoFreeNumber, NoFreeExtension (all E of X
        are taken, or the wanted one is), PairExists (A has an E there), SameNumber."""
        if wanted.a == wanted.x:
            raise SameNumber
        for _ in range(TRIES):
            try:
                async with writing(self._engine) as connection:
                    await lock(connection, application.key)
                    return await _bind(connection, application, wanted, at)
            except IntegrityError:
                continue  # somebody else took the same place in the same moment
        raise NoFreeExtension

    async def modify_axe(
        self,
        application: Application,
        *,
        binding: str | None = None,
        x: PhoneNumber | None = None,
        extension: str = "",
        changes: AxeChanges,
        at: datetime,
    ) -> Binding:
        """Change a binding; a new duration starts the clock again. BindingNotFound, NumberNotOwned."""
        async with writing(self._engine) as connection:
            await lock(connection, application.key)
            old = await _find(connection, application, binding, x, extension, at)
            new = replace(
                old,
                policy=changed_policy(old.policy, changes.policy),
                callback=changed_callback(old.callback or Callback(), changes),
                **given(changes, "show_caller", "user_data"),
            )
            if changes.duration is not UNSET:
                ends = at + timedelta(seconds=changes.duration) if changes.duration else None
                new = replace(new, duration=changes.duration, expires_at=ends)
            await connection.execute(update(table).where(table.c.id == old.id).values(**binding_values(new)))
        return new

    async def unbind_axe(
        self,
        application: Application,
        *,
        binding: str | None = None,
        x: PhoneNumber | None = None,
        extension: str = "",
        at: datetime,
    ) -> None:
        """End a binding by id, or by X and E. BindingNotFound, NumberNotOwned."""
        async with writing(self._engine) as connection:
            await lock(connection, application.key)
            found = await _find(connection, application, binding, x, extension, at)
            await _remove(connection, [found.id])

    async def query_axe(
        self,
        application: Application,
        *,
        binding: str | None = None,
        x: PhoneNumber | None = None,
        extension: str = "",
        at: datetime,
    ) -> Binding:
        """One binding. BindingNotFound, NumberNotOwned."""
        async with reading(self._engine) as connection:
            return await _find(connection, application, binding, x, extension, at)


def changed_callback(old: Callback, changes: AxeChanges) -> Callback:
    """``old`` with what ``changes`` sets; a tone and a number exclude each other, so one takes the other's place."""
    new = replace(old, **{name: value for name, value in _callback_changes(changes) if value is not UNSET})
    if changes.callback_tone is not UNSET and changes.callback_tone:
        new = replace(new, number=None)
    if changes.callback_number is not UNSET and changes.callback_number:
        new = replace(new, tone="")
    return new


def _callback_changes(changes: AxeChanges) -> list[tuple[str, Any]]:
    return [
        ("tone", changes.callback_tone),
        ("number", changes.callback_number),
        ("seconds", changes.callback_seconds),
    ]


async def _bind(connection: AsyncConnection, application: Application, wanted: NewAxe, at: datetime) -> Binding:
    limit = min(application.max_extensions, 10**application.extension_length - 1)
    x = wanted.x
    if x is None:
        members = (wanted.a.e164,)
        x = await choose_number(connection, application, wanted, members=members, limit=limit, at=at)
    else:
        await check_number(connection, application, x)
    await _clear(connection, x, wanted, at)
    extension = wanted.extension or await _free_extension(connection, application, x, limit)
    made = Binding(
        id=new_id(connection),
        application=application.key,
        mode=Mode.AXE,
        x=x,
        a=wanted.a,
        extension=extension,
        created_at=at,
        duration=wanted.duration,
        expires_at=at + timedelta(seconds=wanted.duration) if wanted.duration else None,
        policy=wanted.policy,
        show_caller=wanted.show_caller,
        callback=wanted.callback,
        extra=wanted.extra,
        user_data=wanted.user_data,
    )
    await connection.execute(insert(table).values(**binding_values(made)))
    rows = [{"x": x.e164, "number": member, "binding": made.id} for member in (made.a.e164, "#" + extension)]
    await connection.execute(insert(binding_member), rows)
    return made


async def _clear(connection: AsyncConnection, x: PhoneNumber, wanted: NewAxe, at: datetime) -> None:
    """Delete what has expired of the wanted places; PairExists and NoFreeExtension when a live binding has one."""
    places = [wanted.a.e164, *(["#" + wanted.extension] if wanted.extension else [])]
    query = (
        select(binding_member.c.number, table.c.id, table.c.expires_at)
        .join(table, table.c.id == binding_member.c.binding)
        .where(binding_member.c.x == x.e164, binding_member.c.number.in_(places))
    )
    rows = (await connection.execute(query)).all()
    held = {row.number for row in rows if row.expires_at is None or row.expires_at > at.timestamp()}
    if held:
        raise PairExists if wanted.a.e164 in held else NoFreeExtension
    if rows:
        await _remove(connection, [row.id for row in rows])


async def _remove(connection: AsyncConnection, ids: list[str]) -> None:
    await connection.execute(delete(binding_member).where(binding_member.c.binding.in_(ids)))
    await connection.execute(delete(table).where(table.c.id.in_(ids)))


async def _free_extension(connection: AsyncConnection, application: Application, x: PhoneNumber, limit: int) -> str:
    """The first free E behind the newest one, going round. NoFreeNumber when X holds all that it may."""
    length = application.extension_length
    taken = select(table.c.extension).where(table.c.x == x.e164, func.length(table.c.extension) == length)
    used = {int(text) for text in (await connection.execute(taken)).scalars()}
    if len(used) >= limit:
        raise NoFreeNumber
    newest = select(table.c.extension).where(table.c.x == x.e164).order_by(table.c.created_at.desc()).limit(1)
    last = int((await connection.execute(newest)).scalar_one_or_none() or 0)
    size = 10**length
    for step in range(1, size):
        # 0000 is left out: it looks like no extension.
        number = (last + step - 1) % (size - 1) + 1
        if number not in used:
            return f"{number:0{length}d}"
    raise NoFreeNumber


async def _find(
    connection: AsyncConnection,
    application: Application,
    binding: str | None,
    x: PhoneNumber | None,
    extension: str,
    at: datetime,
) -> Binding:
    where = [table.c.application == application.key, table.c.mode == Mode.AXE.value, live(at)]
    if binding is not None:
        where.append(table.c.id == binding)
    elif x is not None:
        await check_owned(connection, application, x)
        where += [table.c.x == x.e164, table.c.extension == extension]
    row = (await connection.execute(select(table).where(*where))).first()
    if row is None:
        raise BindingNotFound
    return read_binding(row)
