"""AXE in the tables: extensions, their rules also in a race, their lives."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert

from gateway.bindings.decisions import Collect, Connect, Reject
from gateway.bindings.errors import (
    BindingError,
    BindingNotFound,
    NoFreeExtension,
    NoFreeNumber,
    NumberNotOwned,
    PairExists,
    SameNumber,
)
from gateway.bindings.models import Application, Binding, Callback, Mode, Number
from gateway.bindings.requests import AxeChanges, NewAxe, PolicyChanges
from gateway.bindings.routing import route
from gateway.bindings.rows import binding_values
from gateway.bindings.store import BindingStore
from gateway.causes import Cause
from gateway.database import writing
from gateway.numbers import PhoneNumber
from gateway.schema import binding, binding_member

A, B, C = (PhoneNumber(f"+86138000000{digits}") for digits in (21, 23, 25))
X, X2 = PhoneNumber("+8617000000001"), PhoneNumber("+8617000000002")
APP = Application(key="app", secret="s", mode=Mode.AXE, recording=True)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
async def seeded(store: BindingStore) -> None:
    numbers = [Number(x=X, application="app", area_code="0755"), Number(x=X2, application="app", area_code="010")]
    await store.seed([APP], numbers)


async def decide(store: BindingStore, caller: PhoneNumber, extension: str = "", at: datetime = NOW) -> object:
    return route(caller, X, await store.find(caller, X, at, extension), at, extension)


async def test_a_stranger_dials_an_extension_and_a_calls_him_back(store: BindingStore) -> None:
    made = await store.bind_axe(APP, NewAxe(a=A, x=X, extension="1234", callback=Callback(seconds=60)), NOW)
    assert isinstance(await decide(store, B), Collect)
    found = await decide(store, B, "1234")
    assert isinstance(found, Connect)
    assert (found.binding, found.callee, found.shown, found.remember_caller) == (made.id, A, X, True)
    wrong = await decide(store, B, "1235")
    assert isinstance(wrong, Reject)
    assert wrong.cause is Cause.EXTENSION_UNKNOWN
    await store.note_talked(found, B, A, NOW)
    back = await decide(store, A, at=NOW + timedelta(seconds=59))
    assert isinstance(back, Connect)
    assert (back.callee, back.direction) == (B, 1)
    late = await decide(store, A, at=NOW + timedelta(seconds=60))
    assert isinstance(late, Reject)
    assert late.cause is Cause.NO_CALLBACK_RECORD


async def test_an_a_is_a_stranger_to_other_extensions_of_his_x(store: BindingStore) -> None:
    await store.bind_axe(APP, NewAxe(a=A, x=X, extension="1"), NOW)
    await store.bind_axe(APP, NewAxe(a=B, x=X, extension="2"), NOW)
    found = await decide(store, A, "2")
    assert isinstance(found, Connect)
    assert found.callee == B
    own = await decide(store, A, "1")
    assert isinstance(own, Reject)


async def test_one_extension_for_an_a_and_one_a_for_an_extension(store: BindingStore) -> None:
    await store.bind_axe(APP, NewAxe(a=A, x=X, extension="1234"), NOW)
    with pytest.raises(PairExists):
        await store.bind_axe(APP, NewAxe(a=A, x=X), NOW)
    with pytest.raises(NoFreeExtension):
        await store.bind_axe(APP, NewAxe(a=B, x=X, extension="1234"), NOW)
    with pytest.raises(SameNumber):
        await store.bind_axe(APP, NewAxe(a=X, x=X), NOW)
    with pytest.raises(NumberNotOwned):
        await store.bind_axe(APP, NewAxe(a=B, x=C), NOW)
    assert (await store.bind_axe(APP, NewAxe(a=A, x=X2), NOW)).x == X2


async def test_the_next_extension_is_one_that_was_not_given_back_just_now(store: BindingStore) -> None:
    first = await store.bind_axe(APP, NewAxe(a=A, x=X), NOW)
    assert first.extension == "0001"
    second = await store.bind_axe(APP, NewAxe(a=B, x=X), NOW + timedelta(seconds=1))
    await store.unbind_axe(APP, x=X, extension="0001", at=NOW + timedelta(seconds=2))
    third = await store.bind_axe(APP, NewAxe(a=C, x=X), NOW + timedelta(seconds=3))
    assert (second.extension, third.extension) == ("0002", "0003")


async def test_the_area_chooses_the_x(store: BindingStore) -> None:
    assert (await store.bind_axe(APP, NewAxe(a=A, area_code="010"), NOW)).x == X2
    with pytest.raises(NoFreeNumber):
        await store.bind_axe(APP, NewAxe(a=A, area_code="010"), NOW)
    assert (await store.bind_axe(APP, NewAxe(a=A, area_code="010", loose=True), NOW)).x == X


async def test_nine_thousand_nine_hundred_and_ninety_nine_on_one_x(store: BindingStore) -> None:
    made = [
        Binding(
            id=f"id-{number}", application="app", mode=Mode.AXE, x=X, a=PhoneNumber(f"+86139{number:08d}"),
            extension=f"{number:04d}", created_at=NOW,
        )
        for number in range(1, 9999)
    ]  # fmt: skip
    async with writing(store._engine) as connection:
        await connection.execute(insert(binding), [binding_values(one) for one in made])
        places = [(one.a.e164, one.id) for one in made] + [("#" + one.extension, one.id) for one in made]
        rows = [{"x": X.e164, "number": place, "binding": name} for place, name in places]
        await connection.execute(insert(binding_member), rows)
    last = await store.bind_axe(APP, NewAxe(a=A, x=X), NOW + timedelta(seconds=1))
    assert last.extension == "9999"
    with pytest.raises(NoFreeNumber):
        await store.bind_axe(APP, NewAxe(a=B, x=X), NOW)
    found = await decide(store, B, "9999")
    assert isinstance(found, Connect)
    assert found.callee == A


async def test_two_nodes_race_for_one_extension(stores: tuple[BindingStore, BindingStore]) -> None:
    async def bind(store: BindingStore, digit: int, extension: str) -> Binding | BindingError:
        try:
            wanted = NewAxe(a=PhoneNumber(f"+861390000{digit:04d}"), x=X, extension=extension)
            return await store.bind_axe(APP, wanted, NOW)
        except BindingError as error:
            return error

    same = await asyncio.gather(*(bind(stores[number % 2], number, "7") for number in range(10)))
    assert sum(isinstance(one, Binding) for one in same) == 1
    assert {type(one) for one in same} == {Binding, NoFreeExtension}
    chosen = await asyncio.gather(*(bind(stores[number % 2], number, "") for number in range(20, 40)))
    extensions = [one.extension for one in chosen if isinstance(one, Binding)]
    assert len(set(extensions)) == 20


async def test_an_expired_binding_gives_its_places_free(store: BindingStore) -> None:
    await store.bind_axe(APP, NewAxe(a=A, x=X, extension="1", duration=60), NOW)
    later = NOW + timedelta(seconds=60)
    assert isinstance(await decide(store, B, "1", later - timedelta(seconds=1)), Connect)
    gone = await decide(store, B, "1", later)
    assert isinstance(gone, Reject)
    assert gone.cause is Cause.EXTENSION_UNKNOWN
    with pytest.raises(BindingNotFound):
        await store.query_axe(APP, x=X, extension="1", at=later)
    assert (await store.bind_axe(APP, NewAxe(a=B, x=X, extension="1"), later)).a == B
    assert (await store.bind_axe(APP, NewAxe(a=A, x=X), later)).a == A


async def test_modify(store: BindingStore) -> None:
    made = await store.bind_axe(
        APP, NewAxe(a=A, x=X, duration=60, callback=Callback(tone="t.wav"), extra={"timeUnit": "1"}), NOW
    )
    later = NOW + timedelta(seconds=30)
    changes = AxeChanges(
        duration=60, policy=PolicyChanges(record=True), show_caller=True, callback_number=B, callback_seconds=5,
        user_data="u",
    )  # fmt: skip
    await store.modify_axe(APP, binding=made.id, changes=changes, at=later)
    new = await store.query_axe(APP, binding=made.id, at=later)
    assert new.expires_at == later + timedelta(seconds=60)
    assert new.callback == Callback(tone="", number=B, seconds=5)
    assert (new.policy.record, new.show_caller, new.user_data, new.extra) == (True, True, "u", {"timeUnit": "1"})
    with pytest.raises(BindingNotFound):
        await store.modify_axe(replace(APP, key="other"), binding=made.id, changes=changes, at=later)
