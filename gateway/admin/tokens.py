"""[IO] Tokens: made once, shown once, kept as a hash.

A token reads ``mkl_<id>_<secret>``: the id finds the row, the secret (192 random bits) proves it. A leaked one can be
found by its beginning, in logs and by scanners of repositories.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.admin.roles import Actor, Role
from gateway.admin.tables import admin_token, enterprise
from gateway.bindings.rows import when
from gateway.database import reading

_PREFIX = "mkl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What may be shown of a token."""

    id: str
    name: str
    role: Role
    enterprise: str | None
    created_at: datetime | None
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None


class TokenError(ValueError):
    """A token that can't be made, in words."""


async def make_token(
    connection: AsyncConnection,
    *,
    name: str,
    role: Role,
    enterprise_id: str | None,
    by: str,
    at: datetime,
    expires_at: datetime | None = None,
) -> tuple[str, str]:
    """A new token's id, and its text, which is not kept. TokenError."""
    if (role is Role.TENANT) != (enterprise_id is not None):
        raise TokenError("a tenant's token needs an enterprise, and no other has one")
    if enterprise_id is not None:
        known = select(enterprise.c.id).where(enterprise.c.id == enterprise_id)
        if (await connection.execute(known)).first() is None:
            raise TokenError("there is no such enterprise")
    id, secret = secrets.token_hex(6), secrets.token_hex(24)
    await connection.execute(
        insert(admin_token).values(
            id=id, name=name, role=role.value, enterprise=enterprise_id, digest=_digest(secret),
            created_at=at.timestamp(), created_by=by, expires_at=expires_at.timestamp() if expires_at else None,
        )
    )  # fmt: skip
    return id, f"{_PREFIX}_{id}_{secret}"


async def revoke_token(connection: AsyncConnection, id: str, at: datetime) -> bool:
    """Revoke one; False when there is none that still counts."""
    live = (admin_token.c.id == id, admin_token.c.revoked_at.is_(None))
    changed = await connection.execute(update(admin_token).where(*live).values(revoked_at=at.timestamp()))
    return bool(changed.rowcount)


async def actor_of(engine: AsyncEngine, text: str, at: datetime, source: str) -> Actor | None:
    """Who has this token; None for one that is no token of ours, expired or revoked."""
    prefix, _, rest = text.partition("_")
    id, _, secret = rest.partition("_")
    if prefix != _PREFIX or not id or not secret:
        return None
    async with reading(engine) as connection:
        row = (await connection.execute(select(admin_token).where(admin_token.c.id == id[:32]))).first()
    # Compared for an unknown id too, so that the time tells nothing.
    matches = hmac.compare_digest(_digest(secret), row.digest if row else "")
    return actor_of_row(row, at, source) if row is not None and matches else None


def actor_of_row(row: Any, at: datetime, source: str) -> Actor | None:
    """Who has the token of a row; None when it is expired or revoked."""
    if row.revoked_at is not None or (row.expires_at is not None and row.expires_at <= at.timestamp()):
        return None
    return Actor(token=row.id, name=row.name, role=Role(row.role), enterprise=row.enterprise, source=source)


def read_token(row: Any) -> Token:
    """A row as a value."""
    return Token(
        id=row.id, name=row.name, role=Role(row.role), enterprise=row.enterprise, created_at=when(row.created_at),
        created_by=row.created_by, expires_at=when(row.expires_at), revoked_at=when(row.revoked_at),
    )  # fmt: skip


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
