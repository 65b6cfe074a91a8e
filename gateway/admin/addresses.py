"""[IO] ``/v1/applications/{key}/addresses``: where events, CDRs, questions and messages are sent.

A new address acts at once, or after ``web.address_delay_seconds``; until then it is *pending* and the old one acts. A
later change of the same address takes the place of a pending one.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Optional

import structlog
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, create_model
from sqlalchemy import bindparam, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.admin.applications import ADDRESSES, changeable, store
from gateway.admin.audit import changing
from gateway.admin.context import AdminContext, application_row
from gateway.admin.door import Context, Manager, Reader
from gateway.admin.roles import Actor, Role
from gateway.admin.tables import pending_address
from gateway.bindings.rows import read_application
from gateway.config.forms import HttpUrl
from gateway.database import ask, reading
from gateway.schema import application as applications

_log = structlog.get_logger()
router = APIRouter(tags=["applications"])
SYSTEM = Actor(token="", name="system", role=Role.OPERATOR)
PACE = 1.0
_DUE = select(pending_address.c.application).where(pending_address.c.due_at <= bindparam("now")).distinct()

# Each address by the name that the configuration file has for it; "" takes one away.
_CHANGEABLE: dict[str, Any] = dict.fromkeys(ADDRESSES, (Optional[HttpUrl], None))  # noqa: UP045
AddressChanges = create_model(
    "AddressChanges",
    __config__=ConfigDict(extra="forbid"),
    __doc__="What is absent stays; an empty text takes the address away.",
    **dict.fromkeys(ADDRESSES, (Optional[HttpUrl], None)),  # type: ignore[call-overload]  # noqa: UP045
)


class Pending(BaseModel):
    """An address that acts from ``due_at`` on."""

    name: str
    url: str
    due_at: datetime


class Addresses(BaseModel):
    """What acts now, and what will."""

    acting: dict[str, str]
    pending: list[Pending]


async def _addresses(connection: AsyncConnection, actor: Actor, key: str) -> Addresses:
    application = read_application(await application_row(connection, actor, key))
    rows = await connection.execute(
        select(pending_address).where(pending_address.c.application == key).order_by(pending_address.c.name)
    )
    pending = [Pending(name=row.name, url=row.url, due_at=datetime.fromtimestamp(row.due_at, UTC)) for row in rows]
    return Addresses(acting={name: getattr(application, name) for name in ADDRESSES}, pending=pending)


@router.get("/applications/{key}/addresses", summary="Callback addresses")
async def show(actor: Reader, context: Context, key: str) -> Addresses:
    """Those that act and those that are pending."""
    async with reading(context.engine) as connection:
        return await _addresses(connection, actor, key)


@router.put("/applications/{key}/addresses", summary="Change callback addresses")
async def modify(
    actor: Manager,
    context: Context,
    key: str,
    wanted: AddressChanges,
) -> Addresses:
    """They act at once, or after the operator's delay."""
    values: dict[str, Any] = wanted.model_dump(exclude_unset=True, exclude_none=True)
    due = context.clock() + timedelta(seconds=context.settings.address_delay)
    async with changing(context.engine, actor, context.clock()) as change:
        row = await application_row(change.connection, actor, key, lock=True)
        changeable(row)
        replaced = (pending_address.c.application == key, pending_address.c.name.in_(values))
        await change.connection.execute(delete(pending_address).where(*replaced))
        if due <= change.at:
            await store(change, replace(read_application(row), **values))
        elif values:
            rows = [{"application": key, "name": name, "url": url, "due_at": due.timestamp()}
                    for name, url in values.items()]  # fmt: skip
            await change.connection.execute(insert(pending_address), rows)
        change.note("application.addresses", f"application/{key}", values, enterprise=row.enterprise)
        return await _addresses(change.connection, actor, key)


async def apply_due(context: AdminContext) -> int:
    """Let pending addresses act whose time has come; how many."""
    now = context.clock()
    due = pending_address.c.due_at <= now.timestamp()
    applied = 0
    for (key,) in await ask(context.engine, _DUE, {"now": now.timestamp()}):
        async with changing(context.engine, SYSTEM, now) as change:
            mine = (pending_address.c.application == key, due)
            values = {
                row.name: row.url for row in await change.connection.execute(select(pending_address).where(*mine))
            }
            row = (await change.connection.execute(select(applications).where(applications.c.key == key))).one()
            await store(change, replace(read_application(row), **values))
            await change.connection.execute(delete(pending_address).where(*mine))
            change.note("application.addresses-act", f"application/{key}", values, enterprise=row.enterprise)
        applied += len(values)
    return applied


async def keep_applied(context: AdminContext) -> None:
    """Look for due addresses for ever."""
    while True:
        try:
            await apply_due(context)
        except Exception:
            _log.exception("pending addresses could not be applied")
        await asyncio.sleep(PACE)
