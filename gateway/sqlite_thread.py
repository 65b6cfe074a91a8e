"""[IO] A thread that has a connection of SQLite to itself: one hop there, one back, whatever is done with it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from sqlalchemy import URL

T = TypeVar("T")


class SqliteThread:
    """``name`` is the thread's, ``prepare`` gets the connection when it is new. Both are made when they are needed, and
    after ``close`` again."""

    def __init__(self, name: str, url: URL, prepare: Callable[[sqlite3.Connection], None], busy_ms: int) -> None:
        self._name = name
        self._path = url.database or ""
        self._prepare = prepare
        self._busy_ms = busy_ms
        self._thread: ThreadPoolExecutor | None = None
        self._connection: sqlite3.Connection | None = None

    async def do(self, work: Callable[..., T], *arguments: Any) -> T:
        """Have ``work(connection, *arguments)`` done. sqlite3.Error, and what it raises itself."""
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, self._name)
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._do, work, arguments)

    def _do(self, work: Callable[..., T], arguments: tuple[Any, ...]) -> T:
        if self._connection is None:
            made = sqlite3.connect(self._path, timeout=self._busy_ms / 1000, isolation_level=None)
            self._prepare(made)
            self._connection = made
        return work(self._connection, *arguments)

    def close(self) -> None:
        """End the thread, once it has done what it was given."""
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.submit(self._disconnect)
            thread.shutdown()

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
