"""[IO] One SELECT, put to the database's driver itself: what stands in the call path.

SQLAlchemy compiles the statement and knows how values and cells are turned into each other (the vault's too); that is
asked for once. Its asynchronous connection then costs several hops between greenlets, threads and event loop for every
statement, which is more than the database takes to answer:

    SQLite       one hop to a thread that has a connection of its own, one back
    PostgreSQL   one round trip on a connection of asyncpg, which keeps the statement prepared

Such a SELECT needs no transaction: it is its own snapshot. A connection that turns out to be lost is no failure, since
a question can be asked again; so none is tested before.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from sqlalchemy import URL, Dialect, Float, Select
from sqlalchemy.types import TypeEngine

from gateway.sqlite_thread import SqliteThread

CONNECTIONS = 8
_Process = Callable[[Any], Any]


class Driver(Protocol):
    """A database's own way of answering."""

    async def fetch(self, sql: str, values: Sequence[Any]) -> Sequence[Sequence[Any]]:
        """The rows of one SELECT."""

    def close(self) -> None:
        """End its connections; it may be used again."""


class Selector:
    """The questions of one engine. A statement must be kept by who asks: its compiled form is kept with it."""

    def __init__(self, dialect: Dialect, driver: Driver) -> None:
        self._dialect = dialect
        self._driver = driver
        self._prepared: dict[Select[Any], _Question] = {}
        self.close = driver.close

    async def rows(self, statement: Select[Any], values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """All rows, each as a tuple in the order of the statement's columns."""
        prepared = self._prepared.get(statement)
        if prepared is None:
            prepared = self._prepared[statement] = _Question(statement, self._dialect)
        found = await self._driver.fetch(prepared.sql, prepared.parameters(values))
        return [prepared.row(cells) for cells in found]


class Prepared:
    """A statement's text for one dialect, and what is to be done to its values."""

    def __init__(self, compiled: Any, dialect: Dialect) -> None:
        self.sql = str(compiled)
        binds = [compiled.binds[name] for name in compiled.positiontup or ()]
        self._values = [(bind.key, bind.type.dialect_impl(dialect).bind_processor(dialect)) for bind in binds]
        self._constants = {bind.key: bind.value for bind in binds if not bind.required}

    def parameters(self, values: Mapping[str, Any]) -> list[Any]:
        """The values in the order in which the text wants them."""
        if self._constants:
            values = {**self._constants, **values}
        return [values[name] if process is None else process(values[name]) for name, process in self._values]


class _Question(Prepared):
    """A SELECT, and what is to be done to the cells that it gives."""

    def __init__(self, statement: Select[Any], dialect: Dialect) -> None:
        super().__init__(statement.compile(dialect=dialect), dialect)
        processes = [_reading(column.type, dialect) for column in statement.selected_columns]
        self._cells = [(place, process) for place, process in enumerate(processes) if process is not None]

    def row(self, cells: Sequence[Any]) -> tuple[Any, ...]:
        """What the cells of a row mean."""
        if not self._cells:
            return tuple(cells)
        row = list(cells)
        for place, process in self._cells:
            row[place] = process(row[place])
        return tuple(row)


def _reading(type: TypeEngine[Any], dialect: Dialect) -> _Process | None:
    """What makes a value of a cell; None: nothing need be done."""
    if isinstance(type, Float):
        # Both drivers give floats, and SQLAlchemy's would want to know the column's kind from the cursor.
        return None
    return type.dialect_impl(dialect).result_processor(dialect, None)


class SqliteDriver:
    """A connection that only reads. ``prepare`` gets it when it is new."""

    def __init__(self, url: URL, prepare: Callable[[sqlite3.Connection], None], busy_ms: int) -> None:
        self._thread = SqliteThread("select", url, prepare, busy_ms)
        self.close = self._thread.close

    async def fetch(self, sql: str, values: Sequence[Any]) -> Sequence[Sequence[Any]]:
        """The rows. sqlite3.Error."""
        return await self._thread.do(_answer, sql, values)


def _answer(connection: sqlite3.Connection, sql: str, values: Sequence[Any]) -> Sequence[Sequence[Any]]:
    return connection.execute(sql, values).fetchall()


class Connections:
    """A few of asyncpg's connections, each made when there is none to spare. Its own pool tidies up a session after
    every use, one more round trip; here nothing is left to be tidied up. ``lost``: how one shows that it is."""

    def __init__(self, url: URL, dialect: Dialect) -> None:
        import asyncpg  # not there where SQLite is enough

        self._connect = asyncpg.connect
        self.lost = (
            *(asyncpg.PostgresConnectionError, asyncpg.OperatorInterventionError),
            *(asyncpg.InterfaceError, asyncpg.InternalClientError, OSError),
        )
        self.integrity = asyncpg.IntegrityConstraintViolationError
        self.data = asyncpg.DataError
        self._options = dialect.create_connect_args(url)[1]
        self.room = asyncio.Semaphore(CONNECTIONS)
        self.spare: list[Any] = []

    async def take(self) -> Any:
        """One that was put into ``spare``, or a new one. asyncpg.PostgresError, OSError."""
        return self.spare.pop() if self.spare else await self._connect(**self._options)

    def close(self) -> None:
        """Cut those that nobody uses."""
        for connection in self.spare:
            connection.terminate()
        self.spare.clear()


class PostgresDriver:
    """Connections on which nothing but questions is asked."""

    def __init__(self, url: URL, dialect: Dialect) -> None:
        self._connections = Connections(url, dialect)
        self.close = self._connections.close

    async def fetch(self, sql: str, values: Sequence[Any]) -> Sequence[Sequence[Any]]:
        """The rows. asyncpg.PostgresError, OSError."""
        async with self._connections.room:
            while self._connections.spare:
                try:
                    return await self._fetch(sql, values)
                except self._connections.lost:
                    # A server that was restarted has left all of them lost.
                    continue
            return await self._fetch(sql, values)

    async def _fetch(self, sql: str, values: Sequence[Any]) -> Sequence[Sequence[Any]]:
        connection = await self._connections.take()
        try:
            rows: Sequence[Sequence[Any]] = await connection.fetch(sql, *values)
        except BaseException:
            connection.terminate()
            raise
        self._connections.spare.append(connection)
        return rows
