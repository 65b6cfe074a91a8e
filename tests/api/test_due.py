"""Which calls are looked at, and that what is left behind is not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.api.breaker import EVENTS
from gateway.api.due import KINDS, OVERDUE, Due, Event, due_calls, overdue_rows, put_off, waiting_applications
from gateway.calls.journal_rows import SEQ
from gateway.database import migrate, open_engine, reading, writing
from gateway.schema import outbox

NOW = 1000.0


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    url = f"sqlite+aiosqlite:///{tmp_path}/maskline.db"
    await migrate(url)
    engine = open_engine(url, synchronous="OFF")
    yield engine
    await engine.dispose()


async def add(
    engine: AsyncEngine, session: str, *rows: tuple[str, float], application: str = "app", state: str = "waiting"
) -> None:
    """Rows as (kind, due)."""
    async with writing(engine) as connection:
        for kind, due in rows:
            await connection.execute(
                insert(outbox).values(
                    id=f"{session}.{SEQ[kind]}", application=application, session=session, seq=SEQ[kind], kind=kind,
                    payload="{}", created_at=0.0, due_at=due, tries=0, state=state,
                )
            )  # fmt: skip


async def look(
    engine: AsyncEngine, *, room: int = 100, without: tuple[str, ...] = (), kinds: tuple[str, ...] = ()
) -> Due:
    return await due_calls(engine, "app", NOW, room=room, without=without, kinds=kinds)


def sessions(due: Due) -> set[str]:
    return {call[0].session for call in due.calls}


async def test_applications_with_rows_that_are_due(engine: AsyncEngine) -> None:
    assert await waiting_applications(engine, NOW) == {}
    for application, due, state in (
        ("b", NOW, "waiting"), ("a", 0.0, "waiting"), ("later", NOW + 1, "waiting"), ("over", 0.0, "done"),
        ("gone", 0.0, "dead"),
    ):  # fmt: skip
        for number in range(3):
            await add(engine, f"{application}{number}", ("callin", due), application=application, state=state)
    assert await waiting_applications(engine, NOW) == {"a": None, "b": None}


async def test_a_calls_rows_in_order_with_those_that_are_due_later(engine: AsyncEngine) -> None:
    await add(engine, "s", ("fee", NOW), ("callin", 1.0), ("answer", NOW + 5))
    await add(engine, "done", ("callin", 1.0), state="done")
    await add(engine, "other", ("callin", 1.0), application="other")
    due = await look(engine)
    assert [[row.kind for row in call] for call in due.calls] == [["callin", "answer", "fee"]]
    assert due.blocked == []
    assert not due.more


async def test_the_longest_due_first_as_far_as_there_is_room(engine: AsyncEngine) -> None:
    for number in range(5):
        await add(engine, f"s{number}", ("callin", float(number)))
    due = await look(engine, room=2)
    assert sessions(due) == {"s0", "s1"}
    assert due.more
    due = await look(engine, room=2, without=("s0", "s1", "s2"))
    assert sessions(due) == {"s3", "s4"}


@pytest.mark.parametrize("left_out", [1, 16, 17, 100])
async def test_calls_are_left_out_however_many(engine: AsyncEngine, left_out: int) -> None:
    for number in range(left_out + 1):
        await add(engine, f"s{number}", ("callin", float(number)))
    due = await look(engine, without=tuple(f"s{number}" for number in range(left_out)))
    assert sessions(due) == {f"s{left_out}"}


def test_an_event_is_a_row() -> None:
    assert list(Event._fields) == [column.name for column in outbox.c]


async def test_what_waits_behind_a_later_try_is_put_off_to_it_once(engine: AsyncEngine) -> None:
    await add(engine, "blocked", ("callin", NOW + 60), ("callout", 1.0), ("fee", 2.0))
    await add(engine, "free", ("callin", 3.0))
    due = await look(engine, room=1)
    assert (due.calls, due.blocked, due.more) == ([], [("blocked", NOW + 60)], True)
    await put_off(engine, due.blocked)
    due = await look(engine, room=1)
    assert sessions(due) == {"free"}
    async with reading(engine) as connection:
        query = select(outbox.c.due_at).where(outbox.c.session == "blocked")
        assert set((await connection.execute(query)).scalars()) == {NOW + 60}


async def test_kinds_that_rest_are_not_looked_at(engine: AsyncEngine) -> None:
    await add(engine, "s", ("callin", 1.0), ("fee", 2.0))
    await add(engine, "t", ("fee", 3.0))
    await add(engine, "u", ("sms", 4.0))
    assert sessions(await look(engine, kinds=("fee",))) == {"s", "u"}
    assert sessions(await look(engine, kinds=(*EVENTS, "fee"))) == {"u"}
    assert sessions(await look(engine, kinds=EVENTS)) == {"s", "t", "u"}
    assert sessions(await look(engine, kinds=KINDS)) == set()
    due = await look(engine, room=1, kinds=EVENTS)
    assert sessions(due) == {"s"}


def test_all_kinds_of_the_journal_are_known() -> None:
    assert set(SEQ) | {"numStatus"} == set(KINDS)


async def test_overdue_rows_some_at_a_time(engine: AsyncEngine) -> None:
    await add(engine, "s", ("callin", 1.0), ("fee", 2.0))
    await add(engine, "t", ("callin", 900.0))
    for number in range(OVERDUE):
        await add(engine, f"u{number}", ("callin", 5.0))
    found = await overdue_rows(engine, "app", 500.0, without=(), kinds=EVENTS)
    assert len(found) == OVERDUE
    assert (found[0].session, found[0].kind) == ("s", "callin")
    assert await overdue_rows(engine, "app", 500.0, without=("s",), kinds=("fee",)) == []
