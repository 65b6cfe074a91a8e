"""[IO] The database, for a command: opened, closed at its end; what is wrong with it is said in one line, exit 1."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import typer
from rich.console import Console
from sqlalchemy import inspect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.config.tree import Config
from gateway.database import migrate, open_engine, reading
from gateway.vault.guard import agree

NEEDED = "vault_key"
"""A table that every command needs."""


@asynccontextmanager
async def opened(config: Config, *, made: bool = False) -> AsyncIterator[AsyncEngine]:
    """The engine. ``made``: for a command that may come before the node's first start, bring up the tables too."""
    try:
        if made:
            await migrate(config.database.location)
        engine = open_engine(config.database.location)
        try:
            async with reading(engine) as connection:
                if not await connection.run_sync(lambda one: inspect(one).has_table(NEEDED)):
                    raise OSError("its tables are not there yet; the node makes them when it starts: maskline serve")
                await agree(connection)
            yield engine
        finally:
            await engine.dispose()
    except (OSError, DBAPIError) as error:
        said = error.orig if isinstance(error, DBAPIError) else error
        Console(stderr=True).print(f"the database: {said}", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None
