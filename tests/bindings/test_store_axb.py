"""AXB bindings in a real SQLite file."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, select

from gateway.bindings.decisions import Connect, Reject
from gateway.bindings.errors import (
    AlreadyBound,
    BindingNotFound,
    NoFreeNumber,
    NotBound,
    NumberBlacklisted,
    NumberNotOwned,
    SameNumber,
)
from gateway.bindings.models import Application, CallPolicy, Direction, Mode, Number, NumberStatus
from gateway.bindings.requests import AxbChanges, NewAxb, PolicyChanges
from gateway.bindings.routing import route
from gateway.bindings.rows import binding_values
from gateway.bindings.store import BindingStore
from gateway.database import reading, writing
from gateway.numbers import PhoneNumber
from gateway.schema import binding, binding_member

A, B, C, D = (PhoneNumber(f"+86138000000{digits}") for digits in (21, 23, 25, 27))
X, Y, Z = (PhoneNumber(f"+861700000000{digit}") for digit in (1, 2, 3))
APP = Application(key="app", secret="s", mode=Mode.AXB)
OTHER = replace(APP, key="other")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
PAIR = NewAxb(a=A, b=B, x=X)


@pytest.fixture(autouse=True)
async def seeded(store: BindingStore) -> None:
    numbers = [
        Number(x=X, application="app", area_code="0755", province="Guangdong"),
        Number(x=Y, application="app", area_code="020", province="Guangdong"),
        Number(x=Z, application="other"),
    ]
    await store.seed([APP, OTHER], numbers)


async def test_a_pair_is_found_from_both_sides(store: BindingStore) -> None:
    policy = CallPolicy(record=True, notice="n.wav", max_minutes=3)
    made = await store.bind_axb(APP, replace(PAIR, policy=policy, user_data="u", direction=Direction.FROM_A), NOW)
    for caller in (A, B):
        found = await store.find(caller, X, NOW)
        assert (found.bindings, found.application) == ((made,), APP)
        assert found.number is not None
    assert (await store.find(C, X, NOW)).bindings == ()
    assert (await store.find(None, X, NOW)).bindings == ()
    assert (await store.find(A, D, NOW)).number is None


async def test_the_found_pair_routes(store: BindingStore) -> None:
    await store.bind_axb(APP, PAIR, NOW)
    decision = route(B, X, await store.find(B, X, NOW), NOW)
    assert isinstance(decision, Connect)
    assert (decision.callee, decision.direction) == (A, 0)


@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        (replace(PAIR, x=Z), NumberNotOwned),
        (replace(PAIR, x=D), NumberNotOwned),
        (replace(PAIR, b=A), SameNumber),
        (replace(PAIR, b=X), SameNumber),
        (NewAxb(a=A, b=B, area_code="010"), NoFreeNumber),
    ],
)
async def test_refused_binds_leave_nothing(store: BindingStore, wanted: NewAxb, error: type[Exception]) -> None:
    with pytest.raises(error):
        await store.bind_axb(APP, wanted, NOW)
    assert await store.count_axb(APP, at=NOW) == 0


@pytest.mark.parametrize(("a", "b", "taken"), [(A, B, A), (C, A, A), (B, C, B), (D, B, B)])
async def test_no_number_twice_on_one_x(
    store: BindingStore, a: PhoneNumber, b: PhoneNumber, taken: PhoneNumber
) -> None:
    await store.bind_axb(APP, PAIR, NOW)
    with pytest.raises(AlreadyBound) as caught:
        await store.bind_axb(APP, NewAxb(a=a, b=b, x=X), NOW)
    assert caught.value.number == taken
    await store.bind_axb(APP, NewAxb(a=a, b=b, x=Y), NOW)


@pytest.mark.parametrize("turn", range(5))
async def test_of_two_at_once_one_wins(stores: tuple[BindingStore, BindingStore], turn: int) -> None:
    results = await asyncio.gather(
        stores[turn % 2].bind_axb(APP, PAIR, NOW),
        stores[1 - turn % 2].bind_axb(APP, NewAxb(a=C, b=B, x=X), NOW),
        return_exceptions=True,
    )
    lost = [one for one in results if isinstance(one, AlreadyBound)]
    assert [one.number for one in lost] == [B]
    assert await stores[0].count_axb(APP, x=X, at=NOW) == 1


async def test_x_is_chosen_by_city_then_by_use(store: BindingStore) -> None:
    first = await store.bind_axb(APP, NewAxb(a=A, b=B), NOW)
    second = await store.bind_axb(APP, NewAxb(a=C, b=D), NOW)
    assert {first.x, second.x} == {X, Y}
    city = await store.bind_axb(APP, NewAxb(a=A, b=C, area_code=""), NOW) if first.x == second.x else None
    assert city is None
    with pytest.raises(NoFreeNumber):
        await store.bind_axb(APP, NewAxb(a=A, b=PhoneNumber("+8613800000029"), area_code="0755"), NOW)
    loose = NewAxb(a=A, b=PhoneNumber("+8613800000029"), area_code="0755", loose=True)
    assert (await store.bind_axb(APP, loose, NOW)).x == Y


async def test_a_fixed_line_gets_its_own_city(store: BindingStore) -> None:
    await store.bind_axb(APP, NewAxb(a=A, b=B, x=Y), NOW)
    made = await store.bind_axb(APP, NewAxb(a=PhoneNumber("+862081234567"), b=C), NOW)
    assert made.x == Y


async def test_expiry_hides_at_once_and_frees_the_numbers(store: BindingStore) -> None:
    old = await store.bind_axb(APP, replace(PAIR, duration=60), NOW)
    end = NOW + timedelta(seconds=60)
    assert (await store.find(A, X, end - timedelta(microseconds=1))).bindings == (old,)
    assert isinstance(route(A, X, await store.find(A, X, end), end), Reject)
    assert await store.query_axb(APP, x=X, at=end) == []
    with pytest.raises(BindingNotFound):
        await store.unbind(APP, binding=old.id, at=end)
    with pytest.raises(BindingNotFound):
        await store.modify_axb(APP, old.id, AxbChanges(sms=False), end)
    new = await store.bind_axb(APP, NewAxb(a=C, b=A, x=X), end)
    assert (await store.find(A, X, end)).bindings == (new,)


async def test_purge_takes_the_expired_only(store: BindingStore) -> None:
    await store.bind_axb(APP, replace(PAIR, duration=60), NOW)
    kept = await store.bind_axb(APP, NewAxb(a=C, b=D, x=X), NOW)
    assert await store.purge_expired(NOW + timedelta(seconds=60)) == 1
    async with reading(store._engine) as connection:
        assert (await connection.execute(select(binding.c.id))).scalars().all() == [kept.id]
        assert len((await connection.execute(select(binding_member))).all()) == 2


async def test_modify_changes_what_is_named(store: BindingStore) -> None:
    made = await store.bind_axb(APP, replace(PAIR, duration=60, user_data="u"), NOW)
    later = NOW + timedelta(seconds=50)
    changed = await store.modify_axb(
        APP, made.id, AxbChanges(b=C, duration=100, policy=PolicyChanges(max_minutes=7)), later
    )
    assert (changed.b, changed.policy.max_minutes, changed.user_data) == (C, 7, "u")
    assert changed.expires_at == later + timedelta(seconds=100)
    assert (await store.find(C, X, later)).bindings == (changed,)
    assert (await store.find(B, X, later)).bindings == ()
    unlimited = await store.modify_axb(APP, made.id, AxbChanges(duration=None), later)
    assert unlimited.expires_at is None


async def test_modify_respects_the_other_pairs(store: BindingStore) -> None:
    made = await store.bind_axb(APP, PAIR, NOW)
    await store.bind_axb(APP, NewAxb(a=C, b=D, x=X), NOW)
    with pytest.raises(AlreadyBound):
        await store.modify_axb(APP, made.id, AxbChanges(b=C), NOW)
    with pytest.raises(SameNumber):
        await store.modify_axb(APP, made.id, AxbChanges(b=A), NOW)
    with pytest.raises(BindingNotFound):
        await store.modify_axb(OTHER, made.id, AxbChanges(b=A), NOW)
    assert (await store.find(B, X, NOW)).bindings == (made,)
    swapped = await store.modify_axb(APP, made.id, AxbChanges(a=B, b=A), NOW)
    assert (swapped.a, swapped.b) == (B, A)


async def test_unbind_by_id_and_by_x(store: BindingStore) -> None:
    one = await store.bind_axb(APP, PAIR, NOW)
    await store.bind_axb(APP, NewAxb(a=C, b=D, x=X), NOW)
    with pytest.raises(BindingNotFound):
        await store.unbind(OTHER, binding=one.id)
    assert await store.unbind(APP, binding=one.id) == 1
    assert await store.unbind(APP, x=X) == 1
    with pytest.raises(NotBound):
        await store.unbind(APP, x=X)
    with pytest.raises(NotBound):
        await store.unbind(APP)
    with pytest.raises(NumberNotOwned):
        await store.unbind(APP, x=Z)
    await store.bind_axb(APP, PAIR, NOW)


async def test_query_by_pages_and_pair(store: BindingStore) -> None:
    made = [
        await store.bind_axb(
            APP,
            NewAxb(a=PhoneNumber(f"+8613900000{2 * n:03}"), b=PhoneNumber(f"+8613900000{2 * n + 1:03}"), x=X),
            NOW + timedelta(seconds=n),
        )
        for n in range(5)
    ]
    assert await store.query_axb(APP, x=X, page=2, size=2, at=NOW) == made[2:4]
    assert await store.count_axb(APP, x=X, at=NOW) == 5
    assert await store.query_axb(APP, x=X, b=made[3].b, at=NOW) == [made[3]]
    assert await store.query_axb(APP, binding=made[1].id, at=NOW) == [made[1]]
    assert await store.query_axb(OTHER, binding=made[1].id, at=NOW) == []


async def test_a_full_x_takes_no_more(store: BindingStore) -> None:
    first = await store.bind_axb(APP, PAIR, NOW)
    async with writing(store._engine) as connection:
        rows = [binding_values(first) | {"id": f"b{number}"} for number in range(4999)]
        await connection.execute(insert(binding), rows)
    with pytest.raises(NoFreeNumber):
        await store.bind_axb(APP, NewAxb(a=C, b=D, x=X), NOW)
    assert (await store.bind_axb(APP, NewAxb(a=C, b=D, area_code="0755", loose=True), NOW)).x == Y


@pytest.mark.parametrize("status", [NumberStatus.SUSPENDED, NumberStatus.FROZEN, NumberStatus.UNAVAILABLE])
async def test_a_number_out_of_order_takes_no_binding(store: BindingStore, status: NumberStatus) -> None:
    bad = PhoneNumber("+8617000000009")
    await store.seed([], [Number(x=bad, application="app", status=status)])
    with pytest.raises(NumberBlacklisted):
        await store.bind_axb(APP, replace(PAIR, x=bad), NOW)


async def test_seeding_again_changes_settings_and_keeps_bindings(store: BindingStore) -> None:
    made = await store.bind_axb(APP, PAIR, NOW)
    await store.seed([replace(APP, notice="n.wav", allowed_ips=("10.0.0.0/8",))], [Number(x=X, application="app")])
    found = await store.find(A, X, NOW)
    assert found.application is not None
    assert (found.application.notice, found.application.allowed_ips) == ("n.wav", ("10.0.0.0/8",))
    assert found.bindings == (made,)
    assert await store.application("app") == found.application
    assert [one.key for one in await store.applications()] == ["app", "other"]


async def test_a_number_moves_only_when_it_is_not_bound(store: BindingStore) -> None:
    made = await store.bind_axb(APP, PAIR, NOW)
    moved = [Number(x=X, application="other")]
    await store.seed([], moved)
    assert (await store.find(A, X, NOW)).bindings == (made,)
    await store.unbind(APP, x=X, at=NOW)
    await store.seed([], moved)
    await store.bind_axb(OTHER, PAIR, NOW)


async def test_expired_pairs_don_t_fill_an_x(store: BindingStore) -> None:
    first = await store.bind_axb(APP, replace(PAIR, duration=60), NOW)
    async with writing(store._engine) as connection:
        rows = [binding_values(first) | {"id": f"b{number}"} for number in range(4999)]
        await connection.execute(insert(binding), rows)
    wanted = NewAxb(a=C, b=D, area_code="0755")
    with pytest.raises(NoFreeNumber):
        await store.bind_axb(APP, wanted, NOW)
    assert (await store.bind_axb(APP, wanted, NOW + timedelta(seconds=60))).x == X
