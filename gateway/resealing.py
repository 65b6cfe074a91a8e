"""[IO] Change the key of a database: every sealed cell is opened and sealed again, in one transaction.

    from      to
    plain     a key     the first sealing
    a key     another   rotation: the old key may be thrown away, once no backup needs it
    a key     plain     leaving

One transaction, because a look-up by number compares cells: two keys side by side would let a number be bound twice on
an X. Whoever writes meanwhile waits (guard.py), so nodes that serve many bindings are better stopped. A command that is
broken off has changed nothing. What the database keeps of old rows goes with VACUUM, at the end.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, Row, Select, Table, and_, bindparam, func, or_, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.database import open_engine, split_url, writing
from gateway.tables import metadata
from gateway.vault.cipher import NONCE_BYTES, Cipher, VaultError, key_of
from gateway.vault.columns import Sealed, sealed_columns
from gateway.vault.guard import hold_alone, key_in_use, put_key

ROWS = 1000
Progress = Callable[[str, int, int], None]
"""Told of a table's name, rows done, and rows there are."""


async def reseal(url: str, keys: dict[str, Cipher], target: Cipher | None, progress: Progress) -> int:
    """Seal everything under ``target`` (None: plain); how many rows. VaultError when a key is missing.

    ``keys``: by id, to open what is sealed. The database is at this version's tables.
    """
    # Without its key file the engine reads and writes cells as they are.
    engine = open_engine(split_url(url)[0].render_as_string(hide_password=False))
    done = 0
    try:
        async with writing(engine) as connection:
            await hold_alone(connection)
            was = await key_in_use(connection)
            if was is not None and was not in keys:
                raise VaultError(f"key {was}, which the database is sealed under, is not in the file")
            for table, columns in sealed_columns(metadata).items():
                done += await _table(connection, table, columns, keys, was, target, progress)
            await put_key(connection, None if target is None else target.id)
        await _forget(engine)
    finally:
        await engine.dispose()
    return done


async def _table(
    connection: AsyncConnection, table: Table, columns: Sequence[Column[str]], keys: dict[str, Cipher],
    was: str | None, target: Cipher | None, progress: Progress,
) -> int:  # fmt: skip
    total = (await connection.execute(select(func.count()).select_from(table))).scalar_one()
    key = list(table.primary_key.columns)
    change = (
        update(table)
        .where(*(column == bindparam(f"of_{column.name}") for column in key))
        .values({column: bindparam(f"to_{column.name}") for column in columns})
    )
    done = 0
    async for rows in _batches(connection, table, columns):
        changes = []
        for row in rows:
            values: dict[str, Any] = {f"of_{column.name}": getattr(row, column.name) for column in key}
            for column in columns:
                cell = getattr(row, column.name)
                plain = cell if was is None else _open(cell, column, keys)
                values[f"to_{column.name}"] = plain if target is None else _seal(plain, column, target)
            changes.append(values)
        await connection.execute(change, changes)
        done += len(rows)
        progress(table.name, done, total)
    return done


async def _batches(
    connection: AsyncConnection, table: Table, columns: Sequence[Column[str]]
) -> AsyncIterator[Sequence[Row[Any]]]:
    """All rows, a thousand at a time. Where a sealed column is in the key, all rows of one value of the key's rest:
    their order changes while they are written."""
    fixed = [column for column in table.primary_key.columns if column not in columns]
    whole = len(fixed) == len(table.primary_key.columns)
    wanted = select(*table.primary_key.columns, *(column for column in columns if column not in set(fixed)))
    after: tuple[Any, ...] | None = None
    while True:
        query = wanted if whole else select(*fixed).distinct()
        found = (await connection.execute(_page(query, fixed, after))).all()
        if not found:
            return
        last = found[-1]
        after = tuple(getattr(last, column.name) for column in fixed)
        if whole:
            yield found
            continue
        for group in found:
            mine = (column == value for column, value in zip(fixed, group, strict=True))
            rows = (await connection.execute(wanted.where(*mine))).all()
            for start in range(0, len(rows), ROWS):
                yield rows[start : start + ROWS]


def _page(query: Select[Any], key: Sequence[Column[Any]], after: tuple[Any, ...] | None) -> Select[Any]:
    if after is not None:
        steps: list[ColumnElement[bool]] = []
        for place, (column, value) in enumerate(zip(key, after, strict=True)):
            same = (other == known for other, known in zip(key[:place], after[:place], strict=True))
            steps.append(and_(*same, column > value))
        query = query.where(or_(*steps))
    return query.order_by(*key).limit(ROWS)


def _open(cell: str | None, column: Column[str], keys: dict[str, Cipher]) -> str | None:
    if not cell:
        return cell
    cipher = keys.get(key_of(cell))
    if cipher is None:
        raise VaultError(f"key {key_of(cell)} is not in the file, and {column} holds what it sealed")
    return cipher.open(cell, column.type.place) if isinstance(column.type, Sealed) else cipher.open_number(cell)


def _seal(plain: str | None, column: Column[str], target: Cipher) -> str | None:
    if not plain:
        return plain
    if isinstance(column.type, Sealed):
        return target.seal(plain, column.type.place, os.urandom(NONCE_BYTES))
    return target.seal_number(plain)


async def _forget(engine: AsyncEngine) -> None:
    """Rows as they were before lie in the database's free pages until it is swept. VaultError when it can't be."""
    sqlite = engine.dialect.name == "sqlite"
    try:
        async with engine.connect() as connection:
            if sqlite:
                raw = await connection.get_raw_connection()
                for order in ("VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"):
                    await (await raw.driver_connection.execute(order)).close()  # type: ignore[union-attr]
                return
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            for table in sealed_columns(metadata):
                await connection.execute(text(f'VACUUM FULL "{table.name}"'))
    except DBAPIError as error:
        raise VaultError(
            f"sealed, but the database could not be swept ({error.orig}): old rows lie in its free pages until VACUUM"
        ) from None
