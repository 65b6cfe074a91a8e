"""[IO] Who did what: every change writes its entry in its own transaction, so neither is there without the other.

``action`` is the topic and the verb (``number.release``), ``subject`` what was changed (``number/+8617...`` for an X,
an id otherwise), ``detail`` JSON of what was said, without secrets and with real numbers masked.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.admin.roles import Actor
from gateway.admin.tables import audit_entry
from gateway.database import writing

_LONGEST = 4000


class Change:
    """A transaction with its entries: ``note`` each thing that is changed."""

    def __init__(self, connection: AsyncConnection, actor: Actor, at: datetime) -> None:
        self.connection = connection
        self.actor = actor
        self.at = at
        self._entries: list[dict[str, Any]] = []

    def note(
        self, action: str, subject: str, detail: Mapping[str, Any] | None = None, *, enterprise: str | None = None
    ) -> None:
        """Say what was done; it is written when the transaction ends. ``enterprise``: whose thing it is."""
        text = json.dumps(dict(detail or {}), ensure_ascii=False, default=str)
        actor = self.actor
        self._entries.append(
            {"at": self.at.timestamp(), "token": actor.token, "actor": actor.name, "role": actor.role.value,
             "source": actor.source, "action": action, "subject": subject[:160],
             "enterprise": enterprise or actor.enterprise,
             "detail": text if len(text) <= _LONGEST else '{"long": true}'}
        )  # fmt: skip

    async def write(self) -> None:
        """Put the entries into the transaction."""
        if self._entries:
            await self.connection.execute(insert(audit_entry), self._entries)


@asynccontextmanager
async def changing(engine: AsyncEngine, actor: Actor, at: datetime) -> AsyncIterator[Change]:
    """A transaction of ``actor``. A change that notes nothing is a mistake of ours: AssertionError, rolled back."""
    async with writing(engine) as connection:
        change = Change(connection, actor, at)
        yield change
        assert change._entries, "a change without an audit entry"
        await change.write()
