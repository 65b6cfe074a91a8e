"""The management API as an application of its own, mounted at ``/v1`` beside the vendor's paths.

Its errors (failures.py), its OpenAPI page and its tokens have nothing in common with the vendor's dialect.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import IntegrityError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.admin import (
    addresses,
    applications,
    audit_log,
    bans,
    bindings,
    calls,
    contacts,
    enterprises,
    holds,
    ledger,
    lists,
    numbers,
    orders,
    phones,
    recordings,
    records,
    token_routes,
    tones,
    traces,
    trunks,
)  # fmt: skip
from gateway.admin.context import AdminContext
from gateway.admin.failures import AdminError, Failure, Fault
from gateway.api.docs_page import docs_page
from gateway.api.limits import Lockout

_BAD: dict[int | str, dict[str, Any]] = {status: {"model": Failure} for status in (400, 401, 403, 404, 409, 429)}
_CODES = {404: "not_found", 405: "not_allowed", 413: "too_large"}
ROUTERS: Sequence[APIRouter] = (
    token_routes.router, audit_log.router, enterprises.router, applications.router, addresses.router, contacts.router,
    numbers.router, bindings.router, orders.router, lists.router, calls.router, tones.router,
    records.router, recordings.router, holds.router, ledger.router, bans.router, trunks.router, traces.router,
    phones.router,
)  # fmt: skip


def create_admin(context: AdminContext) -> FastAPI:
    """The ASGI application for ``/v1``."""
    app = FastAPI(title="Maskline management API", version="1", docs_url=None, redoc_url=None, responses=_BAD)
    app.state.context = context
    settings = context.settings
    app.state.lockout = Lockout(settings.lockout_failures, settings.lockout_within, settings.lockout_seconds)
    for router in ROUTERS:
        app.include_router(router)
    app.add_route("/docs", docs_page, include_in_schema=False)
    app.add_exception_handler(AdminError, _admin_error)
    app.add_exception_handler(IntegrityError, _crossed)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unexpected)
    return app


async def _admin_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, AdminError)
    headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else {}
    return JSONResponse(error.body, status_code=error.status, headers=headers)


async def _crossed(request: Request, error: Exception) -> Response:
    """Two requests made the same thing in the same moment; this one came second and has changed nothing."""
    return _reply(409, "conflict", "Somebody else has just changed the same thing; try again.")


async def _invalid(request: Request, error: Exception) -> Response:
    """The first fault; what was sent is not repeated, it may be a real number."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:])
    text = str(first["msg"]).removeprefix("Value error, ")
    return _reply(400, "invalid", text, where or None)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    reply = _reply(error.status_code, _CODES.get(error.status_code, "invalid"), str(error.detail))
    reply.headers.update(error.headers or {})
    return reply


async def _unexpected(request: Request, error: Exception) -> Response:
    return _reply(500, "internal", "A fault of ours; the request was not carried out.")


def _reply(status: int, code: str, message: str, field: str | None = None) -> JSONResponse:
    body = Failure(error=Fault(code=code, message=message, field=field))
    return JSONResponse(body.model_dump(), status_code=status)
