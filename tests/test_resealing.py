"""A whole database changes its key: all of it or nothing, and the nodes that run meanwhile follow."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, make_url, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.admin.tables import contact, enterprise, mail
from gateway.bindings.models import Application, Mode, Number
from gateway.bindings.requests import NewAxb
from gateway.bindings.store import BindingStore
from gateway.database import migrate, open_engine, reading, split_url, writing
from gateway.numbers import PhoneNumber
from gateway.phones.tables import phone, phone_contact
from gateway.resealing import reseal
from gateway.schema import (
    attempt,
    cdr,
    number_list,
    open_call,
    outbox,
    recording,
    registered_a,
    sms_record,
    temporary_callee,
)
from gateway.tables import metadata
from gateway.tracing.tables import call_trace, trace_message, trace_switch
from gateway.vault.cipher import VaultError
from gateway.vault.columns import sealed_columns
from gateway.vault.guard import UNSEALED
from gateway.vault.keys import Vault, add_key

NOW = datetime(2026, 11, 1, tzinfo=UTC)
APP = Application(key="app", secret="very-secret-secret", mode=Mode.AXB)
X = PhoneNumber("+8617000000001")
REAL = [PhoneNumber(f"+86138000{index:05}") for index in range(2400)]
WORDS = ("8613800", "very-secret-secret", "somebody@", "order 4711")


@dataclass
class Place:
    """A database with a row in every table that has sealed columns, and its key file."""

    plain: str
    keys: Path

    @property
    def url(self) -> str:
        return f"{self.plain}{'&' if '?' in self.plain else '?'}key_file={self.keys}"

    async def fill(self, url: str) -> None:
        engine = open_engine(url)
        store = BindingStore(engine)
        await store.seed([APP], [Number(x=X, application="app", area_code="0755", province="")])
        for a, b in zip(REAL[:40:2], REAL[1:40:2], strict=True):
            await store.bind_axb(APP, NewAxb(x=X, a=a, b=b, user_data="order 4711"), NOW)
        async with writing(engine) as connection:
            for table, rows in _rows().items():
                await connection.execute(insert(table), rows)
        await engine.dispose()

    async def cells(self) -> str:
        """All sealed columns as they lie in the database."""
        engine = open_engine(self.plain)
        async with reading(engine) as connection:
            found = [
                tuple(row)
                for table, columns in sealed_columns(metadata).items()
                for row in (await connection.execute(select(*columns))).all()
            ]
        await engine.dispose()
        return repr(found)


def _rows() -> dict[Any, list[dict[str, Any]]]:
    number = REAL[0].e164
    spoken = json.dumps({"caller": number})
    call = {"application": "app", "mode": "AXB", "x": X.e164, "trunk": "t", "direction": 0, "started_at": 1.0,
            "ended_at": 2.0, "answered": True, "seconds": 1.0, "cause": 0, "recorded": False}  # fmt: skip
    return {
        number_list: [{"application": "", "kind": "black", "party": "caller", "number": one.e164, "note": "order 4711"}
                      for one in REAL],
        registered_a: [{"application": "app", "number": one.e164} for one in REAL[:3]],
        open_call: [{"session": "s", "node": "n", "application": "app", "record": spoken, "next_seq": 0,
                     "known_at": 1.0}],
        outbox: [{"id": f"s.{seq}", "application": "app", "session": "s", "seq": seq, "kind": "fee", "payload": spoken,
                  "created_at": 1.0, "due_at": 1.0, "tries": 0, "state": "done"} for seq in range(2100)],
        attempt: [{"outbox": "s.0", "at": 1.0, "seconds": 0.1, "answer": f"thanks for {number}"}],
        cdr: [{**call, "session": "s", "caller": number, "callee": None, "payload": spoken}],
        sms_record: [{"id": "m", "application": "app", "x": X.e164, "sender": number, "receiver": REAL[1].e164,
                      "at": 1.0, "direction": 1, "parts": 1, "result": 0}],
        enterprise: [{"id": "e", "name": "E", "state": "approved", "reason": "", "details": spoken,
                      "max_applications": 1, "created_at": 1.0}],
        contact: [{"id": "c", "enterprise": "e", "name": "order 4711", "phone": number, "email": "somebody@example.com",
                   "notices": "", "created_at": 1.0}],
        mail: [{"id": "l", "recipient": "somebody@example.com", "subject": "s", "body": "order 4711", "created_at": 1.0,
                "due_at": 1.0, "tries": 0, "state": "sent", "error": ""}],
        phone: [{"number": number, "realm": "r", "digests": json.dumps({"MD5": "very-secret-secret"}),
                 "created_at": 1.0, "changed_at": 1.0}],
        phone_contact: [{"number": number, "node": "n", "contacts": json.dumps([f"sip:{number}@h"])}],
        recording: [{"name": "r", "session": "s", "application": "app", "spool": "/s", "state": "ready",
                     "created_at": 1.0, "data_key": "order 4711"}],
        trace_switch: [{"id": "w", "kind": "number", "value": number, "until": 1.0, "calls": 1, "created_at": 0.0,
                        "created_by": "me"}],
        call_trace: [{"session": "s", "switch": "w", "node": "n", "numbers": json.dumps([X.e164, number]),
                      "started_at": 1.0}],
        trace_message: [{"session": "s", "order": 0, "at": 1.0, "side": 0, "sent": False, "peer": "udp 192.0.2.1 5060",
                         "here": "udp 192.0.2.2 5060", "data": f"order 4711 {number}"}],
    }  # fmt: skip


@pytest.fixture
def place(tmp_path: Path, empty_database_url: str) -> Place:
    made = Place(empty_database_url, tmp_path / "keys")
    add_key(made.keys)
    return made


def quiet(_table: str, _done: int, _total: int) -> None:
    """Nobody watches."""


async def contents(url: str) -> dict[str, list[Any]]:
    """What a node reads of every table with sealed columns."""
    engine = open_engine(url)
    async with reading(engine) as connection:
        found = {
            table.name: sorted(map(repr, (await connection.execute(select(table))).all()))
            for table in sealed_columns(metadata)
        }
    await engine.dispose()
    return found


async def test_plain_to_sealed_to_another_key_to_plain(place: Place) -> None:
    await migrate(place.plain)
    await place.fill(place.plain)
    before = await contents(place.plain)
    assert all(rows for name, rows in before.items() if name not in ("temporary_callee", "last_caller"))
    told: list[tuple[str, int, int]] = []
    first = Vault(place.keys)
    count = await reseal(place.url, first.keys, first.newest, lambda *told_: told.append(told_))
    assert count == sum(map(len, before.values()))
    assert ("number_list", 2400, 2400) in told
    sealed = await place.cells()
    assert not any(word in sealed for word in WORDS)
    await migrate(place.url)
    assert await contents(place.url) == before

    add_key(place.keys)
    second = Vault(place.keys)
    await reseal(place.url, second.keys, second.newest, quiet)
    turned = await place.cells()
    assert first.newest.id not in turned
    assert second.newest.id in turned
    assert await contents(place.url) == before

    await reseal(place.url, second.keys, None, quiet)
    await migrate(place.plain)
    assert await contents(place.plain) == before


async def test_no_byte_of_the_file_is_left(tmp_path: Path) -> None:
    place = Place(f"sqlite+aiosqlite:///{tmp_path}/maskline.db", tmp_path / "keys")
    add_key(place.keys)
    await migrate(place.plain)
    await place.fill(place.plain)
    assert any(word.encode() in (tmp_path / "maskline.db").read_bytes() for word in WORDS)
    vault = Vault(place.keys)
    await reseal(place.url, vault.keys, vault.newest, quiet)
    left = b"".join(map(Path.read_bytes, (tmp_path / name for name in os.listdir(tmp_path) if "maskline.db" in name)))
    assert not [word for word in WORDS if word.encode() in left]


async def test_what_fails_half_way_has_changed_nothing(place: Place) -> None:
    await migrate(place.url)
    await place.fill(place.url)
    before = await place.cells()
    vault = Vault(place.keys)
    add_key(place.keys)

    def broken_off(table: str, _done: int, _total: int) -> None:
        if table == "outbox":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await reseal(place.url, Vault(place.keys).keys, Vault(place.keys).newest, broken_off)
    assert await place.cells() == before
    await migrate(place.url)
    with pytest.raises(VaultError, match="is not in the file"):
        await reseal(place.url, {}, vault.newest, quiet)
    assert await place.cells() == before


async def test_a_database_and_a_key_file_that_do_not_go_together(place: Place, tmp_path: Path) -> None:
    await migrate(place.plain)
    await place.fill(place.plain)
    with pytest.raises(VaultError, match=UNSEALED):
        await migrate(place.url)
    vault = Vault(place.keys)
    await reseal(place.url, vault.keys, vault.newest, quiet)
    with pytest.raises(VaultError, match=f"sealed under key {vault.newest.id}: set database.key_file"):
        await migrate(place.plain)
    other = replace(place, keys=tmp_path / "others")
    add_key(other.keys)
    with pytest.raises(VaultError, match=f"key {vault.newest.id} is not in it"):
        await migrate(other.url)


async def test_an_empty_database_is_sealed_from_the_start_by_whoever_comes_first(place: Place) -> None:
    await asyncio.gather(*(migrate(place.url) for _ in range(3)))
    await place.fill(place.url)
    cells = await place.cells()
    assert not any(word in cells for word in WORDS)


@pytest.fixture
async def node(place: Place) -> AsyncIterator[AsyncEngine]:
    await migrate(place.url)
    await place.fill(place.url)
    engine = open_engine(place.url, synchronous="OFF")
    yield engine
    await engine.dispose()


async def test_nodes_that_run_follow_the_change(place: Place, node: AsyncEngine) -> None:
    store = BindingStore(node)
    assert len((await store.find(REAL[0], X, NOW)).bindings) == 1
    old = Vault(place.keys).newest.id
    add_key(place.keys)
    vault = Vault(place.keys)
    await reseal(place.url, vault.keys, vault.newest, quiet)
    # A look-up that finds nothing asks again, a writer asks first; nobody waits for a restart.
    assert len((await store.find(REAL[0], X, NOW)).bindings) == 1
    await store.bind_axb(APP, NewAxb(x=X, a=REAL[100], b=REAL[101]), NOW)
    assert old not in await place.cells()


async def test_writers_wait_for_the_change_and_then_write_under_the_new_key(place: Place, node: AsyncEngine) -> None:
    store, other = BindingStore(node), BindingStore(open_engine(place.url))
    add_key(place.keys)
    vault = Vault(place.keys)
    pairs = list(zip(REAL[200:220:2], REAL[201:220:2], strict=True))
    await asyncio.gather(
        reseal(place.url, vault.keys, vault.newest, quiet),
        *(one.bind_axb(APP, NewAxb(x=X, a=a, b=b), NOW) for one, (a, b) in zip([store, other] * 5, pairs, strict=True)),
    )
    cells = await place.cells()
    assert next(iter(vault.keys)) not in cells
    found = [(await store.find(a, X, NOW)).bindings for a, _ in pairs]
    assert [len(one) for one in found] == [1] * 10
    await other._engine.dispose()


async def test_a_node_without_the_new_key_writes_nothing(place: Place, node: AsyncEngine, tmp_path: Path) -> None:
    store = BindingStore(node)
    await store.find(REAL[0], X, NOW)
    newer = replace(place, keys=tmp_path / "elsewhere")
    newer.keys.write_bytes(place.keys.read_bytes())
    newer.keys.chmod(0o600)
    add_key(newer.keys)
    vault = Vault(newer.keys)
    await reseal(newer.url, vault.keys, vault.newest, quiet)
    before = await place.cells()
    with pytest.raises(VaultError, match=f"key {vault.newest.id} is not in it"):
        await store.bind_axb(APP, NewAxb(x=X, a=REAL[100], b=REAL[101]), NOW)
    assert await place.cells() == before


async def test_a_temporary_callee_and_a_database_s_address(place: Place, node: AsyncEngine) -> None:
    async with writing(node) as connection:
        id = (await connection.execute(text("SELECT id FROM binding LIMIT 1"))).scalar()
        await connection.execute(insert(temporary_callee).values(binding=id, callee=REAL[5].e164, expires_at=1.0))
        found = select(temporary_callee.c.callee).where(temporary_callee.c.callee == REAL[5].e164)
        assert (await connection.execute(found)).scalar() == REAL[5].e164
    plain, keys = split_url(place.url)
    assert (plain, keys) == (make_url(place.plain), place.keys)
