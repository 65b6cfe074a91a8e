"""[IO] Switches and traces in the database. All but the last ``keep_calls`` traces are deleted, and those of old days.

Messages are given out as they were; who shows them masks them (``masked``) unless he may show them whole.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec
from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.database import ask
from gateway.sip.hop import Hop
from gateway.tracing.masking import mask_message
from gateway.tracing.messages import Seen
from gateway.tracing.recorder import Switch
from gateway.tracing.tables import call_trace, trace_message, trace_switch

DAY = 86400.0
MOST_SWITCHES = 100
_SWITCHES = (
    select(trace_switch.c.id, trace_switch.c.kind, trace_switch.c.value, trace_switch.c.until, trace_switch.c.calls)
    .where(trace_switch.c.until > bindparam("now"))
    .order_by(trace_switch.c.created_at)
)


class Traced(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """A message of a traced call on its way to the database. ``numbers``: those of the call that are known by now,
    X first."""

    session: str
    switch: str
    order: int
    side: int
    sent: bool
    at: float
    peer: tuple[str, str, int]
    here: tuple[str, str, int]
    data: bytes
    numbers: list[str]

    def __repr__(self) -> str:
        """Without what was said."""
        return f"<Traced {self.session} {self.order}>"


@dataclass(frozen=True, slots=True)
class Trace:
    """One call's. ``numbers``: all that it had, ``shown`` those of them that need not be hidden."""

    session: str
    started_at: float
    numbers: frozenset[str]
    shown: frozenset[str]
    messages: tuple[tuple[int, Seen], ...]

    @property
    def masked(self) -> Trace:
        """The same with real numbers starred."""
        messages = [
            (side, replace(seen, data=mask_message(seen.data, self.numbers, self.shown)))
            for side, seen in self.messages
        ]
        return replace(self, messages=tuple(messages))


async def add_switch(connection: AsyncConnection, switch: Switch, by: str, now: float) -> bool:
    """Turn one on; False: there are too many already."""
    await connection.execute(delete(trace_switch).where(trace_switch.c.until <= now))
    count = (await connection.execute(select(func.count()).select_from(trace_switch))).scalar_one()
    if count >= MOST_SWITCHES:
        return False
    values = msgspec.structs.asdict(switch) | {"created_at": now, "created_by": by[:128]}
    await connection.execute(insert(trace_switch).values(**values))
    return True


async def end_switch(connection: AsyncConnection, id: str) -> bool:
    """Turn one off; False: there is none."""
    return bool((await connection.execute(delete(trace_switch).where(trace_switch.c.id == id))).rowcount)


async def read_switches(connection: AsyncConnection, now: float) -> list[Switch]:
    """Those that are on."""
    return [Switch(*row) for row in await connection.execute(_SWITCHES, {"now": now})]


async def look_for_switches(engine: AsyncEngine, now: float) -> list[Switch]:
    """The same for who looks every few seconds."""
    return [Switch(*row) for row in await ask(engine, _SWITCHES, {"now": now})]


async def put(connection: AsyncConnection, node: str, messages: Sequence[Traced]) -> None:
    """Write messages down, once each."""
    calls: dict[str, list[Traced]] = {}
    for one in messages:
        calls.setdefault(one.session, []).append(one)
    for session, some in calls.items():
        numbers = json.dumps(some[-1].numbers)
        known = (await connection.execute(select(call_trace.c.numbers).where(call_trace.c.session == session))).scalar()
        if known is None:
            await connection.execute(insert(call_trace).values(
                session=session, switch=some[0].switch, node=node, numbers=numbers, started_at=some[0].at))  # fmt: skip
        elif known != numbers:
            of_call = call_trace.c.session == session
            await connection.execute(update(call_trace).where(of_call).values(numbers=numbers))
        await connection.execute(insert(trace_message), [
            {"session": session, "order": one.order, "at": one.at, "side": one.side, "sent": one.sent,
             "peer": _text(one.peer), "here": _text(one.here), "data": base64.b64encode(one.data).decode("ascii")}
            for one in some
        ])  # fmt: skip


async def purge(connection: AsyncConnection, keep_calls: int, keep_days: float, now: float) -> int:
    """Delete what is too much or too old; how many traces."""
    newest = select(call_trace.c.started_at).order_by(call_trace.c.started_at.desc()).offset(keep_calls).limit(1)
    limit = max(now - keep_days * DAY, (await connection.execute(newest)).scalar() or 0.0)
    old = select(call_trace.c.session).where(call_trace.c.started_at <= limit)
    # SQLite deletes children only where foreign keys are on, PostgreSQL always: say both.
    await connection.execute(delete(trace_message).where(trace_message.c.session.in_(old)))
    return (await connection.execute(delete(call_trace).where(call_trace.c.started_at <= limit))).rowcount


@dataclass(frozen=True, slots=True)
class Listed:
    """A trace in a list."""

    session: str
    node: str
    started_at: float
    messages: int


async def read_list(connection: AsyncConnection, limit: int = 200) -> list[Listed]:
    """The newest first."""
    counted = select(trace_message.c.session, func.count().label("count")).group_by(trace_message.c.session).subquery()
    query = (
        select(call_trace, counted.c.count)
        .outerjoin(counted, counted.c.session == call_trace.c.session)
        .order_by(call_trace.c.started_at.desc())
        .limit(limit)
    )
    rows = await connection.execute(query)
    return [Listed(row.session, row.node, row.started_at, row._mapping["count"] or 0) for row in rows]


async def read_trace(connection: AsyncConnection, session: str) -> Trace | None:
    """One call's; ``session`` may be the beginning of its id when that is enough to tell it."""
    found = (await connection.execute(select(call_trace).where(call_trace.c.session == session))).first()
    if found is None:
        like = call_trace.c.session.startswith(session, autoescape=True)
        several = (await connection.execute(select(call_trace).where(like).limit(2))).all()
        if len(session) < 6 or len(several) != 1:
            return None
        found = several[0]
    query = select(trace_message).where(trace_message.c.session == found.session).order_by(trace_message.c.order)
    messages = tuple(
        (row.side, Seen(row.at, row.sent, _hop(row.peer), _hop(row.here), base64.b64decode(row.data)))
        for row in await connection.execute(query)
    )
    numbers: list[str] = json.loads(found.numbers)
    # The first one is X: it is there to be seen.
    return Trace(found.session, found.started_at, frozenset(numbers[1:]), frozenset(numbers[:1]), messages)


def _text(hop: tuple[str, str, int]) -> str:
    return " ".join(map(str, hop))


def _hop(text: str) -> Hop:
    transport, host, port = text.split(" ")
    return Hop(transport, host, int(port))
