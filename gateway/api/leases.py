"""[IO] Which node delivers an application's events, when several share a database: one at a time, by a lease.

A node takes the lease of an application whose rows wait and that nobody holds, renews it in time, and gives it back
when it stops; one that dies keeps it until it runs out. It sends nothing that could still be on its way when its lease
has run out, so no event is ever delivered by two at the same time. Nodes' clocks must agree within ``MARGIN`` seconds.

Renewing is a transaction for all applications together, every third part of a lease: next to nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from sqlalchemy import delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.database import writing
from gateway.schema import delivery_lease as table

MARGIN = 5.0


class Leases:
    """Those of ``node``. ``longest``: seconds that one message may take; ``clock`` gives epoch seconds."""

    def __init__(self, engine: AsyncEngine, node: str, longest: float, clock: Callable[[], float]) -> None:
        self._engine = engine
        self._node = node
        self._longest = longest
        self._clock = clock
        self._life = 45.0 + 3 * longest
        self._until: dict[str, float] = {}

    def covers(self, application: str) -> bool:
        """Whether a message that is sent now will have ended before the lease does."""
        return self._until.get(application, 0.0) - self._clock() > self._longest + MARGIN

    async def hold(self, applications: Collection[str]) -> set[str]:
        """Take or renew leases; those of ``applications`` that are held."""
        now = self._clock()
        wanted = [key for key in applications if self._until.get(key, 0.0) - now < self._life * 2 / 3]
        if wanted:
            async with writing(self._engine) as connection:
                mine = await self._take(connection, wanted, now)
            for key in wanted:
                if key in mine:
                    self._until[key] = now + self._life
                else:
                    self._until.pop(key, None)
        return {key for key in applications if self.covers(key)}

    async def release(self) -> None:
        """Give all back, once nothing is on its way any more."""
        self._until.clear()
        async with writing(self._engine) as connection:
            await connection.execute(delete(table).where(table.c.node == self._node))

    async def _take(self, connection: AsyncConnection, wanted: Collection[str], now: float) -> set[str]:
        free = (table.c.application.in_(wanted), or_(table.c.node == self._node, table.c.until <= now - MARGIN))
        taken = update(table).where(*free).values(node=self._node, until=now + self._life)
        await connection.execute(taken)
        known = select(table.c.application, table.c.node).where(table.c.application.in_(wanted))
        holders = {row.application: row.node for row in await connection.execute(known)}
        for key in wanted:
            if key not in holders and await self._insert(connection, key, now):
                holders[key] = self._node
        return {key for key, node in holders.items() if node == self._node}

    async def _insert(self, connection: AsyncConnection, key: str, now: float) -> bool:
        try:
            async with connection.begin_nested():
                values = {"application": key, "node": self._node, "until": now + self._life}
                await connection.execute(insert(table).values(**values))
        except IntegrityError:
            return False  # another node was quicker
        return True
