"""[IO] The bindings in the database: what the call path looks up, what the API binds, what is purged.

``find`` is on the call path: see ``lookup``.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.bindings.decisions import Connect, Decision, Found
from gateway.bindings.errors import BindingNotFound, NotBound
from gateway.bindings.lists import barred, listed
from gateway.bindings.lookup import look_up, look_up_application
from gateway.bindings.models import Application, Binding, Mode
from gateway.bindings.pool import check_owned, live, lock, present
from gateway.bindings.relations import allocate_y
from gateway.bindings.rows import read_application
from gateway.bindings.seeding import SeedStore
from gateway.bindings.store_ax import AxStore
from gateway.bindings.store_axb import AxbStore
from gateway.bindings.store_axe import AxeStore
from gateway.bindings.store_axyb import AxybStore
from gateway.causes import Cause
from gateway.database import reading, upsert, writing
from gateway.numbers import PhoneNumber
from gateway.schema import application as applications
from gateway.schema import binding as table
from gateway.schema import last_caller, temporary_callee
from gateway.vault.guard import has_vault, key_changed

PURGE_ROWS = 500


class BindingStore(AxbStore, AxStore, AxeStore, AxybStore, SeedStore):
    """Every method is one transaction. Datetimes are aware UTC."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def find(self, caller: PhoneNumber | None, called: PhoneNumber, at: datetime, extension: str = "") -> Found:
        """All that routing needs to know of a call of ``caller`` (None: withheld) to ``called`` and ``extension``."""
        found = await look_up(self._engine, caller, called, at, extension)
        if not found.bindings and has_vault(self._engine.dialect):
            async with reading(self._engine) as connection:
                changed = await key_changed(connection)
            if changed:
                found = await look_up(self._engine, caller, called, at, extension)
        return found

    async def relate(self, application: Application, ax: Binding, b: PhoneNumber, at: datetime) -> Binding:
        """AXYB: give B a Y of A's. NoFreeNumber."""
        return await allocate_y(self._engine, application, ax, b, at)

    async def listed(self, found: Found, caller: PhoneNumber | None, callee: PhoneNumber | None) -> Cause | None:
        """What black and white lists have against two parties."""
        return await listed(self._engine, found, caller, callee)

    async def barred(self, found: Found, caller: PhoneNumber | None, decision: Decision) -> Cause | None:
        """What lists and registration have against a call that routing lets through."""
        return await barred(self._engine, found, caller, decision)

    async def application(self, key: str) -> Application | None:
        """One application."""
        return await look_up_application(self._engine, key)

    async def applications(self) -> list[Application]:
        """All applications."""
        async with reading(self._engine) as connection:
            rows = (await connection.execute(select(applications).order_by(applications.c.key))).all()
        return [read_application(row) for row in rows]

    async def unbind(
        self,
        application: Application,
        *,
        binding: str | None = None,
        x: PhoneNumber | None = None,
        at: datetime | None = None,
    ) -> int:
        """End one binding by id (BindingNotFound), else all of an X (AXB: NumberNotOwned; NotBound); how many."""
        where = [table.c.application == application.key, live(at or present())]
        async with writing(self._engine) as connection:
            await lock(connection, application.key)
            if binding is not None:
                where.append(table.c.id == binding)
            else:
                where.append(table.c.x == (x.e164 if x else ""))
                if x is not None and application.mode is not Mode.AX:
                    await check_owned(connection, application, x)
            gone = (await connection.execute(delete(table).where(*where))).rowcount
        if not gone:
            raise BindingNotFound if binding is not None else NotBound
        return gone

    async def note_talked(
        self, decision: Connect, caller: PhoneNumber | None, called: PhoneNumber, at: datetime
    ) -> None:
        """AX, once a call was answered: the temporary callee is used up, or A's last caller is remembered."""
        if not decision.consumes_temporary and (not decision.remember_caller or caller is None):
            return
        async with writing(self._engine) as connection:
            if decision.consumes_temporary:
                await connection.execute(
                    delete(temporary_callee).where(
                        temporary_callee.c.binding == decision.binding,
                        temporary_callee.c.callee == decision.callee.e164,
                    )
                )
            elif caller is not None:
                exists = select(table.c.id).where(table.c.id == decision.binding)
                if (await connection.execute(exists)).first() is None:
                    return
                values = {"caller": caller.e164, "at": at.timestamp()}
                await upsert(connection, last_caller, {"binding": decision.binding}, values)

    async def purge_expired(self, at: datetime) -> int:
        """Delete what has expired, a few hundred rows at a time so that nobody waits long; how many bindings."""
        now, purged = at.timestamp(), 0
        some = select(table.c.id).where(table.c.expires_at <= now).limit(PURGE_ROWS)
        while True:
            async with writing(self._engine) as connection:
                await connection.execute(delete(temporary_callee).where(temporary_callee.c.expires_at <= now))
                gone = (await connection.execute(delete(table).where(table.c.id.in_(some)))).rowcount
            purged += gone
            if gone < PURGE_ROWS:
                return purged
