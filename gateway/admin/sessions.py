"""[IO] A browser's session: a token is shown once, and a cookie stands for it from then on.

    cookie    192 random bits, HttpOnly, SameSite=Strict; the table keeps its hash only
    life      ``LIFE_SECONDS``, or less: it ends with its token, and when the browser signs out
    CSRF      a text made of the cookie by a hash; a page of ours is told it and sends it back as X-CSRF-Token with
              every request that changes something. Another site's page can neither read it nor the cookie.

    numbers   masked, whatever the role may see, until the user asks for them: for ``REVEAL_SECONDS``, and audited

Sessions live in the database, so every node behind one address knows them, and a restart ends none.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import replace
from datetime import datetime

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.admin.audit import changing
from gateway.admin.roles import Actor
from gateway.admin.tables import admin_token, console_session
from gateway.admin.tokens import actor_of_row
from gateway.database import reading, writing

COOKIE = "maskline_session"
CSRF_HEADER = "X-CSRF-Token"
LIFE_SECONDS = 12 * 3600
REVEAL_SECONDS = 15 * 60


def csrf_of(cookie: str) -> str:
    """The text that goes with a cookie."""
    return hmac.new(cookie.encode(), b"maskline csrf", hashlib.sha256).hexdigest()[:32]


def csrf_holds(cookie: str, given: str) -> bool:
    """Whether a request came from a page of ours."""
    return hmac.compare_digest(csrf_of(cookie).encode(), given.encode("latin-1", "replace"))


async def open_session(engine: AsyncEngine, actor: Actor, at: datetime) -> str:
    """A new session of an actor; its cookie. Sessions that are over are forgotten."""
    cookie, now = secrets.token_urlsafe(24), at.timestamp()
    async with changing(engine, actor, at) as change:
        await change.connection.execute(delete(console_session).where(console_session.c.expires_at <= now))
        await change.connection.execute(
            insert(console_session).values(
                id=_hash(cookie), token=actor.token, created_at=now, expires_at=now + LIFE_SECONDS
            )
        )
        change.note("session.open", f"token/{actor.token}")
    return cookie


async def actor_of_session(engine: AsyncEngine, cookie: str, at: datetime, source: str) -> Actor | None:
    """Who a cookie stands for; None when it is unknown or over, or its token is."""
    query = (
        select(admin_token, console_session.c.reveals_until)
        .join(console_session, console_session.c.token == admin_token.c.id)
        .where(console_session.c.id == _hash(cookie), console_session.c.expires_at > at.timestamp())
    )
    async with reading(engine) as connection:
        row = (await connection.execute(query)).first()
    if row is None:
        return None
    actor = actor_of_row(row, at, source)
    return actor and replace(actor, veiled=row.reveals_until is None or row.reveals_until <= at.timestamp())


async def reveal(engine: AsyncEngine, actor: Actor, cookie: str, at: datetime, *, wanted: bool) -> None:
    """Show real numbers for a while, or no more."""
    until = at.timestamp() + REVEAL_SECONDS if wanted else None
    async with changing(engine, actor, at) as change:
        mine = update(console_session).where(console_session.c.id == _hash(cookie))
        await change.connection.execute(mine.values(reveals_until=until))
        change.note("session.reveal" if wanted else "session.veil", f"token/{actor.token}")


async def close_session(engine: AsyncEngine, cookie: str) -> None:
    """Sign out."""
    async with writing(engine) as connection:
        await connection.execute(delete(console_session).where(console_session.c.id == _hash(cookie)))


def _hash(cookie: str) -> str:
    return hashlib.sha256(cookie.encode("utf-8", "replace")).hexdigest()
