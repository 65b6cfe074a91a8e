"""AX bindings in a real SQLite file."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.bindings.decisions import Connect, Reject
from gateway.bindings.errors import (
    BindingNotFound,
    BoundToAnother,
    NoFreeNumber,
    NotBound,
    NumberNotOwned,
    PairExists,
    SameNumber,
    TooManyNumbers,
)
from gateway.bindings.models import Application, Direction, Mode, Number
from gateway.bindings.requests import AxChanges, NewAx, PolicyChanges
from gateway.bindings.routing import route
from gateway.bindings.store import BindingStore
from gateway.causes import Cause
from gateway.numbers import PhoneNumber

A, B, C = (PhoneNumber(f"+86138000000{digits}") for digits in (21, 23, 25))
NUMBERS = [PhoneNumber(f"+861700000000{digit}") for digit in range(1, 8)]
X = NUMBERS[0]
APP = Application(key="app", secret="s", mode=Mode.AX, memory_callback=True)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
async def seeded(store: BindingStore) -> None:
    await store.seed([APP], [Number(x=x, application="app", area_code="0755") for x in NUMBERS])


async def decide(store: BindingStore, caller: PhoneNumber, at: datetime = NOW) -> Connect | Reject:
    return route(caller, X, await store.find(caller, X, at), at)


async def test_anybody_reaches_a(store: BindingStore) -> None:
    made = await store.bind_ax(APP, NewAx(a=A, x=X, user_data="u", show_caller=False), NOW)
    decision = await decide(store, B)
    assert isinstance(decision, Connect)
    assert (decision.binding, decision.callee, decision.user_data) == (made.id, A, "u")


async def test_an_x_has_one_a_and_an_a_five_x(store: BindingStore) -> None:
    await store.bind_ax(APP, NewAx(a=A, x=X), NOW)
    with pytest.raises(PairExists):
        await store.bind_ax(APP, NewAx(a=A, x=X), NOW)
    with pytest.raises(BoundToAnother):
        await store.bind_ax(APP, NewAx(a=B, x=X), NOW)
    chosen = [await store.bind_ax(APP, NewAx(a=A, area_code="0755"), NOW) for _ in range(4)]
    assert [one.x for one in chosen] == NUMBERS[1:5]
    with pytest.raises(TooManyNumbers):
        await store.bind_ax(APP, NewAx(a=A, area_code="0755"), NOW)
    for _ in range(2):
        await store.bind_ax(APP, NewAx(a=B, area_code="0755"), NOW)
    with pytest.raises(NoFreeNumber):
        await store.bind_ax(APP, NewAx(a=C, area_code="0755", loose=True), NOW)


async def test_of_two_at_once_one_wins(stores: tuple[BindingStore, BindingStore]) -> None:
    results = await asyncio.gather(
        *(store.bind_ax(APP, NewAx(a=a, x=X), NOW) for store, a in zip(stores, (A, B), strict=True)),
        return_exceptions=True,
    )
    assert len([one for one in results if isinstance(one, BoundToAnother)]) == 1
    assert len(await stores[0].query_ax(APP, x=X)) == 1


async def test_errors(store: BindingStore) -> None:
    with pytest.raises(NumberNotOwned):
        await store.bind_ax(APP, NewAx(a=A, x=B), NOW)
    with pytest.raises(SameNumber):
        await store.bind_ax(APP, NewAx(a=X, x=X), NOW)
    with pytest.raises(NotBound):
        await store.unbind(APP, x=X)
    with pytest.raises(NotBound):
        await store.modify_ax(APP, x=X, changes=AxChanges(sms=False), at=NOW)
    with pytest.raises(BindingNotFound):
        await store.modify_ax(APP, binding="none", changes=AxChanges(sms=False), at=NOW)
    with pytest.raises(BindingNotFound):
        await store.unbind(APP, binding="none")


async def test_modify_query_unbind(store: BindingStore) -> None:
    made = await store.bind_ax(APP, NewAx(a=A, x=X), NOW)
    changes = AxChanges(
        switched_on=False, direction=Direction.TO_A, show_caller=True, policy=PolicyChanges(record=True)
    )
    changed = await store.modify_ax(APP, x=X, changes=changes, at=NOW)
    assert (changed.switched_on, changed.show_caller, changed.policy.record, changed.sms) == (False, True, True, True)
    assert await store.query_ax(APP, binding=made.id) == [changed]
    assert await store.query_ax(APP, a=A, x=NUMBERS[3]) == [changed]
    assert await store.query_ax(replace(APP, key="other"), a=A) == []
    assert await store.unbind(APP, x=X) == 1
    assert await store.query_ax(APP, x=X) == []
    await store.bind_ax(APP, NewAx(a=B, x=X), NOW)


async def test_the_temporary_callee_is_overwritten_and_used_up(store: BindingStore) -> None:
    made = await store.bind_ax(APP, NewAx(a=A, x=X), NOW)
    await store.set_temporary_callee(APP, x=X, callee=B, seconds=60, at=NOW)
    await store.set_temporary_callee(APP, binding=made.id, callee=C, seconds=60, user_data="t", at=NOW)
    decision = await decide(store, A)
    assert isinstance(decision, Connect)
    assert (decision.callee, decision.user_data) == (C, "t")
    await store.set_temporary_callee(APP, x=X, callee=B, seconds=60, at=NOW)
    await store.note_talked(decision, A, X, NOW)
    newer = await decide(store, A)
    assert isinstance(newer, Connect)
    assert newer.callee == B
    await store.note_talked(newer, A, X, NOW)
    gone = await decide(store, A)
    assert isinstance(gone, Reject)
    assert gone.cause is Cause.NO_CALLBACK_RECORD


async def test_the_temporary_callee_expires_and_is_checked(store: BindingStore) -> None:
    with pytest.raises(NotBound):
        await store.set_temporary_callee(APP, x=X, callee=B, seconds=60, at=NOW)
    await store.bind_ax(APP, NewAx(a=A, x=X), NOW)
    for wrong in (A, X):
        with pytest.raises(SameNumber):
            await store.set_temporary_callee(APP, x=X, callee=wrong, seconds=60, at=NOW)
    await store.set_temporary_callee(APP, x=X, callee=B, seconds=60, at=NOW)
    assert isinstance(await decide(store, A, NOW + timedelta(seconds=60)), Reject)


async def test_a_calls_back_who_called_last(store: BindingStore) -> None:
    await store.bind_ax(APP, NewAx(a=A, x=X), NOW)
    for caller in (B, C):
        decision = await decide(store, caller)
        assert isinstance(decision, Connect)
        await store.note_talked(decision, caller, X, NOW)
    back = await decide(store, A)
    assert isinstance(back, Connect)
    assert back.callee == C


async def test_talking_on_a_binding_that_has_gone_is_forgotten(store: BindingStore) -> None:
    await store.bind_ax(APP, NewAx(a=A, x=X), NOW)
    decision = await decide(store, B)
    assert isinstance(decision, Connect)
    await store.unbind(APP, x=X)
    await store.note_talked(decision, B, X, NOW)
    await store.bind_ax(APP, NewAx(a=A, x=X), NOW)
    assert isinstance(await decide(store, A), Reject)
