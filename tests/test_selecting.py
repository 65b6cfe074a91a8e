from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import bindparam, insert, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.database import ask, open_engine, writing
from gateway.schema import application, number, registered_a
from tests.postgres import Postgres

BY_KEY = select(application.c.key, application.c.settings).where(application.c.key == bindparam("wanted"))
REGISTERED = select(registered_a.c.number).where(registered_a.c.number == bindparam("who"))


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    made = open_engine(database_url)
    yield made
    await made.dispose()


async def put(engine: AsyncEngine, key: str, settings: str = "{}") -> None:
    async with writing(engine) as connection:
        await connection.execute(insert(application).values(key=key, mode="AXB", settings=settings))


async def test_rows_in_the_order_of_the_columns(engine: AsyncEngine) -> None:
    await put(engine, "k", '{"secret": "s"}')
    assert await ask(engine, BY_KEY, {"wanted": "k"}) == [("k", '{"secret": "s"}')]
    assert await ask(engine, BY_KEY, {"wanted": "other"}) == []


async def test_what_was_written_a_moment_ago_is_seen(engine: AsyncEngine) -> None:
    for round in range(5):
        assert await ask(engine, BY_KEY, {"wanted": f"k{round}"}) == []
        await put(engine, f"k{round}")
        assert len(await ask(engine, BY_KEY, {"wanted": f"k{round}"})) == 1


async def test_values_and_cells_of_every_kind(engine: AsyncEngine) -> None:
    """Sealed numbers are looked up and opened (PostgreSQL's runs are sealed), booleans are booleans."""
    await put(engine, "k")
    x = {"x": "+8617000000001", "application": "k", "area_code": "0755", "province": "", "status": 5, "sms": True}
    async with writing(engine) as connection:
        await connection.execute(insert(number).values(**x))
        await connection.execute(insert(registered_a).values(application="k", number="+8613800000021"))
    wanted = select(number.c.sms, number.c.cause, number.c.status).where(number.c.status == 5)
    assert await ask(engine, wanted, {}) == [(True, None, 5)]
    assert await ask(engine, REGISTERED, {"who": "+8613800000021"}) == [("+8613800000021",)]


async def test_a_value_that_is_missing_is_an_error_of_ours(engine: AsyncEngine) -> None:
    with pytest.raises(KeyError):
        await ask(engine, BY_KEY, {})


async def test_many_at_once(engine: AsyncEngine) -> None:
    await put(engine, "k")
    answers = await asyncio.gather(*(ask(engine, BY_KEY, {"wanted": "k"}) for _ in range(100)))
    assert all(rows == [("k", "{}")] for rows in answers)


async def test_an_engine_that_was_disposed_of_can_be_asked_again(engine: AsyncEngine) -> None:
    await put(engine, "k")
    await ask(engine, BY_KEY, {"wanted": "k"})
    await engine.dispose()
    assert len(await ask(engine, BY_KEY, {"wanted": "k"})) == 1


async def test_a_server_that_was_restarted_is_no_failure(postgres: Postgres) -> None:
    """It has ended every connection of the pool: the next question gets its answer."""
    async with postgres.database(sealed=True) as url:
        engine, killer = open_engine(url), open_engine(postgres.url("postgres"))
        await put(engine, "k")
        await asyncio.gather(*(ask(engine, BY_KEY, {"wanted": "k"}) for _ in range(20)))
        async with writing(killer) as connection:
            end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'test%'"
            await connection.execute(text(end))
        answers = await asyncio.gather(*(ask(engine, BY_KEY, {"wanted": "k"}) for _ in range(20)))
        assert all(len(rows) == 1 for rows in answers)
        await engine.dispose()
        await killer.dispose()


async def test_a_server_out_of_reach_is_told_and_tried_again(postgres: Postgres) -> None:
    engine = open_engine(postgres.url("nowhere"))
    for _ in range(2):
        with pytest.raises(Exception, match="does not exist"):
            await ask(engine, BY_KEY, {"wanted": "k"})
    await engine.dispose()
