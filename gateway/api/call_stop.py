"""Hanging up a call by its session id (privatenumber.md section 4.4)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gateway.api import errors
from gateway.api.context import ApiContext, success
from gateway.api.errors import ApiError
from gateway.api.fields import read_body
from gateway.api.gate import Gate

PATH = "/rest/httpsessions/callStop/v2.0"


class CallStopApi:
    """One method, for applications of every mode."""

    def __init__(self, context: ApiContext, gate: Gate) -> None:
        self._context = context
        self._gate = gate

    async def stop(self, request: Request) -> Response:
        """POST: hang up both parties. A session that is unknown, over or another application's is 1016001."""
        application = await self._gate.admit(request)
        fields = await read_body(request)
        session = fields.text("sessionid", 256)
        if session is None:
            raise fields.missing("sessionid")
        if fields.choice("signal", "call_stop") is None:
            raise fields.missing("signal")
        if not await self._context.stop_call(application.key, session):
            raise ApiError(errors.BINDING_NOT_FOUND)
        return success()
