"""Recordings: the vendor's 301 to a download address (privatenumber.md section 5), and the download itself.

The address is ours, signed with a key made from the application's secret, and ends with time, with the recording, and
with the secret. Who follows a 301 must receive the WAV: a recording that is still being rendered when its CDR arrives
is waited for, and while it isn't there it has no address.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, select
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from gateway.api import errors
from gateway.api.context import ApiContext
from gateway.api.errors import ApiError
from gateway.api.fields import read_query
from gateway.api.gate import Gate
from gateway.api.links import PATH as LINK_PATH
from gateway.api.links import holds, link
from gateway.bindings.models import Application
from gateway.database import reading
from gateway.recordings.audio import WANTED, AudioReader, object_of
from gateway.schema import recording

PATH = "/rest/provision/voice/record/v1.0"
DOWNLOAD_PATH = LINK_PATH + "{name}"
LOOK_EVERY = 0.1
_COMING = ("spooling", "pending", "rendered")


class RecordingApi:
    """The address, and what lies there."""

    def __init__(self, context: ApiContext, gate: Gate) -> None:
        self._context = context
        self._gate = gate
        self._reader = AudioReader(context.recordings)

    async def address(self, request: Request) -> Response:
        """GET: 301 with the download address of ``fileName``; ``form=mono`` asks for the mix of both."""
        application = await self._gate.admit(request)
        fields = read_query(request)
        name = fields.text("fileName")
        if name is None:
            raise fields.missing("fileName")
        if fields.text("recordDomain") is None:
            raise fields.missing("recordDomain")
        form = fields.text("form") or ("mono" if application.recording_mono else "stereo")
        row = await self._row_once(application.key, name)
        if row is None or form not in WANTED:
            raise ApiError(errors.RECORD_NOT_FOUND)
        location = await self._location(request, application, row, form)
        return Response(status_code=301, headers={"Location": location, "Content-Length": "0"})

    async def _location(self, request: Request, application: Application, row: Row[Any], form: str) -> str:
        """The store's own address where it gives one and shall, else one of ours."""
        settings = self._context.settings
        if settings.store_links and row.state == "ready" and form == "stereo" and object_of(row) == row.name:
            direct = await self._context.recordings.link(row.name, settings.link_seconds)
            if direct is not None:
                return direct
        base = settings.public_url.rstrip("/") or f"{request.url.scheme}://{request.url.netloc}"
        expires = int(self._context.clock().timestamp()) + settings.link_seconds
        return link(_key(application), base, row.name, application.key, expires, "mono" if form == "mono" else "")

    async def download(self, request: Request) -> Response:
        """GET on a signed address: the WAV. Whatever is wrong with the address has one answer."""
        name = request.path_params["name"]
        query = request.query_params
        application = await self._context.store.application(query.get("app", ""))
        now, form = self._context.clock().timestamp(), query.get("form", "")
        if application is None or not holds(
            _key(application), name, application.key, query.get("expires", ""), query.get("sig", ""), now, form
        ):
            raise ApiError(errors.RECORD_NOT_FOUND)
        row = await self._row_once(application.key, name)
        audio = None if row is None else await self._reader.open(row, "mono" if form == "mono" else "stereo")
        if row is None or audio is None:
            raise ApiError(errors.RECORD_NOT_FOUND)
        headers = {"Content-Length": str(audio.size)}
        if row.erase_at is not None:
            headers["X-Erase-At"] = datetime.fromtimestamp(row.erase_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return StreamingResponse(audio.pieces, media_type="audio/x-wav", headers=headers)

    async def _row(self, application: str, name: str) -> Row[Any] | None:
        async with reading(self._context.engine) as connection:
            query = select(recording).where(recording.c.name == name, recording.c.application == application)
            return (await connection.execute(query)).first()

    async def _row_once(self, application: str, name: str) -> Row[Any] | None:
        """The row, once the recording can be had; None when it can't in time or never will be.

        One that only waits for its store is had from this node's disk.
        """
        self._context.wake_keeper()
        for _ in range(int(self._context.settings.render_patience / LOOK_EVERY) + 1):
            row = await self._row(application, name)
            if row is None or row.state not in _COMING:
                if row is None or row.state != "ready" or self._over(row):
                    return None
                return row if await self._context.recordings.size(object_of(row)) is not None else None
            await asyncio.sleep(LOOK_EVERY)
        if row is None or row.state != "rendered" or self._over(row):
            return None
        return row if await self._reader.open(row) is not None else None

    def _over(self, row: Row[Any]) -> bool:
        return row.erase_at is not None and bool(row.erase_at <= self._context.clock().timestamp())


def _key(application: Application) -> bytes:
    """The key of an application's links: another secret makes every link void."""
    return hmac.new(application.secret.encode(), b"maskline recording links", hashlib.sha256).digest()
