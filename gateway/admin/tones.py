"""[IO] ``/v1/tones``: upload, review, replace, download (privatenumber.md section 11; states: gateway.tones.states).

The body of an upload is the sound file itself, in any form that libsndfile reads. ``application`` "" is a tone of all
customers, which is the operator's.
"""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.admin.audit import Change, changing
from gateway.admin.context import AdminContext, application_keys, application_row
from gateway.admin.door import Context, Manager, Reader, Reviewer
from gateway.admin.enterprises import Reason
from gateway.admin.failures import Conflict, Invalid, NotFound, TooLarge
from gateway.admin.mail import tell
from gateway.admin.paging import After, Limit, Page, page
from gateway.admin.roles import Actor, Role
from gateway.bindings.rows import when
from gateway.database import reading
from gateway.tones import store
from gateway.tones.convert import UPLOAD_LIMIT, SoundError
from gateway.tones.names import NAME
from gateway.tones.states import State
from gateway.tones.store import ToneStateError
from gateway.tones.tables import tone

router = APIRouter(tags=["tones"])
Application = Annotated[str, Query(max_length=128, description='Whose tone; "" for all customers\'.')]
Name = Annotated[str, Query(pattern=NAME, description="Digits, letters and -_.@, e.g. x_hint_tone1.wav.")]
Version = Literal["live", "candidate"]


class Tone(BaseModel):
    """One version of a tone. ``converted``: it was not uploaded as A-law, 8000 Hz, mono."""

    application: str
    name: str
    version: Version
    state: State
    reason: str
    size: int
    seconds: float
    sha256: str
    converted: bool
    uploaded_at: datetime
    reviewed_at: datetime | None


def _read(row: Any) -> Tone:
    return Tone(
        application=row.application, name=row.name, version=row.slot, state=row.state, reason=row.reason, size=row.size,
        seconds=row.seconds, sha256=row.sha256, converted=bool(row.converted),
        uploaded_at=datetime.fromtimestamp(row.uploaded_at, UTC), reviewed_at=when(row.reviewed_at),
    )  # fmt: skip


_COLUMNS = [column for column in tone.c if column.name != "sound"]


async def _owner(connection: AsyncConnection, actor: Actor, application: str) -> str | None:
    """The enterprise whose tone it is. NotFound."""
    if not application:
        if actor.role is Role.TENANT:
            raise NotFound("application is needed.", "application")
        return None
    owner: str | None = (await application_row(connection, actor, application)).enterprise
    return owner


async def _shown(context: AdminContext, application: str, name: str, slot: Version) -> Tone:
    mine = (tone.c.application == application, tone.c.name == name, tone.c.slot == slot)
    async with reading(context.engine) as connection:
        row = (await connection.execute(select(*_COLUMNS).where(*mine))).first()
    if row is None:
        raise NotFound("There is no such tone.", "name")
    return _read(row)


async def _change(
    context: AdminContext, actor: Actor, verb: str, application: str, name: str, work: Any, reason: str = ""
) -> None:
    """One step of a tone's life, with its audit entry and its mail."""
    async with changing(context.engine, actor, context.clock()) as change:
        owner = await _owner(change.connection, actor, application)
        try:
            step: Awaitable[object] = work(change)
            await step
        except ToneStateError as error:
            raise Conflict(f"{name}: {error}.", "name") from None
        change.note(f"tone.{verb}", f"tone/{application}/{name}", {"reason": reason}, enterprise=owner)
        if verb in ("approve", "reject"):
            said = "approved" if verb == "approve" else "rejected"
            await tell(
                change, owner, "tones", f"Tone {name}: {said}", f"{name} of {application} is {said}. {reason}".strip()
            )
    await context.sync_tones()
    context.wake()


@router.get("/tones", summary="List tones")
async def search(
    actor: Reader, context: Context, application: str | None = None, name: str = "", state: State | None = None,
    limit: Limit = 100, after: After = "",
) -> Page[Tone]:  # fmt: skip
    """By application and name; a tenant sees its own and those of all customers."""
    query = select(*_COLUMNS)
    async with reading(context.engine) as connection:
        keys = await application_keys(connection, actor)
        if keys is not None:
            query = query.where(tone.c.application.in_(["", *keys]))
        if application is not None:
            query = query.where(tone.c.application == application)
        if name:
            query = query.where(tone.c.name == name)
        if state is not None:
            query = query.where(tone.c.state == state.value)
        order = ((tone.c.application, False), (tone.c.name, False), (tone.c.slot, False))
        return await page(connection, query, order, after, limit, _read)


@router.put(
    "/tones",
    status_code=201,
    summary="Upload a tone, or another version of one",
    openapi_extra={"requestBody": {"required": True, "content": {"application/octet-stream": {
        "schema": {"type": "string", "format": "binary"}}}}},
)  # fmt: skip
async def upload(actor: Manager, context: Context, request: Request, name: Name, application: Application = "") -> Tone:
    """It is reviewed; calls play the version before until then."""
    async with reading(context.engine) as connection:
        await _owner(connection, actor, application)
    raw = await _body(request)
    try:
        sound = await context.converter.convert(raw)
    except SoundError as error:
        raise Invalid(f"{name}: {error}.", "body") from None
    await _change(context, actor, "upload", application, name,
                  lambda change: store.upload(change.connection, application, name, sound, change.at))  # fmt: skip
    return await _shown(context, application, name, "candidate")


async def _body(request: Request) -> bytes:
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > UPLOAD_LIMIT:
            raise TooLarge(f"The file is larger than {UPLOAD_LIMIT // 1_000_000} MB.", "body")
        chunks.append(chunk)
    return b"".join(chunks)


@router.post("/tones/approve", summary="Approve a tone")
async def approve(actor: Reviewer, context: Context, name: Name, application: Application = "") -> Tone:
    """The next call plays it."""
    await _change(context, actor, "approve", application, name,
                  lambda change: store.approve(change.connection, application, name, change.at))  # fmt: skip
    return await _shown(context, application, name, "live")


@router.post("/tones/reject", summary="Reject a tone with a reason")
async def reject(actor: Reviewer, context: Context, why: Reason, name: Name, application: Application = "") -> Tone:
    """The version before, if there is one, stays."""

    def work(change: Change) -> Awaitable[None]:
        return store.reject(change.connection, application, name, why.reason, change.at)

    await _change(context, actor, "reject", application, name, work, why.reason)
    return await _shown(context, application, name, "candidate")


@router.post("/tones/resubmit", summary="Submit a rejected tone again")
async def resubmit(actor: Manager, context: Context, name: Name, application: Application = "") -> Tone:
    """As it is; a corrected one is uploaded instead."""
    await _change(context, actor, "resubmit", application, name,
                  lambda change: store.submit_again(change.connection, application, name))  # fmt: skip
    return await _shown(context, application, name, "candidate")


@router.get("/tones/sound", summary="Download a tone", response_class=Response)
async def download(
    actor: Reader, context: Context, name: Name, application: Application = "", version: Version = "live"
) -> Response:
    """The WAV file as calls play it."""
    mine = (tone.c.application == application, tone.c.name == name, tone.c.slot == version)
    async with reading(context.engine) as connection:
        if application:
            await application_row(connection, actor, application)
        sound = (await connection.execute(select(tone.c.sound).where(*mine))).scalar_one_or_none()
    if sound is None:
        raise NotFound("There is no such tone.", "name")
    return Response(sound, media_type="audio/wav", headers={"Content-Disposition": f'attachment; filename="{name}"'})


@router.delete("/tones", status_code=204, summary="Delete a tone")
async def remove(actor: Manager, context: Context, name: Name, application: Application = "") -> None:
    """All its versions; bindings that name it go on without it."""

    async def work(change: Change) -> None:
        if not await store.remove(change.connection, application, name):
            raise NotFound("There is no such tone.", "name")

    await _change(context, actor, "delete", application, name, work)
