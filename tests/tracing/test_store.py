"""Switches and traces in both databases: what is kept, what goes, and what lies there when there is a key."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.database import open_engine, reading, writing
from gateway.tracing import store
from gateway.tracing.keeper import TraceKeeper
from gateway.tracing.recorder import Switch
from gateway.tracing.store import DAY, Traced
from tests.tracing.messages import CALL, A, B, X


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    made = open_engine(database_url)
    yield made
    await made.dispose()


def traced(session: str = "call-1", at: float = 0.0, numbers: tuple[str, ...] = (X, A, B)) -> list[Traced]:
    return [
        Traced(session=session, switch="w", order=order, side=side, sent=seen.sent, at=at + seen.at, data=seen.data,
               peer=(seen.peer.transport, seen.peer.host, seen.peer.port), here=("udp", "198.51.100.1", 5060),
               numbers=list(numbers))
        for order, (side, seen) in enumerate(CALL)
    ]  # fmt: skip


async def test_a_trace_comes_back_as_it_was_and_masked(engine: AsyncEngine) -> None:
    async with writing(engine) as connection:
        await store.put(connection, "gw1", traced(numbers=(X, A))[:2])
        await store.put(connection, "gw1", traced()[2:])
    async with reading(engine) as connection:
        trace = await store.read_trace(connection, "call-1")
        (listed,) = await store.read_list(connection)
        assert await store.read_trace(connection, "call-") is None
        assert await store.read_trace(connection, "unknown") is None
    assert trace is not None
    assert trace.messages == CALL
    assert (trace.numbers, trace.shown) == ({A, B}, {X})
    assert (listed.session, listed.node, listed.started_at, listed.messages) == ("call-1", "gw1", 1000.0, 4)
    for _, seen in trace.masked.messages:
        assert b"13800000021" not in seen.data
        assert b"13800000023" not in seen.data


async def test_what_lies_in_a_sealed_database_says_nothing(engine: AsyncEngine) -> None:
    async with writing(engine) as connection:
        await store.put(connection, "gw1", traced())
        await store.add_switch(connection, Switch("w", "number", B, 2e9, 1), "me", 1.0)
    async with reading(engine) as connection:
        cells: list[Any] = []
        for query in (
            "SELECT data FROM trace_message",
            "SELECT numbers FROM call_trace",
            "SELECT value FROM trace_switch",
        ):
            cells += (await connection.execute(text(query))).scalars()
    sealed = engine.dialect.name == "postgresql"
    assert ("13800000023" in str(cells)) is not sealed
    assert ("SU5WSVRF" in str(cells)) is not sealed  # INVITE in base64


async def test_the_oldest_go_when_there_are_too_many_and_all_when_their_days_are_over(engine: AsyncEngine) -> None:
    async with writing(engine) as connection:
        for index in range(5):
            await store.put(connection, "gw1", traced(f"call-{index}", at=10.0 * index))
        assert await store.purge(connection, 3, 7, 2000.0) == 2
    async with reading(engine) as connection:
        assert [one.session for one in await store.read_list(connection)] == ["call-4", "call-3", "call-2"]
    async with writing(engine) as connection:
        assert await store.purge(connection, 3, 7, 1030.0 + 7 * DAY) == 2
        count = (await connection.execute(text("SELECT count(*) FROM trace_message"))).scalar_one()
    assert count == len(CALL)


async def test_switches(engine: AsyncEngine) -> None:
    first, second = Switch("a", "number", B, 100.0, 5), Switch("b", "next", "", 200.0, 3)
    async with writing(engine) as connection:
        assert await store.add_switch(connection, first, "me", 1.0)
        assert await store.add_switch(connection, second, "me", 2.0)
    async with reading(engine) as connection:
        assert await store.read_switches(connection, 50.0) == [first, second]
        assert await store.read_switches(connection, 100.0) == [second]
    async with writing(engine) as connection:
        assert await store.end_switch(connection, "b")
        assert not await store.end_switch(connection, "b")
        for index in range(store.MOST_SWITCHES - 1):
            assert await store.add_switch(connection, Switch(f"{index}", "next", "", 900.0, 1), "me", 3.0)
        assert not await store.add_switch(connection, Switch("more", "next", "", 900.0, 1), "me", 3.0)


async def test_the_keeper_tells_of_changes_once_and_writes_what_comes(engine: AsyncEngine) -> None:
    told: list[list[Switch]] = []
    keeper = TraceKeeper(engine, "gw1", keep_calls=10, keep_days=10_000_000, tell=told.append)
    switch = Switch("a", "next", "", 2e9, 5)
    async with writing(engine) as connection:
        await store.add_switch(connection, switch, "me", 1.0)
    for message in traced():
        keeper.put(message)
    await keeper._turn()
    await keeper._turn()
    assert told == [[switch]]
    for message in (*traced(), replace_session(traced()[0], "call-2")):
        keeper.put(message)
    await keeper._turn()
    keeper.put(replace_session(traced()[0], "call-3"))
    await keeper._turn()
    async with reading(engine) as connection:
        assert {one.session: one.messages for one in await store.read_list(connection)} == {"call-1": 4, "call-3": 1}


def replace_session(message: Traced, session: str) -> Traced:
    import msgspec

    return msgspec.structs.replace(message, session=session)
