"""How the API is put on a socket: uvicorn with h11 and a guard (guard.py), JSON even for what is no HTTP, and no log of
what is asked.

Access logs stay off, since queries hold real numbers. h11 sends header names as they were given, which
:class:`VendorSpelling` in app.py relies on.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from functools import partial
from typing import Any, cast

import h11
import uvicorn
from starlette.types import ASGIApp

from gateway.api.context import JSON_TYPE
from gateway.api.errors import NOT_HTTP, ApiError
from gateway.api.guard import Crowd, GuardedProtocol, WebLimits, guarded
from gateway.api.handshake import Handshake


class JsonProtocol(GuardedProtocol):
    """h11 as in uvicorn, but bytes that are no HTTP get a JSON answer too."""

    def send_400_response(self, msg: str) -> None:
        body = json.dumps(ApiError(NOT_HTTP, msg).body).encode("ascii", "replace")
        headers = [("Content-Type", JSON_TYPE), ("Content-Length", str(len(body))), ("Connection", "close")]
        try:
            for event in (
                h11.Response(status_code=400, headers=headers, reason="Bad Request"),
                h11.Data(data=body),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        except h11.LocalProtocolError:
            # An answer is already on its way; closing is all that is left.
            pass
        self.transport.close()


def web_server(app: ASGIApp, tls: ssl.SSLContext | None = None, limits: WebLimits | None = None) -> uvicorn.Server:
    """A server for :func:`gateway.api.app.create_app`; run it with ``await server.serve(sockets=[...])``."""
    limits = limits or WebLimits()
    crowd = Crowd(limits)
    make = guarded(limits, JsonProtocol, crowd)

    def secured(*arguments: Any, **more: Any) -> Handshake:
        assert tls is not None
        return Handshake(crowd, tls, partial(make, *arguments, **more))

    return uvicorn.Server(
        uvicorn.Config(
            app,
            # A callable does as well as a class: uvicorn only calls it.
            http=cast("type[asyncio.Protocol]", make if tls is None else secured),
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            log_level="critical",
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=limits.idle_seconds,  # type: ignore[arg-type]  # call_later takes any number
            timeout_graceful_shutdown=5,
        )
    )
