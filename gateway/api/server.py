"""How the API is put on a socket: uvicorn with h11, JSON even for what is no HTTP, and no log of what is asked.

Access logs stay off, since queries hold real numbers. h11 sends header names as they were given, which
:class:`VendorSpelling` in app.py relies on.
"""

from __future__ import annotations

import json
import ssl

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from gateway.api.context import JSON_TYPE
from gateway.api.errors import NOT_HTTP, ApiError


class JsonH11Protocol(H11Protocol):
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


def web_server(app: ASGIApp, tls: ssl.SSLContext | None = None) -> uvicorn.Server:
    """A server for :func:`gateway.api.app.create_app`; run it with ``await server.serve(sockets=[...])``."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=JsonH11Protocol,
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            log_level="critical",
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=5,
            h11_max_incomplete_event_size=32 * 1024,
            ssl_context_factory=None if tls is None else lambda config, default: tls,
        )
    )
