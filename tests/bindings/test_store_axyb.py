"""AXYB in the tables: an X for A, a Y for each B, by the API or by itself, also in a race."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from gateway.bindings.decisions import Connect, NeedsRelation, Reject
from gateway.bindings.errors import BindingNotFound, NoFreeNumber, SameNumber, TooManyNumbers
from gateway.bindings.models import Application, Binding, CallPolicy, Mode, Number
from gateway.bindings.requests import NewAxyb, NewRelation
from gateway.bindings.routing import route
from gateway.bindings.store import BindingStore
from gateway.causes import Cause
from gateway.numbers import PhoneNumber

A, B, C, D = (PhoneNumber(f"+86138000000{digits}") for digits in (21, 23, 25, 27))
NUMBERS = [PhoneNumber(f"+861700000000{digit}") for digit in range(1, 5)]
APP = Application(key="app", secret="s", mode=Mode.AXYB, recording=True)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
async def seeded(store: BindingStore) -> None:
    await store.seed([APP], [Number(x=x, application="app", area_code="0755") for x in NUMBERS])


async def bound(store: BindingStore, a: PhoneNumber = A, **more: object) -> Binding:
    return await store.bind_axyb(APP, NewAxyb(a=a, area_code="0755", **more), NOW)  # type: ignore[arg-type]


async def decide(store: BindingStore, caller: PhoneNumber, called: PhoneNumber, at: datetime = NOW) -> object:
    return route(caller, called, await store.find(caller, called, at), at)


async def test_a_stranger_gets_a_y_and_both_reach_each_other(store: BindingStore) -> None:
    ax = await bound(store, policy=CallPolicy(tone_for_others="x.wav"))
    needed = await decide(store, B, ax.x)
    assert isinstance(needed, NeedsRelation)
    made = await store.relate(APP, needed.ax, B, NOW)
    assert made.y not in (None, ax.x)
    assert made.y is not None
    assert await store.relate(APP, ax, B, NOW) == made, "the one that is there"
    to_a, to_b = await decide(store, B, ax.x), await decide(store, A, made.y)
    assert isinstance(to_a, Connect)
    assert isinstance(to_b, Connect)
    assert (to_a.callee, to_a.shown, to_a.direction, to_a.waiting_tone) == (A, made.y, 0, "x.wav")
    assert (to_b.callee, to_b.shown, to_b.direction, to_b.waiting_tone) == (B, ax.x, 1, "")
    stranger = await decide(store, C, made.y)
    assert isinstance(stranger, Reject)
    assert stranger.cause is Cause.RELATION_MISSING


async def test_each_b_has_his_own_y_and_two_a_may_share_one(store: BindingStore) -> None:
    first, other = await bound(store), await bound(store, D)
    ys = {(await store.relate(APP, first, b, NOW)).y for b in (B, C)}
    assert len(ys) == 2
    assert (await store.relate(APP, other, B, NOW)).y in ys
    with pytest.raises(NoFreeNumber):
        await store.relate(APP, first, PhoneNumber("+8613800000029"), NOW)


async def test_no_x_is_a_y_and_no_y_an_x(store: BindingStore) -> None:
    ax = await bound(store)
    for b in (B, C, D):
        assert (await store.relate(APP, ax, b, NOW)).y != ax.x
    with pytest.raises(NoFreeNumber):
        await bound(store, D)


async def test_five_x_for_an_a(store: BindingStore) -> None:
    more = [Number(x=PhoneNumber(f"+861700000001{digit}"), application="app", area_code="0755") for digit in range(4)]
    await store.seed([APP], more)
    for _ in range(5):
        await bound(store)
    with pytest.raises(TooManyNumbers):
        await bound(store)


async def test_the_life_of_a_relation(store: BindingStore) -> None:
    ax = await bound(store, duration=100, extra={"ybDuration": 70})
    by_itself = await store.relate(APP, ax, B, NOW + timedelta(seconds=20))
    assert by_itself.expires_at == NOW + timedelta(seconds=90)
    capped = await store.relate(APP, ax, C, NOW + timedelta(seconds=50))
    assert capped.expires_at == NOW + timedelta(seconds=100)
    named = await store.bind_relation(APP, NewRelation(parent=ax.id, b=D, seconds=60, tone_for_a="y.wav"), NOW)
    assert named.expires_at == NOW + timedelta(seconds=60)
    assert named.y is not None
    to_d = await decide(store, A, named.y)
    assert isinstance(to_d, Connect)
    assert to_d.waiting_tone == "y.wav"
    late = await decide(store, A, named.y, NOW + timedelta(seconds=60))
    assert isinstance(late, Reject)
    again = await decide(store, D, ax.x, NOW + timedelta(seconds=61))
    assert isinstance(again, NeedsRelation)
    assert (await store.relate(APP, ax, D, NOW + timedelta(seconds=61))).id != named.id
    over = await decide(store, B, ax.x, NOW + timedelta(seconds=100))
    assert isinstance(over, Reject)
    assert over.cause is Cause.RELATION_MISSING


async def test_unbind_one_or_all(store: BindingStore) -> None:
    ax = await bound(store)
    first, second, third = [await store.relate(APP, ax, b, NOW) for b in (B, C, D)]
    await store.unbind_axyb(APP, ax.id, y=first.y, b=C, at=NOW)
    await store.unbind_axyb(APP, ax.id, b=C, at=NOW)
    with pytest.raises(BindingNotFound):
        await store.unbind_axyb(APP, ax.id, b=C, at=NOW)
    assert [one.id for one in await store.query_axyb(APP, x=ax.x, at=NOW)] == [ax.id, third.id]
    await store.unbind_axyb(APP, ax.id, at=NOW)
    with pytest.raises(BindingNotFound):
        await store.query_axyb(APP, binding=ax.id, at=NOW)
    assert second.y is not None
    assert isinstance(await decide(store, A, second.y), Reject)


async def test_a_y_for_nobody(store: BindingStore) -> None:
    ax = await bound(store)
    for b in (A, ax.x):
        with pytest.raises(SameNumber):
            await store.bind_relation(APP, NewRelation(parent=ax.id, b=b), NOW)
    with pytest.raises(BindingNotFound):
        await store.bind_relation(APP, NewRelation(parent="other", b=B), NOW)


async def test_two_nodes_give_one_b_one_y(stores: tuple[BindingStore, BindingStore]) -> None:
    ax = await bound(stores[0])
    made = await asyncio.gather(*(stores[number % 2].relate(APP, ax, B, NOW) for number in range(10)))
    assert len({one.id for one in made}) == 1
    bs = [PhoneNumber(f"+861390000000{digit}") for digit in range(2)]
    others = await asyncio.gather(*(store.relate(APP, ax, b, NOW) for store, b in zip(stores, bs, strict=True)))
    assert len({one.y for one in others} | {made[0].y}) == 3


async def test_two_nodes_never_give_one_x_twice(stores: tuple[BindingStore, BindingStore]) -> None:
    async def bind(number: int) -> Binding | None:
        try:
            return await bound(stores[number % 2], PhoneNumber(f"+861390000{number:04d}"))
        except NoFreeNumber:
            return None

    made = [one for one in await asyncio.gather(*(bind(number) for number in range(12))) if one is not None]
    assert sorted(one.x.e164 for one in made) == [x.e164 for x in NUMBERS]
