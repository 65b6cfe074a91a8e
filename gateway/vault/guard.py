"""[IO] Which key the database is sealed under: one row of ``vault_key``, changed in the same transaction as every cell.

    node without a key file, database sealed       it does not start
    node with a key file, database with plain rows it does not start: ``maskline vault rotate`` seals them
    node with a key file, database empty           the database is sealed under the file's newest key
    the key is changed while nodes run             writers see it before they write, readers within a second

A writer holds the row's lock (an advisory one of PostgreSQL, SQLite's own otherwise) to its end, so no cell of the old
key can be written behind the back of who changes it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import Dialect, Table, literal, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.vault.cipher import VaultError
from gateway.vault.columns import vault_of
from gateway.vault.keys import Vault

LOCK = 0x7661756C
READERS_SECONDS = 1.0
UNSEALED = "the database is not sealed yet: stop its nodes, then: maskline vault rotate"
_KEY = text("SELECT id FROM vault_key")
_SHARED = text(f"SELECT pg_advisory_xact_lock_shared({LOCK})")
_ALONE = text(f"SELECT pg_advisory_xact_lock({LOCK})")


async def key_in_use(connection: AsyncConnection) -> str | None:
    """The id of the database's key; None: it is not sealed."""
    found: str | None = (await connection.execute(_KEY)).scalar()
    return found


async def claim(connection: AsyncConnection, key_file: Path | None, sealed: Mapping[Table, object]) -> None:
    """At the start of a node: see that the key file and the database go together; seal one that is empty.

    ``sealed``: the tables with sealed columns. VaultError, in words for the operator.
    """
    id = await key_in_use(connection)
    if key_file is None:
        if id is not None:
            raise VaultError(f"the database is sealed under key {id}: set database.key_file")
        return
    vault = Vault(key_file)
    if id is not None:
        vault.use(id)
        return
    for table in sealed:
        if (await connection.execute(select(literal(1)).select_from(table).limit(1))).first() is not None:
            raise VaultError(UNSEALED)
    await put_key(connection, vault.newest.id)


async def agree(connection: AsyncConnection) -> None:
    """For a command that only reads: VaultError when the database is sealed and no key file is configured."""
    if vault_of(connection.dialect) is None:
        await claim(connection, None, {})


async def put_key(connection: AsyncConnection, id: str | None) -> None:
    """The database is sealed under this key now; None: it is plain."""
    await connection.execute(text("DELETE FROM vault_key"))
    if id is not None:
        await connection.execute(text("INSERT INTO vault_key (id, since) VALUES (:id, :since)"),
                                 {"id": id, "since": time.time()})  # fmt: skip


async def hold_alone(connection: AsyncConnection) -> None:
    """Wait for every writer, and let none begin until the transaction's end."""
    if connection.dialect.name == "postgresql":
        await connection.execute(_ALONE)


async def before_writing(connection: AsyncConnection) -> None:
    """At the start of a transaction that writes. VaultError."""
    vault = vault_of(connection.dialect)
    if vault is not None:
        if connection.dialect.name == "postgresql":
            await connection.execute(_SHARED)
        await _follow(connection, vault)


def first_of_writing(dialect: Dialect) -> tuple[str, ...]:
    """The same for who puts statements to the driver himself: what he says first. The last finds the key in use, which
    must be that of ``key_of_writing`` when he sealed his values; else ``use_key``, and once more."""
    if vault_of(dialect) is None:
        return ()
    return (_SHARED.text, _KEY.text) if dialect.name == "postgresql" else (_KEY.text,)


def key_of_writing(dialect: Dialect) -> str | None:
    """The key under which values are sealed now; None: there is none, or none yet."""
    vault = vault_of(dialect)
    return None if vault is None else vault.current_id


def use_key(dialect: Dialect, id: str | None) -> None:
    """The database's key has turned out to be this one. VaultError."""
    vault = vault_of(dialect)
    if vault is not None:
        _use(vault, id)


def has_vault(dialect: Dialect) -> bool:
    """Whether what this engine reads may be sealed."""
    return vault_of(dialect) is not None


def reading_is_late(dialect: Dialect) -> bool:
    """Whether who reads has to look first under which key, which ``before_reading`` does; once a second at most."""
    vault = vault_of(dialect)
    return vault is not None and time.monotonic() - vault.checked_at >= READERS_SECONDS


async def before_reading(connection: AsyncConnection) -> None:
    """At the start of what reads. VaultError."""
    vault = vault_of(connection.dialect)
    if vault is not None and reading_is_late(connection.dialect):
        await _follow(connection, vault)


async def key_changed(connection: AsyncConnection) -> bool:
    """Whether what was not found may be there under another key: then ask again. VaultError."""
    vault = vault_of(connection.dialect)
    return vault is not None and await _follow(connection, vault)


async def _follow(connection: AsyncConnection, vault: Vault) -> bool:
    return _use(vault, await key_in_use(connection))


def _use(vault: Vault, id: str | None) -> bool:
    if id is None:
        raise VaultError(UNSEALED)
    vault.checked_at = time.monotonic()
    return vault.use(id)
