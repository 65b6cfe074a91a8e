"""[IO] ``/v1/numbers``: X numbers of applications and in stock (privatenumber.md section 12, "Numbers").

| verb     | who      | what                                                                             |
|----------|----------|----------------------------------------------------------------------------------|
| import   | operator | new numbers, into the stock or straight to an application                        |
| give     | operator | from the stock to an application                                                 |
| release  | tenant   | back to the stock; bound ones are refused, or unbound by ``force``               |
| transfer | tenant   | to another application of the enterprise (an operator: to any)                   |
| status   | operator | normal, suspended, unavailable with a cause, frozen; the customer is told        |
| sms      | operator | whether it carries short messages; taking it away closes the bindings' too       |

In batches of 5000 at most; each number gets an answer of its own, and a batch that holds a wrong one does the rest.
Numbers that the configuration file gives stay where the file has them.
"""

from __future__ import annotations

import csv
import io
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Row, delete, func, select, update

from gateway.admin import stock
from gateway.admin.audit import Change, changing
from gateway.admin.context import AdminContext, application_keys, application_row, own_applications
from gateway.admin.door import Context, Manager, Operator, Reader
from gateway.admin.failures import Conflict, Forbidden
from gateway.admin.mail import tell
from gateway.admin.paging import After, Limit, Page, page
from gateway.admin.roles import Actor, Role
from gateway.admin.status_notices import Told, tell_customers
from gateway.admin.tables import stock_number
from gateway.bindings.models import NumberStatus
from gateway.bindings.pool import live
from gateway.database import reading
from gateway.schema import application as applications
from gateway.schema import binding, number

router = APIRouter(tags=["numbers"])
X = Annotated[str, Field(pattern=r"^\+[0-9]{3,20}$", description="Global form, e.g. +8617000000001.")]
AreaCode = Annotated[str, Field(pattern=r"^(0[0-9]{2,3})?$", description="As dialled in China, e.g. 0755.")]
Batch = Annotated[list[X], Field(min_length=1, max_length=5000)]
State = Literal["normal", "suspended", "unavailable", "frozen"]
Outcome = Literal["done", "unknown", "bound", "exists", "file", "same"]


class ImportedNumber(BaseModel):
    """A new X."""

    model_config = ConfigDict(extra="forbid")
    x: X
    area_code: AreaCode = ""
    province: Annotated[str, Field(max_length=64)] = ""
    sms: bool = True


class Import(BaseModel):
    """``application``: "" for the stock."""

    model_config = ConfigDict(extra="forbid")
    application: str = ""
    numbers: Annotated[list[ImportedNumber], Field(min_length=1, max_length=5000)]


class Given(BaseModel):
    """Numbers and where they go."""

    model_config = ConfigDict(extra="forbid")
    application: str
    numbers: Batch


class Transfer(Given):
    """``force`` unbinds what is bound."""

    force: bool = False


class Release(BaseModel):
    """``force`` unbinds what is bound."""

    model_config = ConfigDict(extra="forbid")
    numbers: Batch
    force: bool = False


class Removal(BaseModel):
    """Numbers in stock."""

    model_config = ConfigDict(extra="forbid")
    numbers: Batch


class NewStatus(BaseModel):
    """``cause``, of ``unavailable`` only: 1 deleted, 2 arrears, 3 out of service, 5 restricted by the operator,
    6 restriction lifted, 7/8/9 X has unconditional/no-answer/busy call forwarding set."""

    model_config = ConfigDict(extra="forbid")
    numbers: Batch
    status: State
    cause: Literal[1, 2, 3, 5, 6, 7, 8, 9] | None = None


class NewSms(BaseModel):
    """Whether short messages go through the numbers."""

    model_config = ConfigDict(extra="forbid")
    numbers: Batch
    sms: bool


class Result(BaseModel):
    """What became of one number."""

    x: str
    outcome: Outcome


class Results(BaseModel):
    """``state``: done, partly done, or failed when nothing was."""

    state: Literal["done", "partly done", "failed"]
    results: list[Result]


class NumberView(BaseModel):
    """An X of an application. ``bindings``: live ones; ``remaining``: how many more it takes (AX 1, AXB 5000)."""

    x: str
    application: str
    area_code: str
    province: str
    status: State
    cause: int | None
    sms: bool
    origin: Literal["file", "api", "out"]
    bindings: int
    remaining: int | None


class StockView(BaseModel):
    """An X in stock."""

    x: str
    area_code: str
    province: str
    sms: bool
    added_at: datetime


_REMAINING = {"AX": 1, "AXB": 5000}


def _results(wanted: list[str], outcomes: dict[str, Outcome]) -> Results:
    rows = [Result(x=x, outcome=outcomes[x]) for x in dict.fromkeys(wanted)]
    good = sum(row.outcome in ("done", "same") for row in rows)
    return Results(state="done" if good == len(rows) else "partly done" if good else "failed", results=rows)


def _view(row: Any) -> NumberView:
    limit = _REMAINING.get(row.mode)
    state: Any = NumberStatus(row.status).name.lower()
    return NumberView(
        x=row.x, application=row.application, area_code=row.area_code, province=row.province, status=state,
        cause=row.cause, sms=row.sms, origin=row.origin, bindings=row.live,
        remaining=None if limit is None else max(0, limit - row.live),
    )  # fmt: skip


async def _numbers(
    context: AdminContext, actor: Actor, wanted: dict[str, str], state: State | None, limit: int, after: str
) -> Page[NumberView]:
    count = select(func.count()).select_from(binding).where(binding.c.x == number.c.x, live(context.clock()))
    query = (
        select(number, applications.c.mode, count.scalar_subquery().label("live"))
        .join(applications, applications.c.key == number.c.application)
        .where(*own_applications(actor), *(number.c[name] == value for name, value in wanted.items() if value))
    )
    if state is not None:
        query = query.where(number.c.status == int(NumberStatus[state.upper()]))
    async with reading(context.engine) as connection:
        return await page(connection, query, ((number.c.x, False),), after, limit, _view)


@router.get("/numbers", summary="X numbers of applications")
async def search(
    actor: Reader, context: Context, application: str = "", x: str = "", area_code: str = "",
    status: State | None = None, limit: Limit = 100, after: After = "",
) -> Page[NumberView]:  # fmt: skip
    """By number."""
    wanted = {"application": application, "x": x.replace(" ", "+"), "area_code": area_code}
    return await _numbers(context, actor, wanted, status, limit, after)


@router.get("/numbers.csv", summary="X numbers as a table", response_class=Response)
async def export(actor: Reader, context: Context, application: str = "") -> Response:
    """All of them, or an application's, as CSV."""
    text = io.StringIO()
    names = ("x", "application", "area_code", "province", "status", "cause", "sms", "bindings")
    out = csv.DictWriter(text, names, extrasaction="ignore")
    out.writeheader()
    after: str | None = ""
    while after is not None:
        found = await _numbers(context, actor, {"application": application}, None, 1000, after)
        out.writerows(row.model_dump() for row in found.items)
        after = found.next
    return Response(text.getvalue(), media_type="text/csv; charset=utf-8")


@router.get("/stock", summary="X numbers in stock")
async def in_stock(
    actor: Operator, context: Context, area_code: str = "", limit: Limit = 100, after: After = ""
) -> Page[StockView]:
    """Those that belong to no application, by number."""
    query = select(stock_number)
    if area_code:
        query = query.where(stock_number.c.area_code == area_code)

    def read(row: Any) -> StockView:
        return StockView.model_validate(row, from_attributes=True)

    async with reading(context.engine) as connection:
        return await page(connection, query, ((stock_number.c.x, False),), after, limit, read)


@router.post("/numbers/import", summary="Import X numbers")
async def bring_in(actor: Operator, context: Context, wanted: Import) -> Results:
    """Into the stock, or straight to an application."""
    new = [stock.NewNumber(**one.model_dump()) for one in wanted.numbers]
    listed = [one.x for one in wanted.numbers]
    async with changing(context.engine, actor, context.clock()) as change:
        owner = None
        if wanted.application:
            owner = (await application_row(change.connection, actor, wanted.application)).enterprise
        known = await stock.add_to_stock(change.connection, new, change.at)
        fresh = [x for x in dict.fromkeys(listed) if x not in known]
        if wanted.application:
            await stock.give(change.connection, fresh, wanted.application)
        detail = {"numbers": len(fresh), "application": wanted.application, "first": fresh[:1]}
        change.note("number.import", f"application/{wanted.application}", detail, enterprise=owner)
    return _results(listed, {x: "exists" if x in known else "done" for x in listed})


@router.post("/numbers/give", summary="Give X numbers from the stock to an application")
async def give(actor: Operator, context: Context, wanted: Given) -> Results:
    """What is not in stock is unknown."""
    async with changing(context.engine, actor, context.clock()) as change:
        row = await application_row(change.connection, actor, wanted.application)
        given = await stock.give(change.connection, wanted.numbers, row.key)
        _note(change, "number.give", given, row.enterprise, application=row.key)
    return _results(wanted.numbers, {x: "done" if x in given else "unknown" for x in wanted.numbers})


@router.post("/numbers/remove", summary="Remove X numbers from the stock")
async def remove(actor: Operator, context: Context, wanted: Removal) -> Results:
    """They are ours no more."""
    gone: set[str] = set()
    async with changing(context.engine, actor, context.clock()) as change:
        for some in stock.parts(sorted(set(wanted.numbers))):
            query = select(stock_number.c.x).where(stock_number.c.x.in_(some))
            found = list((await change.connection.execute(query)).scalars())
            await change.connection.execute(delete(stock_number).where(stock_number.c.x.in_(found)))
            gone |= set(found)
        _note(change, "number.remove", gone, None)
    return _results(wanted.numbers, {x: "done" if x in gone else "unknown" for x in wanted.numbers})


@router.post("/numbers/release", summary="Release X numbers")
async def release(actor: Manager, context: Context, wanted: Release) -> Results:
    """Back to the stock. A standing call goes on."""
    async with changing(context.engine, actor, context.clock()) as change:
        rows, outcomes = await _movable(change, wanted.numbers, force=wanted.force)
        free = [x for x, outcome in outcomes.items() if outcome == "done"]
        await stock.release(change.connection, free, change.at)
        for owner in sorted({rows[x].application for x in free}):
            mine = {x for x in free if rows[x].application == owner}
            enterprise = (await application_row(change.connection, actor, owner)).enterprise
            _note(change, "number.release", mine, enterprise, application=owner, force=wanted.force)
            text = f"{len(mine)} numbers of {owner} were released."
            await tell(change, enterprise, "numbers", f"{owner}: numbers released", text)
        if not free:
            change.note("number.release", "number", {"numbers": 0})
    context.wake()
    return _results(wanted.numbers, outcomes)


@router.post("/numbers/transfer", summary="Transfer X numbers to another application")
async def transfer(actor: Manager, context: Context, wanted: Transfer) -> Results:
    """Within one enterprise; an operator's hand reaches further."""
    async with changing(context.engine, actor, context.clock()) as change:
        target = await application_row(change.connection, actor, wanted.application)
        rows, outcomes = await _movable(change, wanted.numbers, force=wanted.force)
        outcomes |= {x: "same" for x, row in rows.items() if row.application == target.key}
        free = {x for x, outcome in outcomes.items() if outcome == "done"}
        await stock.transfer(change.connection, free, target.key)
        _note(change, "number.transfer", free, target.enterprise, application=target.key, force=wanted.force)
    return _results(wanted.numbers, outcomes)


@router.post("/numbers/status", summary="Change the state of X numbers")
async def set_status(actor: Operator, context: Context, wanted: NewStatus) -> Results:
    """The customer is told of each number whose state or cause changes, if he wants to be."""
    if wanted.cause is not None and wanted.status != "unavailable":
        raise Conflict("A cause goes with unavailable only.", "cause")
    new = NumberStatus[wanted.status.upper()]
    outcomes: dict[str, Outcome] = dict.fromkeys(wanted.numbers, "unknown")
    async with changing(context.engine, actor, context.clock()) as change:
        rows = await stock.owned(change.connection, wanted.numbers, None)
        told: list[Told] = []
        for x, row in rows.items():
            outcomes[x] = "same" if (row.status, row.cause) == (int(new), wanted.cause) else "done"
            if outcomes[x] == "done":
                told.append((row.application, x, new, wanted.cause))
        for some in stock.parts([x for _, x, _, _ in told]):
            values = {"status": int(new), "cause": wanted.cause}
            await change.connection.execute(update(number).where(number.c.x.in_(some)).values(**values))
        await tell_customers(change.connection, told, change.at)
        _note(change, "number.status", {x for _, x, _, _ in told}, None, status=wanted.status, cause=wanted.cause)
    context.wake()
    return _results(wanted.numbers, outcomes)


@router.post("/numbers/sms", summary="Change whether X numbers carry short messages")
async def set_sms(actor: Operator, context: Context, wanted: NewSms) -> Results:
    """Taking it away closes the bindings' too; giving it back opens none."""
    outcomes: dict[str, Outcome] = dict.fromkeys(wanted.numbers, "unknown")
    async with changing(context.engine, actor, context.clock()) as change:
        rows = await stock.owned(change.connection, wanted.numbers, None)
        for some in stock.parts(sorted(rows)):
            await change.connection.execute(update(number).where(number.c.x.in_(some)).values(sms=wanted.sms))
            if not wanted.sms:
                await change.connection.execute(update(binding).where(binding.c.x.in_(some)).values(sms=False))
        outcomes |= {x: "same" if bool(row.sms) == wanted.sms else "done" for x, row in rows.items()}
        _note(change, "number.sms", set(rows), None, sms=wanted.sms)
    return _results(wanted.numbers, outcomes)


async def _movable(change: Change, wanted: list[str], *, force: bool) -> tuple[dict[str, Row[Any]], dict[str, Outcome]]:
    """The rows of those that are the actor's, and for each wanted number what will become of it."""
    rows = await stock.owned_alone(change.connection, wanted, await application_keys(change.connection, change.actor))
    outcomes: dict[str, Outcome] = {x: "done" if x in rows else "unknown" for x in wanted}
    outcomes |= {x: "file" for x, row in rows.items() if row.origin == "file"}
    if not force:
        outcomes |= dict.fromkeys(await stock.bound(change.connection, rows, change.at), "bound")
    if force and change.actor.role is Role.TENANT and len(rows) > 1000:
        raise Forbidden("At most 1000 bound numbers at a time may be forced.", "force")
    return rows, outcomes


def _note(change: Change, action: str, numbers: set[str], enterprise: str | None, **more: Any) -> None:
    """X numbers are nobody's secret: up to a hundred are named."""
    named = sorted(numbers)
    detail = {"numbers": len(named), "named": named[:100], **more}
    change.note(action, f"number/{named[0]}" if len(named) == 1 else "number", detail, enterprise=enterprise)
