"""Transactions that are known before they begin, on both databases; PostgreSQL's are sealed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import bindparam, delete, insert, select, text, update
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.database import commit, migrate, open_engine, reading, writing
from gateway.schema import application, attempt, outbox, registered_a
from gateway.vault.cipher import VaultError
from gateway.vault.columns import vault_of
from gateway.vault.guard import put_key
from gateway.vault.keys import add_key
from tests.postgres import Postgres

ADD = insert(registered_a)
GO = delete(registered_a).where(registered_a.c.number == bindparam("who"))
APPLICATION = insert(application)
NAME = update(application).where(application.c.key == bindparam("wanted")).values(name=bindparam("new"))
EVENT, TRIED = insert(outbox), insert(attempt)


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    made = open_engine(database_url)
    yield made
    await made.dispose()


def numbers(*lasts: int, of: str = "k") -> list[dict[str, str]]:
    return [{"application": of, "number": f"+86138000000{last}"} for last in lasts]


async def found(engine: AsyncEngine, statement: Any) -> list[Any]:
    async with reading(engine) as connection:
        return [tuple(row) for row in await connection.execute(statement)]


async def registered(engine: AsyncEngine) -> set[str]:
    return {number for (number,) in await found(engine, select(registered_a.c.number))}


async def test_several_statements_in_their_order(engine: AsyncEngine) -> None:
    await commit(engine, [(ADD, numbers(21, 22, 23)), (GO, [{"who": "+8613800000022"}]), (GO, [])])
    assert await registered(engine) == {"+8613800000021", "+8613800000023"}


async def test_one_row_and_many_and_none(engine: AsyncEngine) -> None:
    for count in (1, 500, 0):
        rows = [{"key": f"{count}.{place}", "mode": "AX", "settings": "{}"} for place in range(count)]
        await commit(engine, [(APPLICATION, rows)])
    await commit(engine, [(NAME, [{"wanted": "1.0", "new": "one"}, {"wanted": "500.7", "new": "eight"}])])
    names = await found(engine, select(application.c.key, application.c.name).where(application.c.name != ""))
    assert sorted(names) == [("1.0", "one"), ("500.7", "eight")]
    assert len(await found(engine, select(application.c.key))) == 501


async def test_keys_that_the_database_gives_and_what_is_nothing(engine: AsyncEngine) -> None:
    """Both kinds of attempts, and rows with other names than the ones before."""
    event = {"id": "s.0", "application": "k", "session": "s", "seq": 0, "kind": "callin", "payload": "{}",
             "created_at": 0, "due_at": 0.5, "tries": 0, "state": "done"}  # fmt: skip
    tried = {"outbox": "s.0", "at": 1.0, "seconds": 0.25, "status": 200, "error": None, "answer": "+8613800000021"}
    await commit(engine, [(EVENT, [event]), (TRIED, [tried, tried | {"status": None, "answer": None}])])
    await commit(engine, [(TRIED, [{"outbox": "s.0", "at": 2.0, "seconds": 0.0, "error": "why"}])])
    columns = (attempt.c.at, attempt.c.status, attempt.c.error, attempt.c.answer)
    rows = await found(engine, select(*columns).order_by(attempt.c.id))
    assert rows == [(1.0, 200, None, "+8613800000021"), (1.0, None, None, None), (2.0, None, "why", None)]


@pytest.mark.parametrize("bad", ["twice", "nobody's"])
async def test_all_or_nothing(engine: AsyncEngine, bad: str) -> None:
    await commit(engine, [(ADD, numbers(21))])
    orphan = {"outbox": "nobody's", "at": 1.0, "seconds": 0.0}
    last = (ADD, numbers(23, 22)) if bad == "twice" else (TRIED, [orphan])
    with pytest.raises(IntegrityError) as error:
        await commit(engine, [(GO, [{"who": "+8613800000021"}]), (ADD, numbers(22)), last])
    assert "138000000" not in str(error.value)
    assert await registered(engine) == {"+8613800000021"}
    await commit(engine, [(ADD, numbers(24))])
    assert await registered(engine) == {"+8613800000021", "+8613800000024"}


async def test_beside_other_writers(engine: AsyncEngine) -> None:
    async def slowly(last: int) -> None:
        async with writing(engine) as connection:
            await connection.execute(ADD, numbers(last))
            await asyncio.sleep(0)

    await asyncio.gather(
        *(commit(engine, [(ADD, numbers(last))]) for last in range(10, 40)), *map(slowly, range(40, 60))
    )
    assert len(await registered(engine)) == 50


async def test_an_engine_that_was_disposed_of_can_write_again(engine: AsyncEngine) -> None:
    await commit(engine, [(ADD, numbers(21))])
    await engine.dispose()
    await commit(engine, [(ADD, numbers(22))])
    assert len(await registered(engine)) == 2


async def test_a_text_that_no_database_holds_is_an_error_of_the_row(postgres: Postgres) -> None:
    async with postgres.database() as url:
        engine = open_engine(url)
        with pytest.raises(DataError):
            await commit(engine, [(APPLICATION, [{"key": "k\0", "mode": "AX", "settings": "{}"}])])
        await commit(engine, [(ADD, numbers(21))])
        await engine.dispose()


async def test_a_server_that_was_restarted_is_no_failure(postgres: Postgres) -> None:
    async with postgres.database(sealed=True) as url:
        engine, killer = open_engine(url), open_engine(postgres.url("postgres"))
        await asyncio.gather(*(commit(engine, [(ADD, numbers(last))]) for last in range(10, 30)))
        async with writing(killer) as connection:
            end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'test%'"
            await connection.execute(text(end))
        await asyncio.gather(*(commit(engine, [(ADD, numbers(last))]) for last in range(30, 50)))
        assert len(await registered(engine)) == 40
        await engine.dispose()
        await killer.dispose()


async def test_a_key_that_was_changed_behind_the_writers_back(tmp_path: Path) -> None:
    """What was sealed under the key before is sealed anew; nothing stands under a key that is not the database's."""
    file = tmp_path / "keys"
    old = add_key(file)
    url = f"sqlite+aiosqlite:///{tmp_path}/maskline.db?key_file={file}"
    await migrate(url)
    engine = open_engine(url)
    await commit(engine, [(ADD, numbers(21))])
    new = add_key(file)
    async with writing(engine) as connection:
        await put_key(connection, new.id)
    await commit(engine, [(ADD, numbers(22))])
    async with reading(engine) as connection:
        cells = [cell for (cell,) in await connection.execute(text("SELECT number FROM registered_a"))]
    assert [sum(key.id in cell for cell in cells) for key in (old, new)] == [1, 1]
    vault = vault_of(engine.dialect)
    assert vault is not None
    assert vault.current_id == new.id
    async with writing(engine) as connection:
        await put_key(connection, None)
    with pytest.raises(VaultError):
        await commit(engine, [(ADD, numbers(23))])
    await engine.dispose()
