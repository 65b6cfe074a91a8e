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

    async def address(self, request: Request) -> Response:
        """GET: 301 with the download address of ``fileName``."""
        application = await self._gate.admit(request)
        fields = read_query(request)
        name = fields.text("fileName")
        if name is None:
            raise fields.missing("fileName")
        if fields.text("recordDomain") is None:
            raise fields.missing("recordDomain")
        found = await self._finished(application.key, name)
        if found is None:
            raise ApiError(errors.RECORD_NOT_FOUND)
        location = await self._location(request, application, found[0])
        return Response(status_code=301, headers={"Location": location, "Content-Length": "0"})

    async def _location(self, request: Request, application: Application, row: Row[Any]) -> str:
        """The store's own address where it gives one and shall, else one of ours."""
        seconds = self._context.settings.link_seconds
        if self._context.settings.store_links:
            direct = await self._context.recordings.link(_object(row), seconds)
            if direct is not None:
                return direct
        base = self._context.settings.public_url.rstrip("/") or f"{request.url.scheme}://{request.url.netloc}"
        expires = int(self._context.clock().timestamp()) + seconds
        return link(_key(application), base, row.name, application.key, expires)

    async def download(self, request: Request) -> Response:
        """GET on a signed address: the WAV. Whatever is wrong with the address has one answer."""
        name = request.path_params["name"]
        query = request.query_params
        application = await self._context.store.application(query.get("app", ""))
        now = self._context.clock().timestamp()
        if application is None or not holds(
            _key(application), name, application.key, query.get("expires", ""), query.get("sig", ""), now
        ):
            raise ApiError(errors.RECORD_NOT_FOUND)
        found = await self._finished(application.key, name)
        if found is None:
            raise ApiError(errors.RECORD_NOT_FOUND)
        row, size = found
        headers = {"Content-Length": str(size)}
        if row.erase_at is not None:
            headers["X-Erase-At"] = datetime.fromtimestamp(row.erase_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        chunks = self._context.recordings.chunks(_object(row))
        return StreamingResponse(chunks, media_type="audio/x-wav", headers=headers)

    async def _row(self, application: str, name: str) -> Row[Any] | None:
        async with reading(self._context.engine) as connection:
            query = select(recording).where(recording.c.name == name, recording.c.application == application)
            return (await connection.execute(query)).first()

    async def _finished(self, application: str, name: str) -> tuple[Row[Any], int] | None:
        """The row and the object's size, once it is ready; None when it isn't in time or never will be."""
        self._context.wake_keeper()
        for _ in range(int(self._context.settings.render_patience / LOOK_EVERY) + 1):
            row = await self._row(application, name)
            if row is None or row.state not in _COMING:
                if row is None or row.state != "ready" or self._over(row):
                    return None
                size = await self._context.recordings.size(_object(row))
                return None if size is None else (row, size)
            await asyncio.sleep(LOOK_EVERY)
        return None

    def _over(self, row: Row[Any]) -> bool:
        return row.erase_at is not None and bool(row.erase_at <= self._context.clock().timestamp())


def _key(application: Application) -> bytes:
    """The key of an application's links: another secret makes every link void."""
    return hmac.new(application.secret.encode(), b"maskline recording links", hashlib.sha256).digest()


def _object(row: Row[Any]) -> str:
    return str(row.object or row.name)
