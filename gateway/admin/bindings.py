"""[IO] ``/v1/bindings``: bindings of every mode, searched, made and ended by hand (privatenumber.md section 12).

What customers bind by the vendor's API is the same. AXYB has no binding by hand, as with the vendor.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import or_, select

from gateway.admin.audit import changing
from gateway.admin.context import AdminContext, application_row, own_applications
from gateway.admin.door import Context, Manager, Reader
from gateway.admin.failures import Conflict, Forbidden, Invalid, NotFound
from gateway.admin.paging import After, Limit, Page, page
from gateway.admin.roles import Actor, Permission
from gateway.bindings.errors import BindingError, BindingNotFound
from gateway.bindings.models import Application, Binding, CallPolicy, Direction, Mode
from gateway.bindings.requests import NewAx, NewAxb, NewAxe
from gateway.bindings.rows import read_binding
from gateway.database import reading
from gateway.numbers import NumberError, PhoneNumber
from gateway.schema import application as applications
from gateway.schema import binding as table

router = APIRouter(tags=["bindings"])
Number = Annotated[str, Field(pattern=r"^\+?[0-9]{3,20}$")]


class BindingView(BaseModel):
    """One binding; real numbers as the role may see them."""

    id: str
    application: str
    mode: Mode
    x: str
    a: str
    b: str | None
    y: str | None
    extension: str
    direction: int
    record: bool
    sms: bool
    created_at: datetime
    expires_at: datetime | None


class NewBinding(BaseModel):
    """A binding by hand. ``x`` absent: one is chosen by ``area_code``. ``minutes``: how long it lasts, 0 for ever."""

    model_config = ConfigDict(extra="forbid")
    application: str
    a: Number
    b: Number | None = None
    x: Number | None = None
    area_code: Annotated[str, Field(pattern=r"^(0[0-9]{2,3})?$")] = ""
    extension: Annotated[str, Field(pattern=r"^[0-9]{0,4}$")] = ""
    record: bool = False
    sms: bool = True
    minutes: Annotated[int, Field(ge=0, le=129600)] = 0


def _view(binding: Binding, actor: Actor) -> BindingView:
    return BindingView(
        id=binding.id, application=binding.application, mode=binding.mode, x=binding.x.e164, a=actor.shown(binding.a),
        b=actor.shown(binding.b) if binding.b else None, y=binding.y.e164 if binding.y else None,
        extension=binding.extension, direction=int(binding.direction), record=binding.policy.record, sms=binding.sms,
        created_at=binding.created_at, expires_at=binding.expires_at,
    )  # fmt: skip


def _number(text: str, field: str) -> PhoneNumber:
    try:
        return PhoneNumber.parse(text.replace(" ", "+", 1) if text.startswith(" ") else text)
    except NumberError:
        raise Invalid(f"{field} is no phone number.", field) from None


@router.get("/bindings", summary="Bindings")
async def search(
    actor: Reader, context: Context, application: str = "", x: str = "", number: str = "",
    limit: Limit = 100, after: After = "",
) -> Page[BindingView]:  # fmt: skip
    """The newest first; ``number``: a party's, for roles that may see real numbers."""
    query = select(table).join(applications, applications.c.key == table.c.application).where(*own_applications(actor))
    if application:
        query = query.where(table.c.application == application)
    if x:
        query = query.where(table.c.x == _number(x, "x").e164)
    if number:
        if not actor.may(Permission.REVEAL):
            raise Forbidden("The role may not search by a real number.")
        party = _number(number, "number").e164
        query = query.where(or_(table.c.a == party, table.c.b == party))
    async with reading(context.engine) as connection:
        order = ((table.c.created_at, True), (table.c.id, True))
        return await page(connection, query, order, after, limit, lambda row: _view(read_binding(row), actor))


@router.post("/bindings", status_code=201, summary="Bind by hand")
async def bind(actor: Manager, context: Context, wanted: NewBinding) -> BindingView:
    """AXB (a, b), AX (a) or AXE (a, extension), by the application's mode."""
    async with reading(context.engine) as connection:
        await application_row(connection, actor, wanted.application)
    application = await context.store.application(wanted.application)
    if application is None:
        raise NotFound("There is no such application.", "application")
    try:
        made = await _bind(context, application, wanted)
    except BindingError as error:
        raise Conflict(f"It can't be bound: {type(error).__name__}.") from None
    async with changing(context.engine, actor, context.clock()) as change:
        change.note("binding.make", f"binding/{made.id}", {"application": made.application, "x": made.x.e164})
    return _view(made, actor)


async def _bind(context: AdminContext, application: Application, wanted: NewBinding) -> Binding:
    a, x = _number(wanted.a, "a"), _number(wanted.x, "x") if wanted.x else None
    if x is None and not wanted.area_code and application.mode is not Mode.AXB:
        raise Invalid("x or area_code is needed.", "x")
    notice = application.notice if wanted.record else ""
    common: dict[str, Any] = {"a": a, "x": x, "area_code": wanted.area_code,
                              "policy": CallPolicy(record=wanted.record, notice=notice)}  # fmt: skip
    life = wanted.minutes * 60 or None
    match application.mode:
        case Mode.AXB:
            if wanted.b is None:
                raise Invalid("b is needed.", "b")
            new = NewAxb(**common, b=_number(wanted.b, "b"), duration=life, sms=wanted.sms, direction=Direction.BOTH)
            return await context.store.bind_axb(application, new, context.clock())
        case Mode.AX:
            return await context.store.bind_ax(application, NewAx(**common, sms=wanted.sms), context.clock())
        case Mode.AXE:
            asked = {"timeUnit": "1", "bindExpiredTime": wanted.minutes, "callbackExpiredTime": wanted.minutes}
            axe = NewAxe(**common, extension=wanted.extension, duration=life, extra=asked)
            return await context.store.bind_axe(application, axe, context.clock())
        case _:
            raise Invalid(f"{application.mode} has no bindings by hand.", "application")


@router.delete("/bindings/{id}", status_code=204, summary="End a binding")
async def end(actor: Manager, context: Context, id: str) -> None:
    """A call in progress goes on."""
    query = select(table.c.application, table.c.x, table.c.parent).join(
        applications, applications.c.key == table.c.application
    )
    async with reading(context.engine) as connection:
        row = (await connection.execute(query.where(table.c.id == id, *own_applications(actor)))).first()
    application = await context.store.application(row.application) if row is not None else None
    if row is None or application is None:
        raise NotFound("There is no such binding.", "id")
    try:
        if application.mode is Mode.AXE:
            await context.store.unbind_axe(application, binding=id, at=context.clock())
        elif application.mode is Mode.AXYB and row.parent is None:
            await context.store.unbind_axyb(application, id, at=context.clock())
        else:
            await context.store.unbind(application, binding=id, at=context.clock())
    except BindingNotFound:
        raise NotFound("There is no such binding.", "id") from None
    async with changing(context.engine, actor, context.clock()) as change:
        change.note("binding.end", f"binding/{id}", {"application": row.application, "x": row.x})
