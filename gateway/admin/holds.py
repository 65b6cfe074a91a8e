"""[IO] What is proven of a recording, legal hold, and erasing before the time (docs/recordings.md).

A hold and its end are the operator's, and so is erasing. Each needs a reason, which is kept with the proof.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select

from gateway.admin.audit import Change, changing
from gateway.admin.context import AdminContext, application_keys
from gateway.admin.door import Context, Operator, Recorder
from gateway.admin.failures import Conflict, NotFound
from gateway.admin.paging import After, Limit, Page, page
from gateway.admin.roles import Actor
from gateway.database import reading
from gateway.recordings import holding
from gateway.recordings.tables import recording_proof
from gateway.schema import recording

router = APIRouter(tags=["recordings"])
_ORDER = ((recording.c.created_at, True), (recording.c.name, True))


class Reason(BaseModel):
    """Why."""

    model_config = ConfigDict(extra="forbid")
    why: Annotated[str, Field(min_length=1, max_length=500)]


class Held(BaseModel):
    """Who has said that it may not be erased."""

    by: str
    why: str
    at: datetime


class Recording(BaseModel):
    """One recording. ``channels``: SHA-256 of the caller's and the callee's codes; ``notice``: when each heard the
    notice, from and to; ``trouble``: why it holds only the beginning, or nothing."""

    name: str
    session: str
    application: str
    state: str
    begun: datetime | None
    ended: datetime | None
    seconds: float | None
    size: int | None
    sha256: str | None
    channels: list[str] | None
    notice: list[list[datetime] | None] | None
    erase_at: datetime | None
    held: Held | None
    trouble: str | None


class Entry(BaseModel):
    """An entry of the chain of proof: recorded, held, released or erased."""

    seq: int
    day: str
    kind: str
    facts: dict[str, Any]
    previous: str
    hash: str


class WithProof(Recording):
    """With what is proven of it."""

    proof: list[Entry]


@router.get("/holds", summary="Recordings under legal hold")
async def held(actor: Recorder, context: Context, limit: Limit = 100, after: After = "") -> Page[Recording]:
    """The newest first."""
    query = select(recording).where(recording.c.hold.is_not(None))
    async with reading(context.engine) as connection:
        keys = await application_keys(connection, actor)
        if keys is not None:
            query = query.where(recording.c.application.in_(keys))
        return await page(connection, query, _ORDER, after, limit, _read)


@router.get("/recordings/{name}/proof", summary="One recording, with its proof")
async def one(actor: Recorder, context: Context, name: str) -> WithProof:
    """By its name."""
    row = await _find(actor, context, name)
    async with reading(context.engine) as connection:
        query = select(recording_proof).where(recording_proof.c.name == name).order_by(recording_proof.c.seq)
        entries = (await connection.execute(query)).all()
    proof = [
        Entry(seq=entry.seq, day=entry.day, kind=entry.kind, facts=json.loads(entry.facts), previous=entry.previous,
              hash=entry.hash)
        for entry in entries
    ]  # fmt: skip
    return WithProof(**_read(row).model_dump(), proof=proof)


@router.put("/recordings/{name}/hold", summary="Legal hold")
async def hold(actor: Operator, context: Context, name: str, reason: Reason) -> Recording:
    """It is not erased until it is released."""

    async def act(change: Change) -> None:
        at = change.at.timestamp()
        await holding.hold(change.connection, context.proof, name, actor.name, reason.why, at)

    return await _act(actor, context, name, reason, "hold", act)


@router.post("/recordings/{name}/release", summary="End a legal hold")
async def release(actor: Operator, context: Context, name: str, reason: Reason) -> Recording:
    """What is due is erased then."""

    async def act(change: Change) -> None:
        at = change.at.timestamp()
        await holding.release(change.connection, context.proof, name, actor.name, reason.why, at)

    return await _act(actor, context, name, reason, "release", act)


@router.post("/recordings/{name}/erase", summary="Erase a recording before its time")
async def erase(actor: Operator, context: Context, name: str, reason: Reason) -> Recording:
    """Its proof stays: who, when, why, and the hash of what it was."""

    async def act(change: Change) -> None:
        at = change.at.timestamp()
        await holding.erase(change.connection, context.recordings, context.proof, name, actor.name, reason.why, at)

    return await _act(actor, context, name, reason, "erase", act)


async def _act(
    actor: Actor, context: AdminContext, name: str, reason: Reason, verb: str, act: Callable[[Change], Awaitable[Any]]
) -> Recording:
    await _find(actor, context, name)
    try:
        async with changing(context.engine, actor, context.clock()) as change:
            await act(change)
            change.note(f"recording.{verb}", f"recording/{name}", {"why": reason.why})
    except holding.HoldError as error:
        raise Conflict(str(error), "name") from None
    return _read(await _find(actor, context, name))


async def _find(actor: Actor, context: AdminContext, name: str) -> Any:
    async with reading(context.engine) as connection:
        keys = await application_keys(connection, actor)
        row = (await connection.execute(select(recording).where(recording.c.name == name))).first()
    if row is None or (keys is not None and row.application not in keys):
        raise NotFound("There is no such recording.", "name")
    return row


def _read(row: Any) -> Recording:
    held = json.loads(row.hold) if row.hold else None
    notice = json.loads(row.notice) if row.notice else None
    return Recording(
        name=row.name, session=row.session, application=row.application, state=row.state, begun=_time(row.answered_at),
        ended=_time(row.ended_at), seconds=row.seconds, size=row.size, sha256=row.sha256,
        channels=json.loads(row.channels) if row.channels else None,
        notice=None if notice is None else [None if span is None else [_at(one) for one in span] for span in notice],
        erase_at=_time(row.erase_at), trouble=row.trouble,
        held=None if held is None else Held(by=held["by"], why=held["why"], at=_at(held["at"])),
    )  # fmt: skip


def _at(epoch: float) -> datetime:
    return datetime.fromtimestamp(epoch, UTC)


def _time(epoch: float | None) -> datetime | None:
    return None if epoch is None else _at(epoch)
