"""[IO] ``/v1/ledger``: what was pushed to customers, what they answered, and pushing it once more."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import select

from gateway.admin.audit import changing
from gateway.admin.context import application_keys
from gateway.admin.door import Context, Manager, Recorder
from gateway.admin.failures import Invalid, NotFound
from gateway.admin.paging import After, Limit, Page, page
from gateway.admin.roles import Permission
from gateway.api.ledger import Wanted, read_entry
from gateway.database import reading
from gateway.schema import outbox

router = APIRouter(tags=["ledger"])
State = Literal["waiting", "done", "dead"]


class Try(BaseModel):
    """One attempt: the HTTP status, or why there is none; how the answer began."""

    model_config = ConfigDict(from_attributes=True)
    at: datetime
    seconds: float
    status: int | None
    error: str | None
    answer: str


class Entry(BaseModel):
    """One event, CDR, notice or question. ``payload`` is ours, not the vendor's form."""

    model_config = ConfigDict(from_attributes=True)
    id: str
    application: str
    session: str
    kind: str
    state: State
    tries: int
    created_at: datetime
    due_at: datetime
    payload: dict[str, Any]
    attempts: list[Try] = []


class DeadLetters(BaseModel):
    """What has been given up of an application, by kind."""

    model_config = ConfigDict(from_attributes=True)
    application: str
    kinds: dict[str, int]
    oldest: datetime | None


class Replay(BaseModel):
    """Which rows; all that is given must hold. Without ids only dead ones, unless ``state`` says otherwise."""

    model_config = ConfigDict(extra="forbid")
    ids: Annotated[list[str], Field(max_length=5000)] = []
    application: str = ""
    session: str = ""
    kind: str = ""
    state: Literal["done", "dead"] | None = None
    since: AwareDatetime | None = None
    before: AwareDatetime | None = None


class Replayed(BaseModel):
    """How many will be pushed again within seconds."""

    count: int


@router.get("/ledger", summary="Search what was pushed")
async def search(
    actor: Recorder, context: Context, application: str = "", session: str = "", kind: str = "",
    state: State | None = None, since: AwareDatetime | None = None, before: AwareDatetime | None = None,
    limit: Limit = 100, after: After = "",
) -> Page[Entry]:  # fmt: skip
    """The newest first, without their attempts."""
    wanted = Wanted(application=application, session=session, kind=kind, state=state or "", since=since, before=before)
    masked = not actor.may(Permission.REVEAL)
    async with reading(context.engine) as connection:
        keys = await application_keys(connection, actor)
        query = select(outbox).where(*wanted.conditions())
        if keys is not None:
            query = query.where(outbox.c.application.in_(keys))
        order = ((outbox.c.created_at, True), (outbox.c.id, True))
        return await page(connection, query, order, after, limit,
                          lambda row: Entry.model_validate(read_entry(row, (), masked)))  # fmt: skip


@router.get("/ledger/dead", summary="Dead letters by application")
async def dead(actor: Recorder, context: Context) -> list[DeadLetters]:
    """What has been given up."""
    async with reading(context.engine) as connection:
        keys = await application_keys(connection, actor)
    found = await context.ledger.dead()
    return [DeadLetters.model_validate(one) for one in found if keys is None or one.application in keys]


@router.get("/ledger/{id}", summary="One row with its attempts")
async def one(actor: Recorder, context: Context, id: str) -> Entry:
    """Time, latency, status and the first bytes of every answer."""
    entry = await context.ledger.entry(id, masked=not actor.may(Permission.REVEAL))
    async with reading(context.engine) as connection:
        keys = await application_keys(connection, actor)
    if entry is None or (keys is not None and entry.application not in keys):
        raise NotFound("There is no such row.", "id")
    return Entry.model_validate(entry)


@router.post("/ledger/replay", summary="Push rows again")
async def replay(actor: Manager, context: Context, wanted: Replay) -> Replayed:
    """The same events with the same X-Event-Id, with the whole retry plan before them."""
    state = wanted.state or ("" if wanted.ids else "dead")
    which = Wanted(**(wanted.model_dump() | {"state": state}))
    if not (wanted.ids or wanted.application or wanted.session or wanted.since or wanted.before):
        raise Invalid("Say which: ids, application, session, since or before.", "ids")
    async with changing(context.engine, actor, context.clock()) as change:
        keys = await application_keys(change.connection, actor)
        change.note("ledger.replay", "ledger", wanted.model_dump(exclude_defaults=True))
        count = await context.ledger.replay_in(change.connection, which, change.at, keys)
    context.wake()
    return Replayed(count=count)
