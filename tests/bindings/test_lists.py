"""Black and white lists and registered A numbers, asked of a real database."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import insert

from gateway.bindings.decisions import Connect
from gateway.bindings.models import Application, Mode, Number
from gateway.bindings.requests import NewAxb
from gateway.bindings.routing import route
from gateway.bindings.store import BindingStore
from gateway.causes import Cause
from gateway.database import writing
from gateway.numbers import PhoneNumber
from gateway.schema import number_list, registered_a

A, B, C = (PhoneNumber(f"+86138000000{digits}") for digits in (21, 23, 25))
X = PhoneNumber("+8617000000001")
APP = Application(key="app", secret="s", mode=Mode.AXB)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
BLACK, WHITE = "black", "white"


async def barred(store: BindingStore, caller: PhoneNumber, *rows: tuple[str, str, str, PhoneNumber]) -> Cause | None:
    await store.seed([APP], [Number(x=X, application="app")])
    await store.bind_axb(APP, NewAxb(a=A, b=B, x=X), NOW)
    async with writing(store._engine) as connection:
        for application, kind, party, number in rows:
            values = {"application": application, "kind": kind, "party": party, "number": number.e164, "note": ""}
            await connection.execute(insert(number_list).values(**values))
    found = await store.find(caller, X, NOW)
    assert found.has_lists == any(row[0] in ("", "app") for row in rows)
    decision = route(caller, X, found, NOW)
    assert isinstance(decision, Connect)
    return await store.barred(found, caller, decision)


@pytest.mark.parametrize(
    ("rows", "cause"),
    [
        ([], None),
        ([("app", BLACK, "caller", A)], Cause.CALLER_BLACKLISTED),
        ([("", BLACK, "caller", A)], Cause.CALLER_BLACKLISTED),
        ([("app", BLACK, "callee", B)], Cause.CALLEE_BLACKLISTED),
        ([("app", BLACK, "callee", A)], None),
        ([("other", BLACK, "caller", A)], None),
        ([("app", WHITE, "caller", A)], None),
        ([("app", WHITE, "caller", C)], Cause.CALLER_BLACKLISTED),
        ([("app", WHITE, "callee", C)], Cause.CALLEE_BLACKLISTED),
        ([("", WHITE, "callee", C), ("app", WHITE, "callee", B)], None),
        ([("", BLACK, "caller", A), ("app", WHITE, "caller", A)], Cause.CALLER_BLACKLISTED),
    ],
)
async def test_lists(store: BindingStore, rows: list[tuple[str, str, str, PhoneNumber]], cause: Cause | None) -> None:
    assert await barred(store, A, *rows) is cause


async def test_an_a_that_is_not_registered(store: BindingStore) -> None:
    strict = replace(APP, registered_only=True)
    await store.seed([strict], [Number(x=X, application="app")])
    await store.bind_axb(strict, NewAxb(a=A, b=B, x=X), NOW)

    async def asked(caller: PhoneNumber) -> Cause | None:
        found = await store.find(caller, X, NOW)
        decision = route(caller, X, found, NOW)
        assert isinstance(decision, Connect)
        return await store.barred(found, caller, decision)

    assert [await asked(one) for one in (A, B)] == [Cause.NO_PERMISSION, Cause.NO_PERMISSION]
    async with writing(store._engine) as connection:
        await connection.execute(insert(registered_a).values(application="app", number=A.e164))
    assert [await asked(one) for one in (A, B)] == [None, None]


async def test_registration_is_about_calls_and_lists_about_messages_too(store: BindingStore) -> None:
    strict = replace(APP, registered_only=True)
    await store.seed([strict], [Number(x=X, application="app")])
    await store.bind_axb(strict, NewAxb(a=A, b=B, x=X), NOW)
    async with writing(store._engine) as connection:
        row = {"application": "app", "kind": BLACK, "party": "callee", "number": C.e164, "note": ""}
        await connection.execute(insert(number_list).values(**row))
    found = await store.find(A, X, NOW)
    assert await store.listed(found, A, B) is None
    assert await store.listed(found, A, C) is Cause.CALLEE_BLACKLISTED
    assert await store.listed(found, A, None) is None
