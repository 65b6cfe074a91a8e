"""[IO] ``/v1/enterprises``: whose applications these are (privatenumber.md section 12, "Enterprise").

    review --approve--> approved --suspend--> suspended --resume--> approved
    review --reject---> rejected --resubmit--> review

Applications of an enterprise work only while it is approved: their calls end with ENTERPRISE_SUSPENDED otherwise.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Row, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.admin.audit import Change, changing
from gateway.admin.door import Context, Manager, Operator, Reader, Reviewer
from gateway.admin.failures import Conflict, NotFound
from gateway.admin.mail import tell
from gateway.admin.paging import After, Limit, Page, page
from gateway.admin.roles import Actor, Role
from gateway.admin.tables import enterprise
from gateway.database import reading
from gateway.schema import application as applications

router = APIRouter(tags=["enterprises"])
State = Literal["review", "approved", "rejected", "suspended"]
Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
_BEFORE: dict[State, tuple[State, ...]] = {
    "approved": ("review", "suspended"),
    "rejected": ("review",),
    "suspended": ("approved",),
    "review": ("rejected",),
}


class Details(BaseModel):
    """What a review looks at."""

    model_config = ConfigDict(extra="forbid")
    licence: Annotated[str, Field(max_length=128, description="Number of the business licence.")] = ""
    legal_person: Annotated[str, Field(max_length=128)] = ""
    industry: Annotated[str, Field(max_length=128)] = ""
    scenario: Annotated[str, Field(max_length=2000, description="Who calls whom, and why.")] = ""
    script: Annotated[str, Field(max_length=2000, description="What is usually said.")] = ""
    sms: Annotated[bool, Field(description="Whether short messages are wanted.")] = False


class NewEnterprise(BaseModel):
    """An enterprise to be reviewed."""

    model_config = ConfigDict(extra="forbid")
    id: Id
    name: Annotated[str, Field(min_length=1, max_length=256, description="The full company name.")]
    details: Details = Details()
    max_applications: Annotated[int, Field(ge=0, le=1000)] = 5


class EnterpriseChanges(BaseModel):
    """What is absent stays. ``max_applications`` is the operator's."""

    model_config = ConfigDict(extra="forbid")
    name: Annotated[str | None, Field(min_length=1, max_length=256)] = None
    details: Details | None = None
    max_applications: Annotated[int | None, Field(ge=0, le=1000)] = None


class Enterprise(BaseModel):
    """One enterprise. ``reason``: why it was rejected or suspended."""

    id: str
    name: str
    state: State
    reason: str
    details: Details
    max_applications: int
    created_at: datetime


class Reason(BaseModel):
    """What the other side is told."""

    model_config = ConfigDict(extra="forbid")
    reason: Annotated[str, Field(min_length=1, max_length=512)]


def _read(row: Any) -> Enterprise:
    return Enterprise(
        id=row.id, name=row.name, state=row.state, reason=row.reason, details=Details(**json.loads(row.details)),
        max_applications=row.max_applications, created_at=datetime.fromtimestamp(row.created_at, UTC),
    )  # fmt: skip


async def _find(connection: AsyncConnection, actor: Actor, id: str, *, lock: bool = False) -> Row[Any]:
    query = select(enterprise).where(enterprise.c.id == id)
    row = (await connection.execute(query.with_for_update() if lock else query)).first()
    if row is None or not actor.sees(row.id):
        raise NotFound("There is no such enterprise.", "enterprise")
    return row


async def move(change: Change, id: str, to: State, reason: str = "") -> Enterprise:
    """Change an enterprise's state and, with it, whether its applications work. Conflict."""
    row = await _find(change.connection, change.actor, id, lock=True)
    if row.state not in _BEFORE[to]:
        raise Conflict(f"The enterprise is {row.state}.", "state")
    await change.connection.execute(update(enterprise).where(enterprise.c.id == id).values(state=to, reason=reason))
    mine = select(applications).where(applications.c.enterprise == id)
    for one in (await change.connection.execute(mine)).all():
        settings = json.loads(one.settings) | {"suspended": to != "approved"}
        where = applications.c.key == one.key
        await change.connection.execute(update(applications).where(where).values(settings=json.dumps(settings)))
    change.note(f"enterprise.{to}", f"enterprise/{id}", {"from": row.state, "reason": reason}, enterprise=id)
    await tell(change, id, "enterprises", f"{row.name}: {to}", f"The enterprise {row.name} is {to}. {reason}".strip())
    return _read(await _find(change.connection, change.actor, id))


@router.get("/enterprises", summary="List enterprises")
async def search(
    actor: Reader, context: Context, state: State | None = None, limit: Limit = 100, after: After = ""
) -> Page[Enterprise]:
    """By id; a tenant sees its own."""
    query = select(enterprise)
    if actor.role is Role.TENANT:
        query = query.where(enterprise.c.id == actor.enterprise)
    if state is not None:
        query = query.where(enterprise.c.state == state)
    async with reading(context.engine) as connection:
        return await page(connection, query, ((enterprise.c.id, False),), after, limit, _read)


@router.post("/enterprises", status_code=201, summary="Enter an enterprise for review")
async def create(actor: Operator, context: Context, wanted: NewEnterprise) -> Enterprise:
    """It is in review until somebody approves or rejects it."""
    values = wanted.model_dump(exclude={"details"}) | {
        "details": wanted.details.model_dump_json(), "state": "review", "reason": "",
        "created_at": context.clock().timestamp(),
    }  # fmt: skip
    try:
        async with changing(context.engine, actor, context.clock()) as change:
            await change.connection.execute(insert(enterprise).values(**values))
            change.note("enterprise.create", f"enterprise/{wanted.id}", {"name": wanted.name}, enterprise=wanted.id)
            return _read(await _find(change.connection, actor, wanted.id))
    except IntegrityError:
        raise Conflict("There is an enterprise of this id.", "id") from None


@router.get("/enterprises/{id}", summary="One enterprise")
async def one(actor: Reader, context: Context, id: str) -> Enterprise:
    """Its state and what it said of itself."""
    async with reading(context.engine) as connection:
        return _read(await _find(connection, actor, id))


@router.patch("/enterprises/{id}", summary="Change an enterprise, or submit it again")
async def modify(actor: Manager, context: Context, id: str, wanted: EnterpriseChanges) -> Enterprise:
    """A tenant may change what was rejected, which goes back to review; an operator may change anything any time."""
    values = wanted.model_dump(exclude_unset=True, exclude_none=True)
    if actor.role is Role.TENANT and "max_applications" in values:
        raise Conflict("max_applications is the operator's.", "max_applications")
    if "details" in values:
        values["details"] = json.dumps(values["details"])
    async with changing(context.engine, actor, context.clock()) as change:
        row = await _find(change.connection, actor, id, lock=True)
        if actor.role is Role.TENANT and row.state != "rejected":
            raise Conflict(f"The enterprise is {row.state}; only what was rejected can be submitted again.", "state")
        if values:
            await change.connection.execute(update(enterprise).where(enterprise.c.id == id).values(**values))
        change.note("enterprise.modify", f"enterprise/{id}", {"fields": sorted(values)}, enterprise=id)
        if row.state == "rejected":
            return await move(change, id, "review")
        return _read(await _find(change.connection, actor, id))


@router.post("/enterprises/{id}/approve", summary="Approve")
async def approve(actor: Reviewer, context: Context, id: str) -> Enterprise:
    """What is in review is approved; its applications work."""
    async with changing(context.engine, actor, context.clock()) as change:
        row = await _find(change.connection, actor, id, lock=True)
        if row.state == "suspended":
            raise Conflict("The enterprise is suspended; an operator may resume it.", "state")
        return await move(change, id, "approved")


@router.post("/enterprises/{id}/reject", summary="Reject with a reason")
async def reject(actor: Reviewer, context: Context, id: str, why: Reason) -> Enterprise:
    """What is in review is rejected; its tenant may submit it again."""
    async with changing(context.engine, actor, context.clock()) as change:
        return await move(change, id, "rejected", why.reason)


@router.post("/enterprises/{id}/suspend", summary="Suspend with a reason")
async def suspend(actor: Operator, context: Context, id: str, why: Reason) -> Enterprise:
    """Its applications' calls and messages stop; standing calls go on."""
    async with changing(context.engine, actor, context.clock()) as change:
        return await move(change, id, "suspended", why.reason)


@router.post("/enterprises/{id}/resume", summary="Resume")
async def resume(actor: Operator, context: Context, id: str) -> Enterprise:
    """The end of a suspension."""
    async with changing(context.engine, actor, context.clock()) as change:
        row = await _find(change.connection, actor, id, lock=True)
        if row.state != "suspended":
            raise Conflict(f"The enterprise is {row.state}.", "state")
        return await move(change, id, "approved")
