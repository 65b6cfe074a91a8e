"""[IO] ``/v1/phones``: phones that register with the node, so that one can be A or B. The operator's alone.

A password is told once, when it is made. Numbers stand in bodies, never in a path: paths end in logs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from gateway.admin.audit import Change, changing
from gateway.admin.context import AdminContext
from gateway.admin.door import Context, Operator
from gateway.admin.failures import Conflict, NotFound, Unavailable
from gateway.admin.paging import Page
from gateway.admin.roles import Actor
from gateway.database import reading
from gateway.numbers import NumberError, PhoneNumber
from gateway.phones import book
from gateway.phones.sheet import PhoneServer, sheet

router = APIRouter(tags=["phones"])


def _read(text: str) -> str:
    try:
        return PhoneNumber.parse(text).e164
    except NumberError as error:
        raise ValueError(str(error)) from None


class PhoneOf(BaseModel):
    """Whose phone it is."""

    model_config = ConfigDict(extra="forbid")
    number: Annotated[str, Field(max_length=32), AfterValidator(_read)]


class Registered(BaseModel):
    """A place where a phone is registered: transport, address and port, until when, and at which node."""

    at: str
    until: datetime
    node: str


class Phone(BaseModel):
    """``realm``: what its password is for; it can't register where that isn't the node's."""

    number: str
    realm: str
    created_at: datetime
    registered: list[Registered]


class Sheet(BaseModel):
    """What is typed into the phone. ``ways``: transport and port, one of them."""

    number: str
    server: str
    ways: list[str]
    user: str
    password: str
    realm: str


@router.get("/phones", summary="Phones that may register")
async def search(actor: Operator, context: Context) -> Page[Phone]:
    """By number, all on one page, with where they are now."""
    async with reading(context.engine) as connection:
        phones = await book.listed(connection)
    items = [
        Phone(
            number=actor.shown(one.number),
            realm=one.realm,
            created_at=one.created,
            registered=[
                Registered(at=str(contact.hop), until=book.wall(contact.expires), node=node)
                for node, contact in one.contacts
            ],
        )
        for one in phones
    ]
    return Page(items=items)


@router.post("/phones", status_code=201, summary="Make a phone")
async def add(actor: Operator, context: Context, wanted: PhoneOf) -> Sheet:
    """What to type into it; it can register from the next second on."""
    return await _with_password(
        actor, context, wanted, "phone.add", book.add, Conflict("There is such a phone.", "number")
    )


@router.post("/phones/password", summary="Give a phone another password")
async def password(actor: Operator, context: Context, wanted: PhoneOf) -> Sheet:
    """It must register anew; calls that stand go on."""
    missing = NotFound("There is no such phone.", "number")
    return await _with_password(actor, context, wanted, "phone.password", book.change_password, missing)


@router.post("/phones/remove", status_code=204, summary="Forget a phone")
async def remove(actor: Operator, context: Context, wanted: PhoneOf) -> None:
    """It can't register or call from the next second on; calls that stand go on."""
    number = PhoneNumber(wanted.number)
    async with changing(context.engine, actor, context.clock()) as change:
        if not await book.remove(change.connection, number):
            raise NotFound("There is no such phone.", "number")
        _note(change, "phone.remove", number)


async def _with_password(
    actor: Actor,
    context: AdminContext,
    wanted: PhoneOf,
    action: str,
    act: Callable[..., Awaitable[bool]],
    failure: Exception,
) -> Sheet:
    server = context.settings.phones
    if server is None or not server.enabled:
        raise Unavailable("phones.enabled is false: no phone can register.")
    number, made = PhoneNumber(wanted.number), book.new_password()
    async with changing(context.engine, actor, context.clock()) as change:
        if not await act(change.connection, number, server.realm, made, change.at):
            raise failure
        _note(change, action, number)
    return _sheet(server, number, made)


def _note(change: Change, action: str, number: PhoneNumber) -> None:
    change.note(action, f"phone/{number.masked}")


def _sheet(server: PhoneServer, number: PhoneNumber, password: str) -> Sheet:
    said = dict(sheet(server, number, password))
    return Sheet(
        number=number.e164, server=said["server"], ways=server.ways, user=said["user"], password=said["password"],
        realm=said["realm"],
    )  # fmt: skip
