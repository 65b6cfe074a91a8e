"""[IO] ``/v1/orders``: a tenant orders X numbers, somebody reviews it, an operator fills it (section 12, "Numbers").

    review --approve--> processing --filled--> done
    review --reject---> rejected --submit again--> review

``fill`` takes named numbers or what is in stock, as often as it needs; the last number makes the order done.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Row, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.admin import stock
from gateway.admin.audit import Change, changing
from gateway.admin.context import application_row
from gateway.admin.door import Context, Manager, Operator, Reader, Reviewer
from gateway.admin.enterprises import Reason
from gateway.admin.failures import Conflict, Invalid, NotFound
from gateway.admin.mail import tell
from gateway.admin.numbers import AreaCode, Batch
from gateway.admin.paging import After, Limit, Page, page
from gateway.admin.roles import Actor, Role
from gateway.admin.tables import contact, number_order, ordered_number
from gateway.bindings.rows import when
from gateway.database import reading
from gateway.schema import number

router = APIRouter(tags=["orders"])
State = Literal["review", "rejected", "processing", "done"]
Count = Annotated[int, Field(ge=1, le=5000)]
Note = Annotated[str, Field(max_length=512)]


class NewOrder(BaseModel):
    """``area_code``: "" for any city."""

    model_config = ConfigDict(extra="forbid")
    application: str
    area_code: AreaCode = ""
    count: Count
    sms: bool = False
    contact: Annotated[str | None, Field(max_length=64)] = None
    note: Note = ""


class OrderChanges(BaseModel):
    """What is absent stays; a rejected order goes back to review."""

    model_config = ConfigDict(extra="forbid")
    area_code: AreaCode | None = None
    count: Count | None = None
    sms: bool | None = None
    note: Note | None = None


class Fill(BaseModel):
    """``numbers`` must be in stock; without any, what fits is taken from the stock."""

    model_config = ConfigDict(extra="forbid")
    numbers: Batch | None = None


class Order(BaseModel):
    """One order. ``filled``: how many numbers it has got."""

    id: str
    enterprise: str
    application: str
    contact: str | None
    area_code: str
    count: int
    filled: int
    sms: bool
    state: State
    reason: str
    note: str
    created_at: datetime | None
    decided_at: datetime | None


_FILLED = (
    select(func.count())
    .select_from(ordered_number)
    .where(ordered_number.c.order == number_order.c.id)
    .scalar_subquery()
)
_ORDERS = select(number_order, _FILLED.label("filled"))


def _read(row: Any) -> Order:
    return Order(
        id=row.id, enterprise=row.enterprise, application=row.application, contact=row.contact, filled=row.filled,
        area_code=row.area_code, count=row._mapping["count"], sms=row.sms, state=row.state, reason=row.reason,
        note=row.note, created_at=when(row.created_at), decided_at=when(row.decided_at),
    )  # fmt: skip


async def _find(connection: AsyncConnection, actor: Actor, id: str, *, lock: bool = False) -> Row[Any]:
    if lock:
        await connection.execute(select(number_order.c.id).where(number_order.c.id == id).with_for_update())
    row = (await connection.execute(_ORDERS.where(number_order.c.id == id))).first()
    if row is None or not actor.sees(row.enterprise):
        raise NotFound("There is no such order.", "order")
    return row


async def _move(change: Change, row: Row[Any], to: State, reason: str = "", **values: Any) -> Order:
    await change.connection.execute(
        update(number_order)
        .where(number_order.c.id == row.id)
        .values(state=to, reason=reason, decided_at=None if to == "review" else change.at.timestamp(), **values)
    )
    change.note(f"order.{to}", f"order/{row.id}", {"from": row.state, "reason": reason}, enterprise=row.enterprise)
    text = f"The order of numbers for {row.application} made on {when(row.created_at):%Y-%m-%d} is {to}. {reason}"
    await tell(change, row.enterprise, "orders", f"Order of numbers: {to}", text.strip())
    return _read(await _find(change.connection, change.actor, row.id))


def _expect(row: Row[Any], *states: State) -> None:
    if row.state not in states:
        raise Conflict(f"The order is {row.state}.", "state")


@router.get("/orders", summary="List orders")
async def search(
    actor: Reader, context: Context, application: str = "", state: State | None = None, limit: Limit = 100,
    after: After = "",
) -> Page[Order]:  # fmt: skip
    """The newest first."""
    query = _ORDERS
    if actor.role is Role.TENANT:
        query = query.where(number_order.c.enterprise == actor.enterprise)
    if application:
        query = query.where(number_order.c.application == application)
    if state is not None:
        query = query.where(number_order.c.state == state)
    async with reading(context.engine) as connection:
        order = ((number_order.c.created_at, True), (number_order.c.id, True))
        return await page(connection, query, order, after, limit, _read)


@router.post("/orders", status_code=201, summary="Order X numbers")
async def create(actor: Manager, context: Context, wanted: NewOrder) -> Order:
    """It is reviewed first."""
    id = str(uuid.uuid4())
    async with changing(context.engine, actor, context.clock()) as change:
        row = await application_row(change.connection, actor, wanted.application)
        if row.enterprise is None:
            raise Conflict("The application belongs to no enterprise.", "application")
        if wanted.contact is not None:
            mine = (contact.c.id == wanted.contact, contact.c.enterprise == row.enterprise)
            if (await change.connection.execute(select(contact.c.id).where(*mine))).first() is None:
                raise Invalid("There is no such contact.", "contact")
        await change.connection.execute(
            insert(number_order).values(
                **wanted.model_dump(), id=id, enterprise=row.enterprise, state="review", reason="",
                created_at=change.at.timestamp(),
            )
        )  # fmt: skip
        change.note("order.create", f"order/{id}", wanted.model_dump(), enterprise=row.enterprise)
        return _read(await _find(change.connection, actor, id))


@router.get("/orders/{id}", summary="One order")
async def one(actor: Reader, context: Context, id: str) -> Order:
    """Its state, and how far it is filled."""
    async with reading(context.engine) as connection:
        return _read(await _find(connection, actor, id))


@router.get("/orders/{id}/numbers.csv", summary="An order's numbers as a table", response_class=Response)
async def numbers(actor: Reader, context: Context, id: str) -> Response:
    """Number and city, one a line."""
    async with reading(context.engine) as connection:
        await _find(connection, actor, id)
        query = (
            select(ordered_number.c.x, number.c.area_code)
            .outerjoin(number, number.c.x == ordered_number.c.x)
            .where(ordered_number.c.order == id)
            .order_by(ordered_number.c.x)
        )
        lines = [f"{x},{area or ''}" for x, area in await connection.execute(query)]
    return Response("\r\n".join(["x,area_code", *lines, ""]), media_type="text/csv; charset=utf-8")


@router.patch("/orders/{id}", summary="Change an order, or submit it again")
async def modify(actor: Manager, context: Context, id: str, wanted: OrderChanges) -> Order:
    """Before it is approved."""
    values = wanted.model_dump(exclude_unset=True, exclude_none=True)
    async with changing(context.engine, actor, context.clock()) as change:
        row = await _find(change.connection, actor, id, lock=True)
        _expect(row, "review", "rejected")
        return await _move(change, row, "review", **values)


@router.post("/orders/{id}/approve", summary="Approve an order")
async def approve(actor: Reviewer, context: Context, id: str) -> Order:
    """It waits to be filled."""
    async with changing(context.engine, actor, context.clock()) as change:
        row = await _find(change.connection, actor, id, lock=True)
        _expect(row, "review")
        return await _move(change, row, "processing")


@router.post("/orders/{id}/reject", summary="Reject an order with a reason")
async def reject(actor: Reviewer, context: Context, id: str, why: Reason) -> Order:
    """It may be submitted again."""
    async with changing(context.engine, actor, context.clock()) as change:
        row = await _find(change.connection, actor, id, lock=True)
        _expect(row, "review")
        return await _move(change, row, "rejected", why.reason)


@router.post("/orders/{id}/fill", summary="Fill an order from the stock")
async def fill(actor: Operator, context: Context, id: str, wanted: Fill) -> Order:
    """With named numbers, or with what fits; 409 when there is nothing, or more than was ordered."""
    async with changing(context.engine, actor, context.clock()) as change:
        row = await _find(change.connection, actor, id, lock=True)
        _expect(row, "processing")
        missing = row._mapping["count"] - row.filled
        chosen = wanted.numbers
        if chosen is None:
            chosen = await stock.pick(change.connection, row.area_code, missing, sms=bool(row.sms))
        if len(set(chosen)) > missing:
            raise Conflict(f"The order lacks {missing} numbers, not {len(set(chosen))}.", "numbers")
        given = await stock.give(change.connection, chosen, row.application, sms=bool(row.sms))
        if not given or (wanted.numbers is not None and given != set(wanted.numbers)):
            raise Conflict("There are no such numbers in stock.", "numbers")
        await change.connection.execute(insert(ordered_number), [{"order": id, "x": x} for x in sorted(given)])
        detail = {"numbers": len(given), "named": sorted(given)[:100]}
        change.note("order.fill", f"order/{id}", detail, enterprise=row.enterprise)
        if len(given) == missing:
            return await _move(change, row, "done")
        return _read(await _find(change.connection, actor, id))
