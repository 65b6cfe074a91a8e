"""The tables: made from nothing or from an earlier version, brought up again without harm, and equal to what the code
speaks of; on every kind of database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, insert, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.bindings.models import Application, Direction, Mode
from gateway.bindings.store import BindingStore
from gateway.database import migrate, open_engine, reading, upsert, writing
from gateway.numbers import PhoneNumber
from gateway.schema import application
from gateway.tables import metadata
from tests.postgres import Postgres

LATE = 1_800_000_000.123456
APP = Application(key="app", secret="s", mode=Mode.AX)


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    made = open_engine(database_url)
    yield made
    await made.dispose()


async def differences(url: str) -> list[object]:
    """Between the tables in the database and those in the code."""

    def compare(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    engine = open_engine(url)
    try:
        async with reading(engine) as connection:
            return await connection.run_sync(compare)
    finally:
        await engine.dispose()


async def test_migrations_make_the_tables_that_the_code_speaks_of(empty_database_url: str) -> None:
    await migrate(empty_database_url)
    await migrate(empty_database_url)
    assert await differences(empty_database_url) == []


async def test_two_nodes_that_start_at_once_make_the_tables_once(empty_database_url: str) -> None:
    await asyncio.gather(*(migrate(empty_database_url) for _ in range(4)))
    assert await differences(empty_database_url) == []


async def test_rows_of_the_first_version_live_on(empty_database_url: str) -> None:
    await migrate(empty_database_url, "0001")
    engine = open_engine(empty_database_url)
    rows = {
        "application": {"key": "app", "mode": "AX", "settings": '{"secret": "s", "allowed_ips": []}'},
        "number": {"x": "+8617000000001", "application": "app", "area_code": "", "province": "", "status": 5,
                   "sms": True},
        "binding": {"id": "b", "application": "app", "mode": "AX", "x": "+8617000000001", "a": "+8613800000021",
                    "direction": 0, "created_at": LATE, "policy": "{}", "sms": True, "switched_on": True},
        "binding_member": {"x": "+8617000000001", "number": "", "binding": "b"},
        "last_caller": {"binding": "b", "caller": "+8613800000023", "at": LATE},
    }  # fmt: skip
    async with writing(engine) as connection:
        for table, values in rows.items():
            names = ", ".join(values)
            marks = ", ".join(f":{name}" for name in values)
            await connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({marks})"), values)
    await migrate(empty_database_url)
    assert await differences(empty_database_url) == []
    a, x = PhoneNumber("+8613800000021"), PhoneNumber("+8617000000001")
    found = await BindingStore(engine).find(a, x, (await BindingStore(engine).query_ax(APP, x=x))[0].created_at)
    assert [(one.id, one.a, one.mode, one.direction) for one in found.bindings] == [("b", a, Mode.AX, Direction.BOTH)]
    assert found.bindings[0].created_at.timestamp() == LATE
    assert found.last_caller == PhoneNumber("+8613800000023")
    await engine.dispose()


async def insert_twice(engine: AsyncEngine, key: str) -> None:
    async with writing(engine) as connection:
        for _ in range(2):
            await connection.execute(insert(application).values(key=key, mode="AXB", settings="{}"))


async def test_a_failed_transaction_leaves_nothing(engine: AsyncEngine) -> None:
    with pytest.raises(IntegrityError):
        await insert_twice(engine, "k")
    async with reading(engine) as connection:
        assert (await connection.execute(select(application.c.key))).all() == []


async def test_readers_go_on_beside_a_writer_and_see_one_moment(database_url: str, engine: AsyncEngine) -> None:
    other = open_engine(database_url)
    keys = select(application.c.key).order_by(application.c.key)
    async with reading(other) as snapshot:
        async with writing(engine) as connection:
            await connection.execute(insert(application).values(key="k", mode="AXB", settings="{}"))
            assert (await snapshot.execute(keys)).scalars().all() == []
        assert (await snapshot.execute(keys)).scalars().all() == []
    async with reading(other) as snapshot:
        assert (await snapshot.execute(keys)).scalars().all() == ["k"]
    await other.dispose()


async def test_an_upsert_makes_then_changes_and_never_collides(database_url: str) -> None:
    engines = [open_engine(database_url) for _ in range(4)]

    async def put(engine: AsyncEngine, mode: str) -> None:
        async with writing(engine) as connection:
            await upsert(connection, application, {"key": "k"}, {"mode": mode, "settings": "{}"})

    for _ in range(5):
        await asyncio.gather(*(put(engine, mode) for engine, mode in zip(engines, "abcd", strict=True)))
        async with reading(engines[0]) as connection:
            (row,) = (await connection.execute(select(application))).all()
        assert row.mode in "abcd"
        async with writing(engines[0]) as connection:
            await connection.execute(application.delete())
    for engine in engines:
        await engine.dispose()


async def test_errors_show_no_values(engine: AsyncEngine) -> None:
    with pytest.raises(IntegrityError) as caught:
        await insert_twice(engine, "+8613800000021")
    assert "8613800000021" not in str(caught.value)


async def test_a_file_out_of_reach_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"exists|directory"):
        await migrate(f"sqlite+aiosqlite:///{tmp_path}/file/maskline.db")


async def test_a_server_out_of_reach_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        await migrate(f"postgresql+asyncpg://maskline@/maskline?host={tmp_path}")


async def test_a_database_that_is_not_there_is_an_os_error(postgres: Postgres) -> None:
    with pytest.raises(OSError, match="does not exist"):
        await migrate(postgres.url("nowhere"))


async def test_a_lost_connection_is_replaced(postgres: Postgres) -> None:
    """The server ends every connection, as it does when it is restarted: the next question gets an answer."""
    async with postgres.database() as url:
        engine, killer = open_engine(url), open_engine(postgres.url("postgres"))
        async with reading(engine) as connection:
            assert (await connection.execute(select(application))).all() == []
        end = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'test%'")
        async with writing(killer) as connection:
            await connection.execute(end)
        async with reading(engine) as connection:
            assert (await connection.execute(select(application))).all() == []
        await engine.dispose()
        await killer.dispose()
