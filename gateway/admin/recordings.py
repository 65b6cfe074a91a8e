"""[IO] ``/v1/recordings``: what was recorded, its outline, and its sound. Who listens is written down."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta, timezone
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from pydantic import AwareDatetime, BaseModel
from sqlalchemy import Row, select
from starlette.responses import StreamingResponse

from gateway.admin.audit import changing
from gateway.admin.context import AdminContext, application_keys
from gateway.admin.door import Context, Recorder
from gateway.admin.failures import NotFound, Unavailable
from gateway.admin.paging import After, Limit, Page, page
from gateway.admin.ranges import Unsatisfiable, cut, part_of
from gateway.admin.roles import Actor
from gateway.bindings.rows import when
from gateway.database import reading
from gateway.recordings.wave import outline
from gateway.schema import recording as table

router = APIRouter(tags=["recordings"])
LISTENABLE = ("ready", "rendered")
_BEIJING = timezone(timedelta(hours=8))
Moment = Annotated[AwareDatetime | None, Query()]


class RecordingView(BaseModel):
    """One recording. ``state``: spooling, pending, rendered, ready, empty, failed, erased. ``held``: it may not be
    erased (legal hold); ``trouble``: why it holds only the beginning, or nothing."""

    name: str
    session: str
    application: str
    state: str
    begun: datetime | None
    seconds: float | None
    size: int | None
    erase_at: datetime | None
    held: bool
    trouble: str | None


class Outline(BaseModel):
    """``channels``: the caller's and the callee's peaks, 0 to 1, in equal steps over ``seconds``."""

    seconds: float
    channels: list[list[float]]


def _view(row: Row[Any]) -> RecordingView:
    return RecordingView(
        name=row.name, session=row.session, application=row.application, state=row.state, begun=when(row.answered_at),
        seconds=row.seconds, size=row.size, erase_at=when(row.erase_at), held=row.hold is not None,
        trouble=row.trouble or None,
    )  # fmt: skip


@router.get("/recordings", summary="Recordings")
async def search(
    actor: Recorder, context: Context, application: str = "", session: str = "", state: str = "",
    since: Moment = None, before: Moment = None, held: Annotated[bool, Query(description="Only these.")] = False,
    limit: Limit = 100, after: After = "",
) -> Page[RecordingView]:  # fmt: skip
    """The newest first: their names begin with the time, which ``since`` and ``before`` go by."""
    query = select(table)
    if since is not None:
        query = query.where(table.c.name >= _beginning(since))
    if before is not None:
        query = query.where(table.c.name < _beginning(before))
    if held:
        query = query.where(table.c.hold.is_not(None))
    for column, value in ((table.c.application, application), (table.c.session, session), (table.c.state, state)):
        if value:
            query = query.where(column == value)
    async with reading(context.engine) as connection:
        keys = await application_keys(connection, actor)
        if keys is not None:
            query = query.where(table.c.application.in_(keys))
        return await page(connection, query, ((table.c.name, True),), after, limit, _view)


def _beginning(moment: datetime) -> str:
    """What names begin with at that time (gateway.calls.record)."""
    return moment.astimezone(_BEIJING).strftime("%y%m%d%H%M%S")


async def _of(context: AdminContext, actor: Actor, session: str) -> Row[Any]:
    """The recording of a call. NotFound, also when it can't be listened to."""
    async with reading(context.engine) as connection:
        keys = await application_keys(connection, actor)
        row = (await connection.execute(select(table).where(table.c.session == session))).first()
    if row is None or (keys is not None and row.application not in keys) or row.state not in LISTENABLE:
        raise NotFound("There is no recording of this call.", "session")
    return row


@router.get("/recordings/{session}/sound", response_class=StreamingResponse, summary="The sound")
async def sound(
    actor: Recorder, context: Context, session: str, range: Annotated[str | None, Header()] = None
) -> StreamingResponse:
    """The two-channel WAV: the caller left, the callee right. One range of bytes, if wanted."""
    row = await _of(context, actor, session)
    audio = None if context.audio is None else await context.audio.open(row)
    if audio is None:
        raise NotFound("There is no recording of this call.", "session")
    headers = {"Accept-Ranges": "bytes"}
    try:
        part = part_of(audio.size, range)
    except Unsatisfiable:
        return StreamingResponse(iter(()), 416, {**headers, "Content-Range": f"bytes */{audio.size}"})
    async with changing(context.engine, actor, context.clock()) as change:
        change.note("recording.listen", f"recording/{row.name}", {"application": row.application})
    first, last = part or (0, audio.size - 1)
    headers |= {"Content-Length": str(last + 1 - first), "Content-Disposition": f'inline; filename="{row.name}"'}
    if part is None:
        return StreamingResponse(audio.pieces, media_type="audio/x-wav", headers=headers)
    headers["Content-Range"] = f"bytes {first}-{last}/{audio.size}"
    return StreamingResponse(cut(audio.pieces, first, last), 206, media_type="audio/x-wav", headers=headers)


@router.get("/recordings/{session}/outline", summary="How loud it is when")
async def shape(
    actor: Recorder, context: Context, session: str, points: Annotated[int, Query(ge=10, le=4000)] = 1000
) -> Outline:
    """For drawing; nothing that was said can be told from it."""
    row = await _of(context, actor, session)
    if context.audio is None:
        raise Unavailable("This node reads no recordings.")
    try:
        wav = await context.audio.wav(row)
        seconds, channels = await asyncio.to_thread(outline, wav, points)
    except FileNotFoundError:
        raise NotFound("There is no recording of this call.", "session") from None
    return Outline(seconds=seconds, channels=channels)
