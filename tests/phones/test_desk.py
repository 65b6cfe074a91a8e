"""What a node knows of its phones and what it writes down of them, on both databases; no clock is waited for."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.calls.phones import Phone
from gateway.database import open_engine, reading, writing
from gateway.numbers import PhoneNumber
from gateway.phones import book
from gateway.phones.desk import PhoneDesk
from gateway.phones.tables import phone_contact
from gateway.sip.digest import secret_of
from gateway.sip.hop import Hop
from gateway.sip.locations import Contact

A, B = PhoneNumber("+8613800000021"), PhoneNumber("+8613800000023")
USER = A.e164[1:]
NOW = datetime(2026, 11, 1, tzinfo=UTC)


@dataclass
class Told:
    """Stands for the exchange."""

    books: list[list[Phone]] = field(default_factory=list)
    restored: list[tuple[str, tuple[Contact, ...]]] = field(default_factory=list)

    def learn_phones(self, phones: Iterable[Phone]) -> None:
        self.books.append(list(phones))

    def restore_phone(self, user: str, contacts: Iterable[Contact]) -> None:
        self.restored.append((user, tuple(contacts)))


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    made = open_engine(database_url)
    yield made
    await made.dispose()


def desk(engine: AsyncEngine, node: str = "n") -> tuple[PhoneDesk, Told]:
    told = Told()
    return PhoneDesk(engine, node, "gw", told), told


def contact(port: int = 5060, transport: str = "udp", lasts: float = 600.0) -> Contact:
    now = time.monotonic()
    return Contact(
        f"sip:a@10.0.0.1:{port}", Hop(transport, "203.0.113.1", port), now + lasts, now, "call", 7, 500, "<i>"
    )


async def add(engine: AsyncEngine, *numbers: PhoneNumber, realm: str = "gw", at: datetime = NOW) -> None:
    async with writing(engine) as connection:
        for number in numbers:
            assert await book.add(connection, number, realm, "secret", at)


def test_a_password_is_easy_to_type_and_hard_to_guess() -> None:
    made = {book.new_password() for _ in range(200)}
    assert len(made) == 200
    assert all(len(one) == 14 and one.islower() and not set("01ilo") & set(one) for one in made)


async def test_a_phone_is_added_once_and_known_by_its_secrets(engine: AsyncEngine) -> None:
    await add(engine, A)
    async with writing(engine) as connection:
        assert not await book.add(connection, A, "gw", "another", NOW)
    one, told = desk(engine)
    await one.look()
    secrets = {name: secret_of(name, USER, "gw", "secret") for name in ("SHA-256", "MD5")}
    assert told.books == [[Phone(A, secrets)]]


async def test_changes_by_anybody_are_seen(engine: AsyncEngine) -> None:
    one, told = desk(engine)
    await one.look()
    await one.look()
    assert told.books == [[]]
    await add(engine, A, B)
    await one.look()
    assert {phone.number for phone in told.books[-1]} == {A, B}
    async with writing(engine) as connection:
        # By a node whose clock is behind.
        assert await book.change_password(connection, A, "gw", "new", datetime(2026, 10, 1, tzinfo=UTC))
    await one.look()
    (changed,) = [phone for phone in told.books[-1] if phone.number == A]
    assert changed.secrets["MD5"] == secret_of("MD5", USER, "gw", "new")
    async with writing(engine) as connection:
        assert await book.remove(connection, A)
        assert not await book.remove(connection, A)
        assert not await book.change_password(connection, A, "gw", "new", NOW)
    await one.look()
    assert [phone.number for phone in told.books[-1]] == [B]
    assert len(told.books) == 4


async def test_a_phone_of_another_realm_is_not_known(engine: AsyncEngine) -> None:
    await add(engine, A, realm="before")
    one, told = desk(engine)
    await one.look()
    assert told.books == [[]]
    async with reading(engine) as connection:
        assert [phone.realm for phone in await book.listed(connection)] == ["before"]


async def test_many_phones_are_read_in_pieces(engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book, "_CHUNK", 10)
    numbers = [PhoneNumber(f"+86139{index:08}") for index in range(25)]
    async with writing(engine) as connection:
        for number in numbers:
            await book.add(connection, number, "gw", "secret", NOW)
    one, told = desk(engine)
    await one.look()
    assert {phone.number for phone in told.books[0]} == set(numbers)


async def test_where_a_phone_is_lives_through_a_restart(engine: AsyncEngine) -> None:
    await add(engine, A, B)
    one, _ = desk(engine)
    here, there = contact(), contact(5061, "tcp")
    one.moved(USER, (here, there))
    one.moved(B.e164[1:], (contact(5062),))
    await one.write()
    one.moved(B.e164[1:], ())
    await one.write()
    after, told = desk(engine)
    await after.start()
    await after.stop()
    ((user, contacts),) = told.restored
    assert user == USER
    for before, now in zip((here, there), contacts, strict=True):
        assert (now.uri, now.hop, now.call_id, now.cseq, now.q, now.instance) == (
            before.uri, before.hop, "call", 7, 500, "<i>")  # fmt: skip
        assert now.expires == pytest.approx(before.expires, abs=0.5)


async def test_a_node_restores_what_was_its_own(engine: AsyncEngine) -> None:
    await add(engine, A)
    one, _ = desk(engine)
    one.moved(USER, (contact(),))
    await one.write()
    other, told = desk(engine, "other")
    await other.start()
    await other.stop()
    assert told.restored == []


async def test_what_moved_last_is_written_when_the_node_stops(engine: AsyncEngine) -> None:
    await add(engine, A)
    one, _ = desk(engine)
    await one.start()
    one.moved(USER, (contact(),))
    await one.stop()
    async with reading(engine) as connection:
        (listed,) = await book.listed(connection)
    assert [(node, str(found.hop)) for node, found in listed.contacts] == [("n", "udp:203.0.113.1:5060")]


async def test_what_has_lapsed_is_not_listed(engine: AsyncEngine) -> None:
    await add(engine, A)
    one, _ = desk(engine)
    one.moved(USER, (contact(lasts=-1.0),))
    await one.write()
    async with reading(engine) as connection:
        (listed,) = await book.listed(connection)
    assert (listed.number, listed.created, listed.contacts) == (A, NOW, ())


async def test_a_phone_that_is_removed_leaves_nothing(engine: AsyncEngine) -> None:
    await add(engine, A)
    one, _ = desk(engine)
    one.moved(USER, (contact(),))
    await one.write()
    async with writing(engine) as connection:
        await book.remove(connection, A)
    async with reading(engine) as connection:
        assert (await connection.execute(select(phone_contact))).all() == []


async def test_what_can_not_be_written_is_kept_for_the_next_time(engine: AsyncEngine) -> None:
    await add(engine, A)
    one, _ = desk(engine)
    one.moved(USER, (contact(),))
    one.engine = open_engine("sqlite+aiosqlite://")
    await one._try(one.write)
    await one.engine.dispose()
    one.engine = engine
    await one.write()
    async with reading(engine) as connection:
        assert len((await connection.execute(select(phone_contact))).all()) == 1
