"""[IO] ``/v1/lists``: black and white lists, and ``/v1/registered``: A numbers that are registered (section 12).

What they do to a call: gateway.bindings.lists. ``application`` "" is the node's own list, which is the operator's. An
auditor does not see these: a list is nothing but real numbers.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.admin.audit import Change, changing
from gateway.admin.context import application_keys, application_row
from gateway.admin.door import Context, Manager
from gateway.admin.failures import NotFound
from gateway.admin.numbers import Batch
from gateway.admin.paging import After, Limit, Page, page
from gateway.admin.roles import Actor, Role
from gateway.admin.stock import parts
from gateway.database import reading
from gateway.schema import number_list, registered_a

router = APIRouter(tags=["lists"])
Kind = Literal["black", "white"]
Party = Literal["caller", "callee"]


class ListNumbers(BaseModel):
    """Numbers of one list."""

    model_config = ConfigDict(extra="forbid")
    application: str = ""
    kind: Kind
    party: Party
    numbers: Batch


class NewListNumbers(ListNumbers):
    """``note``: why they are on it."""

    note: Annotated[str, Field(max_length=256)] = ""


class ListRow(BaseModel):
    """A number on a list."""

    application: str
    kind: Kind
    party: Party
    number: str
    note: str


class Registered(BaseModel):
    """A numbers of an application; "" for all of the node's."""

    model_config = ConfigDict(extra="forbid")
    application: str = ""
    numbers: Batch


class RegisteredRow(BaseModel):
    """A registered A number."""

    application: str
    number: str


class Counted(BaseModel):
    """How many were changed, and how many were so already."""

    changed: int
    same: int


async def _owner(connection: AsyncConnection, actor: Actor, key: str) -> str | None:
    """The enterprise whose list it is. NotFound for what is not the actor's."""
    if not key:
        if actor.role is Role.TENANT:
            raise NotFound("application is needed.", "application")
        return None
    owner: str | None = (await application_row(connection, actor, key)).enterprise
    return owner


async def _mine(connection: AsyncConnection, actor: Actor, table: Any, application: str | None) -> list[Any]:
    keys = await application_keys(connection, actor)
    where = [] if keys is None else [table.c.application.in_(keys)]
    return where if application is None else [*where, table.c.application == application]


async def _add(change: Change, table: Any, fixed: dict[str, str], numbers: list[str], note: dict[str, str]) -> Counted:
    """Insert what is not there yet."""
    wanted, known = list(dict.fromkeys(numbers)), set()
    for some in parts(wanted):
        where = [table.c[name] == value for name, value in fixed.items()]
        query = select(table.c.number).where(*where, table.c.number.in_(some))
        known |= set((await change.connection.execute(query)).scalars())
    rows = [{**fixed, **note, "number": one} for one in wanted if one not in known]
    if rows:
        await change.connection.execute(insert(table), rows)
    return Counted(changed=len(rows), same=len(known))


async def _take(change: Change, table: Any, fixed: dict[str, str], numbers: list[str]) -> Counted:
    gone, wanted = 0, list(dict.fromkeys(numbers))
    for some in parts(wanted):
        where = [table.c[name] == value for name, value in fixed.items()]
        gone += (await change.connection.execute(delete(table).where(*where, table.c.number.in_(some)))).rowcount
    return Counted(changed=gone, same=len(wanted) - gone)


V = TypeVar("V", ListRow, RegisteredRow)


def _veiled(row: V, actor: Actor) -> V:
    """Its number as the actor may see it."""
    return row.model_copy(update={"number": actor.shown(row.number)})


@router.get("/lists", summary="Numbers on lists")
async def search(
    actor: Manager, context: Context, application: str | None = None, kind: Kind | None = None,
    party: Party | None = None, number: str = "", limit: Limit = 100, after: After = "",
) -> Page[ListRow]:  # fmt: skip
    """By list and number."""
    t = number_list.c
    async with reading(context.engine) as connection:
        query = select(number_list).where(*await _mine(connection, actor, number_list, application))
        for column, value in ((t.kind, kind), (t.party, party), (t.number, number.replace(" ", "+"))):
            query = query.where(column == value) if value else query
        order = ((t.application, False), (t.kind, False), (t.party, False), (t.number, False))
        return await page(connection, query, order, after, limit,
                          lambda row: _veiled(ListRow.model_validate(row, from_attributes=True), actor))  # fmt: skip


@router.post("/lists", summary="Put numbers on a list")
async def add(actor: Manager, context: Context, wanted: NewListNumbers) -> Counted:
    """They count from the next call on."""
    fixed = wanted.model_dump(include={"application", "kind", "party"})
    async with changing(context.engine, actor, context.clock()) as change:
        owner = await _owner(change.connection, actor, wanted.application)
        count = await _add(change, number_list, fixed, wanted.numbers, {"note": wanted.note})
        change.note(
            "list.add", f"application/{wanted.application}", fixed | {"numbers": count.changed}, enterprise=owner
        )
    return count


@router.post("/lists/remove", summary="Take numbers off a list")
async def remove(actor: Manager, context: Context, wanted: ListNumbers) -> Counted:
    """They count no more from the next call on."""
    fixed = wanted.model_dump(include={"application", "kind", "party"})
    async with changing(context.engine, actor, context.clock()) as change:
        owner = await _owner(change.connection, actor, wanted.application)
        count = await _take(change, number_list, fixed, wanted.numbers)
        change.note(
            "list.remove", f"application/{wanted.application}", fixed | {"numbers": count.changed}, enterprise=owner
        )
    return count


@router.get("/registered", summary="Registered A numbers")
async def registered(
    actor: Manager, context: Context, application: str | None = None, number: str = "", limit: Limit = 100,
    after: After = "",
) -> Page[RegisteredRow]:  # fmt: skip
    """By application and number."""
    t = registered_a.c
    async with reading(context.engine) as connection:
        query = select(registered_a).where(*await _mine(connection, actor, registered_a, application))
        if number:
            query = query.where(t.number == number.replace(" ", "+"))
        order = ((t.application, False), (t.number, False))
        return await page(
            connection, query, order, after, limit,
            lambda row: _veiled(RegisteredRow.model_validate(row, from_attributes=True), actor),
        )  # fmt: skip


@router.post("/registered", summary="Register A numbers")
async def register(actor: Manager, context: Context, wanted: Registered) -> Counted:
    """An application with `registered_only` lets their calls through."""
    async with changing(context.engine, actor, context.clock()) as change:
        owner = await _owner(change.connection, actor, wanted.application)
        count = await _add(change, registered_a, {"application": wanted.application}, wanted.numbers, {})
        change.note("registered.add", f"application/{wanted.application}", {"numbers": count.changed}, enterprise=owner)
    return count


@router.post("/registered/remove", summary="Take back the registration of A numbers")
async def unregister(actor: Manager, context: Context, wanted: Registered) -> Counted:
    """Their calls are blocked from now on where registration is needed."""
    async with changing(context.engine, actor, context.clock()) as change:
        owner = await _owner(change.connection, actor, wanted.application)
        count = await _take(change, registered_a, {"application": wanted.application}, wanted.numbers)
        change.note(
            "registered.remove", f"application/{wanted.application}", {"numbers": count.changed}, enterprise=owner
        )
    return count
