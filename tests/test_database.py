"""The tables: made from nothing, brought up again without harm, and equal to what the code speaks of."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.database import migrate, open_engine, reading, writing
from gateway.schema import application
from gateway.tables import metadata


async def test_migrations_make_the_tables_that_the_code_speaks_of(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/new/maskline.db"
    await migrate(url)
    await migrate(url)
    engine = open_engine(url)

    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    async with reading(engine) as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()


async def insert_twice(engine: AsyncEngine, key: str) -> None:
    async with writing(engine) as connection:
        for _ in range(2):
            await connection.execute(insert(application).values(key=key, mode="AXB", settings="{}"))


async def test_a_failed_transaction_leaves_nothing(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/maskline.db"
    await migrate(url)
    engine = open_engine(url)
    with pytest.raises(IntegrityError):
        await insert_twice(engine, "k")
    async with reading(engine) as connection:
        assert (await connection.execute(select(application.c.key))).all() == []
    await engine.dispose()


async def test_readers_go_on_beside_a_writer(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/maskline.db"
    await migrate(url)
    one, two = open_engine(url), open_engine(url)
    async with writing(one) as connection:
        await connection.execute(insert(application).values(key="k", mode="AXB", settings="{}"))
        async with reading(two) as other:
            assert (await other.execute(select(application.c.key))).all() == []
    async with reading(two) as other:
        assert (await other.execute(select(application.c.key))).scalars().all() == ["k"]
    await one.dispose()
    await two.dispose()


async def test_errors_show_no_values(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/maskline.db"
    await migrate(url)
    engine = open_engine(url)
    with pytest.raises(IntegrityError) as caught:
        await insert_twice(engine, "+8613800000021")
    assert "8613800000021" not in str(caught.value)
    await engine.dispose()


async def test_a_database_out_of_reach_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"exists|directory"):
        await migrate(f"sqlite+aiosqlite:///{tmp_path}/file/maskline.db")
