"""[IO] ``/console``: its files, the session of a browser, and the live feed.

A token of the management API is shown once to sign in; from then on a cookie stands for it (gateway.admin.sessions),
and the pages ask ``/v1`` with it. Every answer forbids scripts and styles that are not files of ours, framing, and
requests to anywhere else, so the pages work without the internet and a number in a page can't be sent away.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, FastAPI, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import FileResponse, JSONResponse, RedirectResponse

from gateway.admin.context import AdminContext
from gateway.admin.door import Anybody, Context, session_actor, token_actor
from gateway.admin.failures import AdminError, Forbidden, NotFound, Unauthenticated
from gateway.admin.roles import GRANTED, Actor, Permission
from gateway.admin.sessions import COOKIE, LIFE_SECONDS, close_session, csrf_of, open_session, reveal
from gateway.api.limits import Lockout
from gateway.console.feed import Feed, stream

STATIC = Path(__file__).parent / "static"
PREFIX = "/console"
KINDS = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml",
         ".js": "text/javascript; charset=utf-8"}  # fmt: skip
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "media-src 'self' blob:; connect-src 'self' ws: wss:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}

router = APIRouter()


class SignIn(BaseModel):
    """The token of who signs in."""

    model_config = ConfigDict(extra="forbid")
    token: Annotated[str, Field(min_length=1, max_length=256)]


class Numbers(BaseModel):
    """Whether real numbers are to be shown."""

    model_config = ConfigDict(extra="forbid")
    shown: bool


class Session(BaseModel):
    """Who is signed in, what he may, whether he may ask for real numbers, and what his page sends as X-CSRF-Token.
    ``zone``: whose days statistics count."""

    name: str
    role: str
    enterprise: str | None
    may: list[str]
    may_reveal: bool
    csrf: str
    zone: str


async def console_home(request: Request) -> Response:
    """``/console`` itself: its files lie below, so its address ends with a slash."""
    return RedirectResponse(PREFIX + "/", 308)


def create_console(context: AdminContext) -> FastAPI:
    """The ASGI application for ``/console``."""
    app = FastAPI(title="Maskline console", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.context = context
    settings = context.settings
    app.state.lockout = Lockout(settings.lockout_failures, settings.lockout_within, settings.lockout_seconds)
    app.state.feed = Feed(context)
    app.include_router(router)
    app.add_exception_handler(AdminError, _admin_error)
    return app


async def _admin_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, AdminError)
    return JSONResponse(error.body, status_code=error.status, headers=HEADERS)


@router.get("/session")
async def session(request: Request, context: Context) -> Session:
    """Who the browser's cookie stands for."""
    cookie = request.cookies.get(COOKIE)
    if cookie is None:
        raise Unauthenticated("Nobody is signed in.")
    return _shown(await session_actor(request, context, cookie), cookie, context)


@router.post("/session", status_code=201)
async def sign_in(request: Request, response: Response, context: Context, wanted: SignIn) -> Session:
    """A token for a cookie. Wrong tokens count against their source."""
    actor = await token_actor(request, context, wanted.token.strip())
    cookie = await open_session(context.engine, actor, context.clock())
    actor = replace(actor, veiled=True)
    response.set_cookie(
        COOKIE, cookie, max_age=LIFE_SECONDS, httponly=True, samesite="strict", path="/",
        secure=request.url.scheme == "https",
    )  # fmt: skip
    response.headers.update(HEADERS)
    return _shown(actor, cookie, context)


@router.delete("/session", status_code=204)
async def sign_out(request: Request, response: Response, actor: Anybody, context: Context) -> None:
    """The cookie stands for nobody any more."""
    await close_session(context.engine, request.cookies.get(COOKIE, ""))
    response.delete_cookie(COOKIE, path="/")


@router.put("/session/numbers")
async def numbers(request: Request, actor: Anybody, context: Context, wanted: Numbers) -> Session:
    """Real numbers, for a while, to who may see them; it is written down."""
    cookie = request.cookies.get(COOKIE, "")
    if wanted.shown and Permission.REVEAL not in GRANTED[actor.role]:
        raise Forbidden(f"The role {actor.role} may not see real numbers.")
    await reveal(context.engine, actor, cookie, context.clock(), wanted=wanted.shown)
    return _shown(await session_actor(request, context, cookie), cookie, context)


@router.get("/feed")
async def feed(request: Request, actor: Anybody) -> Response:
    """Server-sent events: the calls that stand, whenever they change."""
    return stream(request.app.state.feed, actor)


@router.get("/{path:path}")
async def file(path: str) -> Response:
    """A file of the console; what is no file is the page itself."""
    wanted = path or "index.html"
    found = (STATIC / wanted).resolve()
    if not found.is_relative_to(STATIC) or not found.is_file() or found.suffix not in KINDS:
        raise NotFound("There is no such file.")
    return FileResponse(found, media_type=KINDS[found.suffix], headers=HEADERS)


def _shown(actor: Actor, cookie: str, context: AdminContext) -> Session:
    may = [permission.name for permission in Permission if actor.may(permission)]
    return Session(
        name=actor.name, role=actor.role, enterprise=actor.enterprise, may=may,
        may_reveal=Permission.REVEAL in GRANTED[actor.role], csrf=csrf_of(cookie), zone=str(context.settings.zone),
    )  # fmt: skip
