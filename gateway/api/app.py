"""The web application: the vendor's paths, health, and one shape for every failure.

Whatever goes wrong leaves JSON with ``resultcode`` and a Content-Length (section 15, trap 4). Header names go out in
the spelling of RFC 9110 (``Location``, not ``location``), since deployed PHP clients look for that text.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from fastapi import FastAPI
from h11 import LocalProtocolError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.api import ax, axb, axe, axyb, call_stop, errors, recordings
from gateway.api.context import ApiContext, JsonReply
from gateway.api.described import ROUTES, SECURITY, operation
from gateway.api.docs_page import docs_page
from gateway.api.errors import ApiError
from gateway.api.gate import Gate

_log = structlog.get_logger()
Endpoint = Callable[[Request], Awaitable[Response]]


class VendorSpelling:
    """Outermost: header names in title case, and an exception nobody caught as 1010001."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        started = False

        async def spelled(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message = {**message, "headers": [(name.title(), value) for name, value in message["headers"]]}
            await send(message)

        try:
            await self._app(scope, receive, spelled)
        except (ClientDisconnect, LocalProtocolError):
            # The client is gone, or has sent what made its connection end: nobody waits for an answer.
            return
        except Exception as error:
            # The text of a database error holds bound values, that is people's numbers: only its type is logged.
            _log.error("a request failed", error=type(error).__name__, path=scope.get("path"))
            if not started:
                await _failure(ApiError(errors.INTERNAL_ERROR))(scope, receive, spelled)


def create_app(
    context: ApiContext,
    mounted: Mapping[str, ASGIApp] | None = None,
    pages: Mapping[str, Endpoint] | None = None,
) -> ASGIApp:
    """The ASGI application. ``mounted``: further ones by the path that they answer under; ``pages``: single ones."""
    app = FastAPI(title="Maskline", docs_url=None, redoc_url=None, redirect_slashes=False)
    gate = Gate(context)
    axb_api, ax_api = axb.AxbApi(context, gate), ax.AxApi(context, gate)
    axe_api, axyb_api = axe.AxeApi(context, gate), axyb.AxybApi(context, gate)
    stop_api, recording_api = call_stop.CallStopApi(context, gate), recordings.RecordingApi(context, gate)
    names = {axb.PATH: "AXB", ax.PATH: "AX", ax.CALLEE_PATH: "CALLEE", axe.PATH: "AXE", axyb.PATH: "AXYB",
             call_stop.PATH: "STOP", recordings.PATH: "RECORD"}  # fmt: skip
    for path, method, endpoint, title in (
        (axb.PATH, "POST", axb_api.bind, "AXB: bind"),
        (axb.PATH, "DELETE", axb_api.unbind, "AXB: unbind"),
        (axb.PATH, "PUT", axb_api.modify, "AXB: modify"),
        (axb.PATH, "GET", axb_api.query, "AXB: query"),
        (ax.PATH, "POST", ax_api.bind, "AX: bind"),
        (ax.PATH, "DELETE", ax_api.unbind, "AX: unbind"),
        (ax.PATH, "PUT", ax_api.modify, "AX: modify"),
        (ax.PATH, "GET", ax_api.query, "AX: query"),
        (ax.CALLEE_PATH, "PUT", ax_api.set_callee, "AX: set the temporary callee"),
        (axe.PATH, "POST", axe_api.bind, "AXE: bind"),
        (axe.PATH, "DELETE", axe_api.unbind, "AXE: unbind"),
        (axe.PATH, "PUT", axe_api.modify, "AXE: modify"),
        (axe.PATH, "GET", axe_api.query, "AXE: query"),
        (axyb.PATH, "POST", axyb_api.bind, "AXYB: bind A, or B to A's X"),
        (axyb.PATH, "DELETE", axyb_api.unbind, "AXYB: unbind"),
        (axyb.PATH, "GET", axyb_api.query, "AXYB: query"),
        (call_stop.PATH, "POST", stop_api.stop, "Stop a call"),
        (recordings.PATH, "GET", recording_api.address, "Download address of a recording"),
        (recordings.DOWNLOAD_PATH, "GET", recording_api.download, "Download a recording"),
    ):
        extra = operation(ROUTES[names[path] + " " + method], method) if path in names else {}
        app.add_api_route(
            path, _route(endpoint), methods=[method], summary=title, response_model=None, openapi_extra=extra
        )

    async def alive(request: Request) -> Response:
        """The web process answers."""
        return JsonReply({"status": "alive"})

    async def ready(request: Request) -> Response:
        """Calls can be taken: 200, else 503; ``notes``: what is wrong all the same."""
        good, notes = await context.ready()
        body = {"status": "ready" if good else "not ready", **({"notes": list(notes)} if notes else {})}
        return JsonReply(body, status_code=200 if good else 503)

    for path, endpoint, title in (("/healthz", alive, "Alive"), ("/readyz", ready, "Ready for calls")):
        app.add_api_route(path, endpoint, methods=["GET"], summary=title, response_model=None)
        app.add_api_route(path, endpoint, methods=["HEAD"], include_in_schema=False, response_model=None)
    for path, shown in (pages or {}).items():
        app.add_route(path, shown, methods=["GET"], include_in_schema=False)
    for path, other in (mounted or {}).items():
        app.mount(path, other)
    _secure(app)
    app.add_route("/docs", docs_page, include_in_schema=False)
    app.add_exception_handler(Exception, _unexpected)
    app.add_exception_handler(ApiError, _api_error)
    app.add_exception_handler(HTTPException, _http_error)
    return VendorSpelling(app)


def _secure(app: FastAPI) -> None:
    """Name the two generations of signatures in the description."""
    describe = app.openapi

    def described() -> dict[str, Any]:
        made = describe()
        made.setdefault("components", {})["securitySchemes"] = SECURITY
        return made

    app.openapi = described  # type: ignore[method-assign]


def _route(endpoint: Endpoint) -> Callable[[Request], Any]:
    async def handle(request: Request) -> Response:
        return await endpoint(request)

    handle.__name__ = endpoint.__qualname__.replace(".", "_").lower()
    handle.__doc__ = endpoint.__doc__
    return handle


def _failure(error: ApiError) -> JsonReply:
    return JsonReply(error.body, status_code=error.result.status)


async def _api_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return _failure(error)


async def _unexpected(request: Request, error: Exception) -> Response:
    """What nobody expected; Starlette raises it again afterwards, for VendorSpelling to log."""
    return _failure(ApiError(errors.INTERNAL_ERROR))


async def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    result = {404: errors.PATH_UNKNOWN, 405: errors.METHOD_NOT_ALLOWED}.get(status, errors.INVALID_REQUEST)
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    if status == 405:
        # Each method of a path is a route of its own, and Starlette names those of the first one only.
        headers["Allow"] = ", ".join(sorted(_methods(request)))
    return JsonReply(ApiError(result).body, status_code=status, headers=headers)


def _methods(request: Request) -> set[str]:
    """The methods of all routes of the request's path."""
    routes = [route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE]
    return {method for route in routes for method in getattr(route, "methods", None) or ()}
