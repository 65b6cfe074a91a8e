"""[IO] Which calls have rows of the outbox to deliver, for one application after the other.

What a look costs must not grow with what a dead server leaves behind, for it is taken many times a second on behalf of
all customers. So it walks an index (state, application, due_at): from one application that waits to the next, and in
each over as many rows as there is room for. Rows that wait behind an earlier one of their call, which will be tried
again later, would stand at the front of each look; they are put off to that row's time, once.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Collection, Iterable, Sequence
from functools import cache
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

from sqlalchemy import Select, String, bindparam, func, literal, select, union_all, update
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.database import ask, commit
from gateway.schema import application, outbox

KINDS = ("callin", "collectInfo", "callout", "alerting", "answer", "disconnect", "fee", "sms", "numStatus")
OVERDUE = 200
_PUT_OFF = update(outbox).where(
    outbox.c.session == bindparam("of"), outbox.c.state == "waiting", outbox.c.due_at < bindparam("at")
).values(due_at=bindparam("at"))  # fmt: skip


class Event(NamedTuple):
    """A row of the outbox."""

    id: str
    application: str
    session: str
    seq: int
    kind: str
    payload: str
    created_at: float
    due_at: float
    tries: int
    state: str


def _waiting() -> Select[Any]:
    waiting = outbox.c.state == "waiting"
    first = select(func.min(outbox.c.application).label("key")).where(waiting).cte("keys", recursive=True)
    following = select(func.min(outbox.c.application)).where(waiting, outbox.c.application > first.c.key)
    keys = first.union_all(select(following.scalar_subquery()).where(first.c.key.is_not(None)))
    earliest = select(func.min(outbox.c.due_at)).where(waiting, outbox.c.application == keys.c.key)
    columns = [column.label(f"application_{column.name}") for column in application.c]
    return (
        select(keys.c.key, *columns)
        .select_from(keys.outerjoin(application, application.c.key == keys.c.key))
        .where(keys.c.key.is_not(None), earliest.scalar_subquery() <= bindparam("now"))
    )


_APPLICATION: Any = namedtuple("_APPLICATION", [column.name for column in application.c])  # type: ignore[misc]
_WAITING = _waiting()


class Due(NamedTuple):
    """``calls``: their waiting rows in order, the first of them due. ``blocked``: calls whose first row is due later,
    and when. ``more``: there may be others."""

    calls: list[list[Event]]
    blocked: list[tuple[str, float]]
    more: bool


async def waiting_applications(engine: AsyncEngine, now: float) -> dict[str, Any]:
    """Applications with rows that are due, and the row of each as it is now: one step in the index for each that has
    waiting rows."""
    found = await ask(engine, _WAITING, {"now": now})
    return {key: None if row[0] is None else _APPLICATION._make(row) for key, *row in found}


async def due_calls(
    engine: AsyncEngine, key: str, now: float, *, room: int, without: Collection[str], kinds: Collection[str]
) -> Due:
    """Calls of an application with due rows, the longest due first: as many as ``room`` rows stand for.

    ``without``: calls that are left out. ``kinds``: rows that don't count as due.
    """
    if not set(KINDS).difference(kinds):
        return Due([], [], more=False)
    query = _due(_width(without), tuple(sorted(kinds)))
    values = {"key": key, "now": now, "room": room, **_padded(without)}
    rows = [row for row in map(Event._make, await ask(engine, query, values)) if row.state == "waiting"]
    calls = [list(of_call) for _, of_call in groupby(rows, attrgetter("session"))]
    return Due(
        [call for call in calls if call[0].due_at <= now],
        [(call[0].session, call[0].due_at) for call in calls if call[0].due_at > now],
        more=sum(row.due_at <= now and row.kind not in kinds for row in rows) >= room,
    )


async def overdue_rows(
    engine: AsyncEngine, key: str, before: float, *, without: Collection[str], kinds: Collection[str]
) -> Sequence[Event]:
    """Some waiting rows of certain kinds that have been due since before a moment, whatever they wait for."""
    query = _overdue(_width(without), tuple(sorted(kinds)))
    return list(map(Event._make, await ask(engine, query, {"key": key, "before": before, **_padded(without)})))


async def put_off(engine: AsyncEngine, blocked: Sequence[tuple[str, float]]) -> None:
    """All waiting rows of calls wait until a moment."""
    if blocked:
        await commit(engine, [(_PUT_OFF, [{"of": session, "at": at} for session, at in blocked])])


# --- the statements: a constant for each width of what is left out, since a statement is compiled but once -----------


def _width(without: Collection[str]) -> int:
    """How many calls a statement can leave out that can leave out these."""
    width = 16 if without else 0
    while width < len(without):
        width *= 4
    return width


def _padded(without: Collection[str]) -> dict[str, str]:
    """The values of a statement of this width; no call's session is ""."""
    values = dict.fromkeys(_names(_width(without)), "")
    values.update(zip(values, without, strict=False))
    return values


def _names(width: int) -> Iterable[str]:
    return (f"without{place}" for place in range(width))


def _others(query: Select[Any], width: int) -> Select[Any]:
    """Rows of other calls than those that are left out."""
    if not width:
        return query
    return query.where(outbox.c.session.not_in([bindparam(name, type_=String) for name in _names(width)]))


@cache
def _due(width: int, kinds: tuple[str, ...]) -> Select[Any]:
    due = select(outbox.c.session, outbox.c.due_at).where(
        outbox.c.state == "waiting", outbox.c.application == bindparam("key"), outbox.c.due_at <= bindparam("now")
    )
    due = _others(due, width).order_by(outbox.c.due_at).limit(bindparam("room"))
    if kinds:
        # To pass over what rests would take the longer the longer it rests: each other kind has its part of an index.
        arms = [select(due.where(outbox.c.kind == kind).subquery()) for kind in KINDS if kind not in kinds]
        together = union_all(*arms).subquery()
        due = select(together).order_by(together.c.due_at).limit(bindparam("room"))
    # The state is looked at by who asks: as a condition it would lead into the index of all that waits.
    query = select(outbox).where(outbox.c.session.in_(select(due.subquery().c.session)))
    return query.order_by(outbox.c.session, outbox.c.seq)


@cache
def _overdue(width: int, kinds: tuple[str, ...]) -> Select[Any]:
    query = select(outbox).where(
        *(
            outbox.c.state == "waiting",
            outbox.c.application == bindparam("key"),
            outbox.c.kind.in_([literal(kind) for kind in kinds]),
        ),
        outbox.c.due_at < bindparam("before"),
    )
    return _others(query, width).order_by(outbox.c.due_at).limit(OVERDUE)
