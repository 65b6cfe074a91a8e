"""[IO] A request becomes an actor: ``Authorization: Bearer mkl_...``, or a browser's session (sessions.py), then the
permission that its route names.

Wrong tokens count against their source as wrong signatures do (gateway.api.limits); a locked source is told so before
anything is looked up.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from gateway.admin.context import AdminContext
from gateway.admin.failures import Forbidden, LockedOut, Unauthenticated
from gateway.admin.roles import Actor, Permission
from gateway.admin.sessions import COOKIE, CSRF_HEADER, actor_of_session, csrf_holds
from gateway.admin.tokens import actor_of
from gateway.api.limits import Lockout, counted_source

_BEARER = HTTPBearer(auto_error=False, description="A token made by `maskline token create` or by `POST /v1/tokens`.")
_HARMLESS = ("GET", "HEAD")
Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]


def context_of(request: Request) -> AdminContext:
    """The context that the application was made with."""
    context: AdminContext = request.app.state.context
    return context


Context = Annotated[AdminContext, Depends(context_of)]


async def _actor(request: Request, bearer: Bearer, context: Context) -> Actor:
    if bearer is not None:
        return await token_actor(request, context, bearer.credentials)
    cookie = request.cookies.get(COOKIE)
    if cookie is None:
        raise Unauthenticated("A token is needed: Authorization: Bearer mkl_...")
    if request.method not in _HARMLESS and not csrf_holds(cookie, request.headers.get(CSRF_HEADER, "")):
        raise Forbidden(f"A session's request must carry {CSRF_HEADER}.")
    return await session_actor(request, context, cookie)


async def token_actor(request: Request, context: AdminContext, token: str) -> Actor:
    """Who has this token. LockedOut, Unauthenticated."""
    lockout: Lockout = request.app.state.lockout
    source = source_of(request)
    counted = counted_source(source)
    if lockout.locked(counted, context.monotonic()):
        raise LockedOut("Too many wrong tokens from this source; try again later.")
    actor = await actor_of(context.engine, token, context.clock(), source)
    if actor is None:
        lockout.failed(counted, context.monotonic())
        raise Unauthenticated("The token is unknown, expired or revoked.")
    return actor


async def session_actor(request: Request, context: AdminContext, cookie: str) -> Actor:
    """Who a cookie stands for. Unauthenticated."""
    actor = await actor_of_session(context.engine, cookie, context.clock(), source_of(request))
    if actor is None:
        raise Unauthenticated("The session is over: sign in again.")
    return actor


def source_of(request: Request) -> str:
    """The address that a request came from."""
    return request.client.host if request.client else ""


def _needing(permission: Permission) -> Callable[[Actor], Awaitable[Actor]]:
    async def check(actor: Annotated[Actor, Depends(_actor)]) -> Actor:
        if not actor.may(permission):
            raise Forbidden(f"The role {actor.role} may not do this.")
        return actor

    return check


Anybody = Annotated[Actor, Depends(_actor)]
Reader = Annotated[Actor, Depends(_needing(Permission.READ))]
Manager = Annotated[Actor, Depends(_needing(Permission.MANAGE))]
Operator = Annotated[Actor, Depends(_needing(Permission.OPERATE))]
Reviewer = Annotated[Actor, Depends(_needing(Permission.REVIEW))]
Recorder = Annotated[Actor, Depends(_needing(Permission.RECORDS))]
Auditor = Annotated[Actor, Depends(_needing(Permission.AUDIT))]
TokenKeeper = Annotated[Actor, Depends(_needing(Permission.TOKENS))]
