"""[IO] How to reach the database: an engine, transactions that read or write, and the tables brought up to date.

SQLite is used by two processes at once (web binds, signalling looks up and journals): WAL lets readers go on beside a
writer, writers take the lock when they begin (BEGIN IMMEDIATE, so that none fails half way), and wait for each other.
``synchronous=FULL`` makes a commit survive a power cut: a binding is answered only after it. Errors name statements but
no values: those are people's numbers.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config as AlembicConfig
from sqlalchemy import Connection, event, make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_MS = 5000
_WRITES = "maskline_writes"
_ASKS = "maskline_asks"


def open_engine(url: str, *, synchronous: str = "FULL") -> AsyncEngine:
    """An engine for ``url``. ``synchronous`` is SQLite's: FULL survives a power cut, NORMAL a crash of the process."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return create_async_engine(parsed, pool_pre_ping=True, hide_parameters=True)
    if parsed.database and parsed.database != ":memory:":
        Path(parsed.database).absolute().parent.mkdir(parents=True, exist_ok=True)
    engine = create_async_engine(parsed, hide_parameters=True, connect_args={"timeout": BUSY_MS / 1000})

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        # Transactions are begun below, not by the driver's guess.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", f"synchronous={synchronous}", "foreign_keys=ON", f"busy_timeout={BUSY_MS}"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if not options.get(_ASKS):
            connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get(_WRITES) else "BEGIN")

    return engine


@asynccontextmanager
async def asking(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection for one SELECT, which needs no transaction: two round trips less."""
    async with engine.connect() as connection:
        # SQLAlchemy's AUTOCOMMIT would cost SQLite three round trips to set and to take back.
        options = {_ASKS: True} if engine.dialect.name == "sqlite" else {"isolation_level": "AUTOCOMMIT"}
        await connection.execution_options(**options)
        yield connection


@asynccontextmanager
async def reading(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection for a few SELECTs of one snapshot."""
    async with engine.connect() as connection:
        yield connection


@asynccontextmanager
async def writing(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A transaction that writes: committed at the end, rolled back by an exception."""
    async with engine.connect() as connection:
        await connection.execution_options(**{_WRITES: True})
        async with connection.begin():
            yield connection


async def migrate(url: str) -> None:
    """Bring the tables to this version, from nothing or from any earlier one. OSError when they can't be reached."""
    engine = open_engine(url)
    try:
        async with writing(engine) as connection:
            await connection.run_sync(_upgrade)
    except OperationalError as error:
        raise OSError(str(error.orig)) from None
    finally:
        await engine.dispose()


def _upgrade(connection: Connection) -> None:
    config = AlembicConfig()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
