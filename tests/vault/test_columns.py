"""Columns: sealed with a vault, plain without, and searched the same way in both cases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.database import migrate, open_engine, writing
from gateway.tables import metadata as all_tables
from gateway.vault.cipher import VaultError
from gateway.vault.columns import Sealed, SealedNumber, sealed_columns, vault_of
from gateway.vault.keys import add_key

metadata = MetaData()
probe = Table(
    "probe", metadata, Column("id", Integer, primary_key=True), Column("number", SealedNumber()),
    Column("note", Sealed("probe.note")),
)  # fmt: skip
A, B = "+8613800000021", "+8613800000022"


@pytest.fixture(params=["plain", "sealed"])
async def engine(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[AsyncEngine]:
    url = f"sqlite+aiosqlite:///{tmp_path}/maskline.db"
    if request.param == "sealed":
        add_key(tmp_path / "keys")
        url += f"?key_file={tmp_path}/keys"
    await migrate(url)
    made = open_engine(url)
    async with writing(made) as connection:
        await connection.run_sync(metadata.create_all)
        rows = [{"number": A, "note": "a"}, {"number": A, "note": ""}, {"number": B, "note": None}]
        await connection.execute(insert(probe), rows)
    yield made
    await made.dispose()


async def test_the_same_searches_find_the_same_rows(engine: AsyncEngine) -> None:
    number, note = probe.c.number, probe.c.note
    searches = [
        (number == A, [1, 2]),
        (number.in_([A, "+1"]), [1, 2]),
        (number.in_([A, B]), [1, 2, 3]),
        (number != A, [3]),
        (note != "", [1]),
        (note.is_(None), [3]),
    ]
    async with writing(engine) as connection:
        for where, wanted in searches:
            found = (await connection.execute(select(probe.c.id).where(where).order_by(probe.c.id))).scalars().all()
            assert found == wanted, str(where)
        await connection.execute(update(probe).where(number == B).values(note="b", number=A))
        rows = (await connection.execute(select(number, note).order_by(probe.c.id))).all()
        assert [tuple(row) for row in rows] == [(A, "a"), (A, ""), (A, "b")]


async def test_what_lies_in_the_database(engine: AsyncEngine) -> None:
    async with writing(engine) as connection:
        cells = (await connection.execute(text("SELECT number, note FROM probe ORDER BY id"))).all()
    if vault_of(engine.dialect):
        assert cells[0].number == cells[1].number != cells[2].number
        assert (cells[1].note, cells[2].note) == ("", None)
        assert all("." in cell and "8000" not in cell for cell in (cells[0].number, cells[2].number, cells[0].note))
    else:
        assert [tuple(row) for row in cells] == [(A, "a"), (A, ""), (B, None)]


async def test_a_cell_that_was_put_there_in_plain_is_an_error(engine: AsyncEngine) -> None:
    async with writing(engine) as connection:
        await connection.execute(text(f"UPDATE probe SET number = '{A}' WHERE id = 3"))
        query = select(probe.c.number).where(probe.c.id == 3)
        if not vault_of(engine.dialect):
            assert (await connection.execute(query)).scalar() == A
            return
        with pytest.raises(VaultError, match="not sealed") as caught:
            (await connection.execute(query)).scalar()
        assert A not in str(caught.value)


def test_each_place_is_its_column_s_name() -> None:
    found = sealed_columns(all_tables)
    assert len(found) >= 14
    for table, columns in found.items():
        for column in columns:
            if isinstance(column.type, Sealed):
                assert column.type.place == f"{table.name}.{column.name}"
