"""[IO] How to reach the database: an engine, transactions that read or write, and the tables brought up to date.

SQLite is used by two processes at once (web binds, signalling looks up and journals): WAL lets readers go on beside a
writer, writers take the lock when they begin (BEGIN IMMEDIATE, so that none fails half way), and wait for each other.
``synchronous=FULL`` makes a commit survive a power cut: a binding is answered only after it. Errors name statements but
no values: those are people's numbers.

PostgreSQL lets writers work beside each other, so what a statement has seen may be out of date by the next one: who
decides by what he read locks it first (``with_for_update``, which SQLite needs not and SQLAlchemy leaves out there).

A URL with ``?key_file=`` opens an engine with a vault (gateway.vault): real numbers and secrets are sealed on their way
into the database and opened on their way out; no statement knows of it.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config as AlembicConfig
from sqlalchemy import URL, Connection, Select, Table, event, insert, make_url, text, update
from sqlalchemy.exc import DBAPIError, DisconnectionError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from gateway.committing import Committer, PostgresWriter, SqliteWriter, Writer
from gateway.committing import Part as Part  # for who commits
from gateway.selecting import Driver, PostgresDriver, Selector, SqliteDriver
from gateway.tables import metadata
from gateway.vault.columns import give_vault, sealed_columns
from gateway.vault.guard import before_reading, before_writing, claim, reading_is_late
from gateway.vault.keys import Vault

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_MS = 5000
CACHE_KIB = 512
"""Of each SQLite connection: ten of them would in time hold 2 MB each, its default, of what the kernel has anyway."""
KEY_FILE = "key_file"
_WRITES = "maskline_writes"
_SELECTOR = "maskline_selector"
_COMMITTER = "maskline_committer"
_AGAIN_SECONDS = 0.02
_START_LOCK = 0x6D61736B  # any number, the same in every node


def open_engine(url: str, *, synchronous: str = "FULL") -> AsyncEngine:
    """An engine for ``url``; VaultError when its key file can't be used.

    ``synchronous`` is SQLite's: FULL survives a power cut, NORMAL a crash of the process.
    """
    parsed, key_file = split_url(url)
    engine = _engine(parsed, synchronous)
    if key_file is not None:
        vault = Vault(key_file)
        give_vault(engine.dialect, vault)
    return engine


def split_url(url: str) -> tuple[URL, Path | None]:
    """The database's address, and the key file that goes with it."""
    parsed = make_url(url)
    named = parsed.query.get(KEY_FILE)
    return parsed.difference_update_query([KEY_FILE]), None if named is None else Path(str(named))


def _engine(parsed: URL, synchronous: str) -> AsyncEngine:
    return _sqlite(parsed, synchronous) if parsed.get_backend_name() == "sqlite" else _postgresql(parsed)


def _postgresql(parsed: URL) -> AsyncEngine:
    def see_that_it_lives(connection: Any, _record: Any, _proxy: Any) -> None:
        # One way to the server and back; SQLAlchemy's pool_pre_ping takes three (BEGIN, the ping, ROLLBACK).
        try:
            connection.run_async(_ping)
        except Exception:  # a connection that is lost shows it in many ways
            raise DisconnectionError from None

    engine = create_async_engine(parsed, hide_parameters=True)
    event.listen(engine.sync_engine, "checkout", see_that_it_lives)
    return _with_drivers(engine, PostgresDriver(parsed, engine.dialect), PostgresWriter(parsed, engine.dialect))


async def _ping(connection: Any) -> None:
    await connection.execute("SELECT 1")


def _with_drivers(engine: AsyncEngine, driver: Driver, writer: Writer) -> AsyncEngine:
    selector, committer = Selector(engine.dialect, driver), Committer(engine.dialect, writer)
    engine.sync_engine.update_execution_options(**{_SELECTOR: selector, _COMMITTER: committer})
    for one in (selector, committer):
        event.listen(engine.sync_engine, "engine_disposed", lambda _engine, one=one: one.close())
    return engine


def _sqlite(parsed: URL, synchronous: str) -> AsyncEngine:
    if parsed.database and parsed.database != ":memory:":
        Path(parsed.database).absolute().parent.mkdir(parents=True, exist_ok=True)
    engine = create_async_engine(parsed, hide_parameters=True, connect_args={"timeout": BUSY_MS / 1000})
    pragmas = (f"busy_timeout={BUSY_MS}", f"synchronous={synchronous}", "foreign_keys=ON", f"cache_size=-{CACHE_KIB}")

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        # Transactions are begun below, not by the driver's guess.
        connection.isolation_level = None
        connection.run_async(_ask_for_wal)
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    def prepare_writer(connection: sqlite3.Connection) -> None:
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")

    def prepare_reader(connection: sqlite3.Connection) -> None:
        prepare_writer(connection)
        connection.execute("PRAGMA query_only=ON")

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get(_WRITES) else "BEGIN")

    return _with_drivers(
        engine, SqliteDriver(parsed, prepare_reader, BUSY_MS), SqliteWriter(parsed, prepare_writer, BUSY_MS)
    )


async def _ask_for_wal(connection: Any) -> None:
    """SQLite's busy_timeout does not count for this one: of two processes that ask at once, the second is refused."""
    async with asyncio.timeout(BUSY_MS / 1000):
        while True:
            try:
                return await (await connection.execute("PRAGMA journal_mode=WAL")).close()  # type: ignore[no-any-return]
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    raise
            await asyncio.sleep(_AGAIN_SECONDS)


async def ask(engine: AsyncEngine, statement: Select[Any], values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """The rows of one SELECT, by the shortest way there is; ``statement`` is a constant, its values have names."""
    if reading_is_late(engine.dialect):
        async with reading(engine):
            pass
    selector: Selector = engine.get_execution_options()[_SELECTOR]
    return await selector.rows(statement, values)


async def commit(engine: AsyncEngine, parts: Sequence[Part]) -> None:
    """One transaction whose statements are known before it begins, by the shortest way there is: each of ``parts`` is a
    constant statement and its rows. IntegrityError, DataError: nothing was written, and never will be; else try again.
    """
    committer: Committer = engine.get_execution_options()[_COMMITTER]
    await committer.commit(parts)


@asynccontextmanager
async def reading(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection for a few SELECTs of one snapshot."""
    async with engine.connect() as connection:
        if engine.dialect.name != "sqlite":
            await connection.execution_options(isolation_level="REPEATABLE READ")
        await before_reading(connection)
        yield connection


@asynccontextmanager
async def writing(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A transaction that writes: committed at the end, rolled back by an exception."""
    async with engine.connect() as connection:
        await connection.execution_options(**{_WRITES: True})
        async with connection.begin():
            await before_writing(connection)
            yield connection


async def one_after_the_other(connection: AsyncConnection) -> None:
    """Let no two nodes be here at once until the transaction's end. SQLite's BEGIN IMMEDIATE does the same."""
    if connection.dialect.name == "postgresql":
        await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _START_LOCK})


async def upsert(connection: AsyncConnection, table: Table, key: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """Change the row of ``key``, or make it; whoever else makes it at the same moment."""
    change = update(table).where(*(table.c[name] == value for name, value in key.items())).values(**values)
    if (await connection.execute(change)).rowcount:
        return
    try:
        # In a transaction of its own, since PostgreSQL does nothing more in one that had an error.
        async with connection.begin_nested():
            await connection.execute(insert(table).values(**key, **values))
    except IntegrityError:
        await connection.execute(change)


async def migrate(url: str, version: str = "head", *, claiming: bool = True) -> None:
    """Bring the tables to this version, from nothing or any earlier one; see that the key file is the database's.

    OSError when the database can't be reached, or opened with this key file (VaultError; not looked at without
    ``claiming``).
    """
    plain, key_file = split_url(url)
    engine = _engine(plain, "FULL")
    try:
        async with writing(engine) as connection:
            # Nodes that start at once: the second finds the tables made.
            await one_after_the_other(connection)
            await connection.run_sync(_upgrade, version)
            if version == "head" and claiming:
                await claim(connection, key_file, sealed_columns(metadata))
    except DBAPIError as error:
        raise OSError(str(error.orig)) from None
    finally:
        await engine.dispose()


def _upgrade(connection: Connection, version: str) -> None:
    config = AlembicConfig()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, version)
