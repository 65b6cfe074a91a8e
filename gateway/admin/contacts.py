"""[IO] ``/v1/contacts``: whom to tell, and of what (privatenumber.md section 12, "Contacts"); ``/v1/mails``: what was
told."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import delete, insert, select, update

from gateway.admin.audit import changing
from gateway.admin.door import Context, Manager, Operator
from gateway.admin.failures import Invalid, NotFound
from gateway.admin.mail import Notice
from gateway.admin.paging import After, Limit, Page, page
from gateway.admin.roles import Actor, Role
from gateway.admin.tables import contact, enterprise, mail
from gateway.database import reading

router = APIRouter(tags=["contacts"])
Name = Annotated[str, Field(min_length=1, max_length=128)]
Phone = Annotated[str, Field(pattern=r"^(\+[0-9]{3,20})?$")]
Email = Annotated[str, Field(pattern=r"^([^@\s<>,;]{1,64}@[A-Za-z0-9.-]{1,190})?$", description="Empty for none.")]


class NewContact(BaseModel):
    """``enterprise`` is needed from an operator; a tenant's is its own."""

    model_config = ConfigDict(extra="forbid")
    enterprise: Annotated[str | None, Field(max_length=64)] = None
    name: Name
    phone: Phone = ""
    email: Email = ""
    notices: list[Notice] = []


class ContactChanges(BaseModel):
    """What is absent stays."""

    model_config = ConfigDict(extra="forbid")
    name: Name | None = None
    phone: Phone | None = None
    email: Email | None = None
    notices: list[Notice] | None = None


class Contact(BaseModel):
    """One contact."""

    id: str
    enterprise: str
    name: str
    phone: str
    email: str
    notices: list[Notice]
    created_at: datetime


class Mail(BaseModel):
    """One mail; its text is not shown."""

    id: str
    recipient: str
    subject: str
    state: Literal["waiting", "sent", "failed"]
    tries: int
    error: str
    created_at: datetime


def _read(row: Any) -> Contact:
    return Contact(
        id=row.id, enterprise=row.enterprise, name=row.name, phone=row.phone, email=row.email,
        notices=row.notices.split(), created_at=datetime.fromtimestamp(row.created_at, UTC),
    )  # fmt: skip


def _own(actor: Actor) -> list[Any]:
    return [contact.c.enterprise == actor.enterprise] if actor.role is Role.TENANT else []


@router.get("/contacts", summary="List contacts")
async def search(
    actor: Manager, context: Context, enterprise: str = "", limit: Limit = 100, after: After = ""
) -> Page[Contact]:
    """By enterprise and id."""
    query = select(contact).where(*_own(actor))
    if enterprise:
        query = query.where(contact.c.enterprise == enterprise)
    async with reading(context.engine) as connection:
        order = ((contact.c.enterprise, False), (contact.c.id, False))
        return await page(connection, query, order, after, limit, _read)


@router.post("/contacts", status_code=201, summary="Add a contact")
async def create(actor: Manager, context: Context, wanted: NewContact) -> Contact:
    """Somebody who is told by e-mail."""
    owner = actor.enterprise or wanted.enterprise
    if owner is None or (wanted.enterprise is not None and wanted.enterprise != owner):
        raise Invalid("enterprise must be the one whose contact this is.", "enterprise")
    id = str(uuid.uuid4())
    values = wanted.model_dump(exclude={"enterprise", "notices"})
    values |= {"notices": " ".join(dict.fromkeys(wanted.notices)), "enterprise": owner}
    async with changing(context.engine, actor, context.clock()) as change:
        known = select(enterprise.c.id).where(enterprise.c.id == owner)
        if (await change.connection.execute(known)).first() is None:
            raise NotFound("There is no such enterprise.", "enterprise")
        await change.connection.execute(insert(contact).values(id=id, created_at=change.at.timestamp(), **values))
        change.note("contact.create", f"contact/{id}", {"notices": wanted.notices}, enterprise=owner)
        return _read((await change.connection.execute(select(contact).where(contact.c.id == id))).one())


@router.patch("/contacts/{id}", summary="Change a contact")
async def modify(actor: Manager, context: Context, id: str, wanted: ContactChanges) -> Contact:
    """What is absent stays."""
    values = wanted.model_dump(exclude_unset=True, exclude_none=True)
    if "notices" in values:
        values["notices"] = " ".join(dict.fromkeys(values["notices"]))
    mine = (contact.c.id == id, *_own(actor))
    async with changing(context.engine, actor, context.clock()) as change:
        row = (await change.connection.execute(select(contact).where(*mine))).first()
        if row is None:
            raise NotFound("There is no such contact.", "id")
        if values:
            await change.connection.execute(update(contact).where(*mine).values(**values))
        change.note("contact.modify", f"contact/{id}", {"fields": sorted(values)}, enterprise=row.enterprise)
        return _read((await change.connection.execute(select(contact).where(*mine))).one())


@router.delete("/contacts/{id}", status_code=204, summary="Remove a contact")
async def remove(actor: Manager, context: Context, id: str) -> None:
    """Nobody is told any more."""
    mine = (contact.c.id == id, *_own(actor))
    async with changing(context.engine, actor, context.clock()) as change:
        row = (await change.connection.execute(select(contact).where(*mine))).first()
        if row is None:
            raise NotFound("There is no such contact.", "id")
        await change.connection.execute(delete(contact).where(*mine))
        change.note("contact.remove", f"contact/{id}", enterprise=row.enterprise)


@router.get("/mails", summary="What was sent to contacts")
async def mails(
    actor: Operator,
    context: Context,
    state: Literal["waiting", "sent", "failed"] | None = None,
    limit: Limit = 100,
    after: After = "",
) -> Page[Mail]:
    """The newest first, with the mail server's last complaint."""
    query = select(mail)
    if state is not None:
        query = query.where(mail.c.state == state)

    def read(row: Any) -> Mail:
        return Mail(id=row.id, recipient=row.recipient, subject=row.subject, state=row.state, tries=row.tries,
                    error=row.error, created_at=datetime.fromtimestamp(row.created_at, UTC))  # fmt: skip

    async with reading(context.engine) as connection:
        return await page(connection, query, ((mail.c.created_at, True), (mail.c.id, True)), after, limit, read)
