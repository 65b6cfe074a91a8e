"""[IO] One transaction that writes, put to the database's driver itself: what is written for every call.

``gateway.selecting`` has the reason: each statement, each BEGIN and COMMIT on SQLAlchemy's asynchronous connection is a
hop or two between event loop and thread, and each hop costs more than the database's work. Here a transaction that is
known before it begins costs

    SQLite       one hop to a thread that has a connection of its own, one back
    PostgreSQL   BEGIN, one round trip a statement however many rows it has, COMMIT, on a connection that is kept

Where cells are sealed, the transaction first asks the database for its key, as every writer does (gateway.vault.guard).
That is a guess that can be wrong: rows that were sealed under another key are rolled back and sealed anew.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from sqlalchemy import URL, Dialect, UpdateBase
from sqlalchemy.exc import DataError, IntegrityError

from gateway.selecting import Connections, Prepared
from gateway.sqlite_thread import SqliteThread
from gateway.vault.guard import first_of_writing, key_of_writing, use_key

Rows = Sequence[Mapping[str, Any]]
Part = tuple[UpdateBase, Rows]
"""A statement, which must be a constant, and the values of each of its rows, all with the same names."""


class Work(NamedTuple):
    """A transaction in the driver's words. ``first``: what it begins with, the last of which must find ``key``."""

    first: tuple[str, ...]
    key: str | None
    parts: list[tuple[str, list[list[Any]]]]


class KeyMoved(Exception):
    """Nothing was written, since the database's key is another one."""

    def __init__(self, key: str | None) -> None:
        super().__init__()
        self.key = key


class Writer(Protocol):
    """A database's own way of writing. KeyMoved, IntegrityError, DataError, and whatever the driver says."""

    async def write(self, work: Work) -> None:
        """All of it, or nothing."""

    def close(self) -> None:
        """End its connections; it may be used again."""


class Committer:
    """The transactions of one engine."""

    def __init__(self, dialect: Dialect, writer: Writer) -> None:
        self._dialect = dialect
        self._writer = writer
        self._prepared: dict[tuple[UpdateBase, tuple[str, ...]], Prepared] = {}
        self.close = writer.close

    async def commit(self, parts: Sequence[Part]) -> None:
        """Run statements in their order, each for all of its rows; those without rows are left out."""
        first = first_of_writing(self._dialect)
        while True:
            key = key_of_writing(self._dialect)
            # Until the database was asked once there is no key to seal with.
            known = key is not None or not first
            work = Work(first, key, [self._put(*part) for part in parts if part[1]] if known else [])
            try:
                return await self._writer.write(work)
            except KeyMoved as moved:
                use_key(self._dialect, moved.key)

    def _put(self, statement: UpdateBase, rows: Rows) -> tuple[str, list[list[Any]]]:
        names = tuple(rows[0])
        prepared = self._prepared.get((statement, names))
        if prepared is None:
            compiled = statement.compile(dialect=self._dialect, column_keys=list(names), for_executemany=True)
            prepared = self._prepared[statement, names] = Prepared(compiled, self._dialect)
        return prepared.sql, [prepared.parameters(row) for row in rows]


class SqliteWriter:
    """A connection that writes. ``prepare`` gets it when it is new."""

    def __init__(self, url: URL, prepare: Callable[[sqlite3.Connection], None], busy_ms: int) -> None:
        self._thread = SqliteThread("write", url, prepare, busy_ms)
        self.close = self._thread.close

    async def write(self, work: Work) -> None:
        """See Writer."""
        await self._thread.do(_write, work)


def _write(connection: sqlite3.Connection, work: Work) -> None:
    sql = "BEGIN"
    connection.execute("BEGIN IMMEDIATE")
    try:
        found = None
        for sql in work.first:
            found = connection.execute(sql).fetchone()
        if work.first and (found is None or found[0] != work.key):
            raise KeyMoved(found and found[0])
        for sql, rows in work.parts:
            connection.executemany(sql, rows)
        connection.execute("COMMIT")
    except BaseException as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        if isinstance(error, sqlite3.IntegrityError):
            raise IntegrityError(sql, None, error, hide_parameters=True) from None
        if isinstance(error, sqlite3.DataError):
            raise DataError(sql, None, error, hide_parameters=True) from None
        raise


class PostgresWriter:
    """A few connections. What may have been committed, or not, is not tried again here: that is for who writes."""

    def __init__(self, url: URL, dialect: Dialect) -> None:
        self._connections = Connections(url, dialect)

    async def write(self, work: Work) -> None:
        """See Writer."""
        async with self._connections.room:
            connection, transaction = await self._begin()
            try:
                await self._fill(connection, work)
                await transaction.commit()
            except KeyMoved:
                await transaction.rollback()
                self._connections.spare.append(connection)
                raise
            except BaseException:
                connection.terminate()
                raise
            self._connections.spare.append(connection)

    async def _begin(self) -> tuple[Any, Any]:
        """A connection on which a transaction has begun: one that is lost shows it then."""
        while True:
            kept = bool(self._connections.spare)
            connection = await self._connections.take()
            try:
                transaction = connection.transaction()
                await transaction.start()
            except BaseException as error:
                connection.terminate()
                if not (kept and isinstance(error, self._connections.lost)):
                    raise
            else:
                return connection, transaction

    async def _fill(self, connection: Any, work: Work) -> None:
        found = None
        for sql in work.first:
            found = await connection.fetchrow(sql)
        if work.first and (found is None or found[0] != work.key):
            raise KeyMoved(found and found[0])
        for sql, rows in work.parts:
            try:
                await (connection.executemany(sql, rows) if len(rows) > 1 else connection.execute(sql, *rows[0]))
            except self._connections.integrity as error:
                raise IntegrityError(sql, None, error, hide_parameters=True) from None
            except self._connections.data as error:
                raise DataError(sql, None, error, hide_parameters=True) from None

    def close(self) -> None:
        """Cut the connections."""
        self._connections.close()
