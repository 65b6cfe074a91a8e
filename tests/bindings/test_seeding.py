"""What is taken out of the configuration file is off and keeps its bindings; what is put back works as before."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway.bindings.decisions import Connect, Reject
from gateway.bindings.errors import NoFreeNumber, NumberBlacklisted
from gateway.bindings.models import Application, Mode, Number, NumberStatus
from gateway.bindings.requests import NewAxb
from gateway.bindings.routing import route
from gateway.bindings.store import BindingStore
from gateway.causes import Cause
from gateway.numbers import PhoneNumber

A, B, C, D = (PhoneNumber(f"+86138000000{digits}") for digits in (21, 23, 25, 27))
X, Y, Z = (PhoneNumber(f"+861700000000{digit}") for digit in (1, 2, 3))
APP = Application(key="app", secret="s", mode=Mode.AXB)
OTHER = replace(APP, key="other")
NUMBERS = [Number(x=X, application="app"), Number(x=Y, application="app"), Number(x=Z, application="other")]
NOW = datetime(2026, 1, 1, tzinfo=UTC)


async def start(store: BindingStore, applications: list[Application], numbers: list[Number]) -> tuple[int, int]:
    """What a node does at its start."""
    await store.seed(applications, numbers)
    return await store.take_out(applications, numbers)


async def called(store: BindingStore, x: PhoneNumber) -> Connect | Reject:
    return route(A, x, await store.find(A, x, NOW), NOW)


async def test_a_number_taken_out_and_put_back(store: BindingStore) -> None:
    assert await start(store, [APP, OTHER], NUMBERS) == (0, 0)
    made = await store.bind_axb(APP, NewAxb(a=A, b=B, x=X), NOW)
    assert await start(store, [APP, OTHER], NUMBERS[1:]) == (0, 1)
    refused = await called(store, X)
    assert isinstance(refused, Reject)
    assert refused.cause is Cause.NUMBER_SUSPENDED
    with pytest.raises(NumberBlacklisted):
        await store.bind_axb(APP, NewAxb(a=C, b=D, x=X), NOW)
    assert (await store.bind_axb(APP, NewAxb(a=C, b=D), NOW)).x == Y
    with pytest.raises(NoFreeNumber):
        await store.bind_axb(APP, NewAxb(a=C, b=B), NOW)
    assert await store.query_axb(APP, x=X, at=NOW) == [made]
    assert await start(store, [APP, OTHER], NUMBERS[1:]) == (0, 0)
    assert await start(store, [APP, OTHER], NUMBERS) == (0, 0)
    assert isinstance(await called(store, X), Connect)


async def test_an_application_taken_out_and_put_back(store: BindingStore) -> None:
    await start(store, [APP, OTHER], NUMBERS)
    await store.bind_axb(APP, NewAxb(a=A, b=B, x=X), NOW)
    assert await start(store, [OTHER], NUMBERS[2:]) == (1, 2)
    assert await store.application("app") == replace(APP, enabled=False)
    assert await store.application("other") == OTHER
    refused = await called(store, X)
    assert isinstance(refused, Reject)
    assert refused.rule == "The application is off."
    assert await start(store, [APP, OTHER], NUMBERS) == (0, 0)
    assert await store.application("app") == APP
    assert isinstance(await called(store, X), Connect)


@pytest.mark.parametrize("state", [NumberStatus.SUSPENDED, NumberStatus.FROZEN])
async def test_a_number_that_stays_in_the_file_keeps_its_state(store: BindingStore, state: NumberStatus) -> None:
    await start(store, [APP], [Number(x=X, application="app", status=state)])
    assert await start(store, [APP], [Number(x=X, application="app")]) == (0, 0)
    found = (await store.find(A, X, NOW)).number
    assert found is not None
    assert found.status is state


async def test_an_empty_file_turns_all_off(store: BindingStore) -> None:
    await start(store, [APP, OTHER], NUMBERS)
    assert await start(store, [], []) == (2, 3)
    assert [one.enabled for one in await store.applications()] == [False, False]
