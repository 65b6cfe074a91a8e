"""Expired bindings leave the tables while a node runs, whatever the database does in between."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text

from gateway.bindings.models import Application, Mode, Number
from gateway.bindings.purge import EVERY_SECONDS, keep_purged
from gateway.bindings.requests import NewAxb
from gateway.bindings.store import BindingStore
from gateway.database import reading, writing
from gateway.numbers import PhoneNumber
from gateway.schema import binding, binding_member

A, B, C, D = (PhoneNumber(f"+86138000000{digits}") for digits in (21, 23, 25, 27))
X = PhoneNumber("+8617000000001")
APP = Application(key="app", secret="s", mode=Mode.AXB)
START = datetime(2026, 1, 1, tzinfo=UTC)


class Passes:
    """Virtual time, in which each pause ends at once; ``between`` runs in the pause of that number."""

    def __init__(self, between: dict[int, Callable[[], Awaitable[None]]], last: int) -> None:
        self.now = START
        self._between = between
        self._last = last
        self._number = 0

    def clock(self) -> datetime:
        return self.now

    async def pause(self, seconds: float) -> None:
        assert seconds == EVERY_SECONDS
        self._number += 1
        self.now += timedelta(seconds=seconds)
        if self._number in self._between:
            await self._between[self._number]()
        if self._number == self._last:
            raise asyncio.CancelledError


async def purge(store: BindingStore, passes: Passes) -> None:
    with pytest.raises(asyncio.CancelledError):
        await keep_purged(store, passes.clock, passes.pause)


async def standing(store: BindingStore) -> tuple[list[str], int]:
    async with reading(store._engine) as connection:
        names = (await connection.execute(select(binding.c.id))).scalars().all()
        return list(names), len((await connection.execute(select(binding_member))).all())


async def test_a_binding_goes_in_the_pass_after_its_end(store: BindingStore) -> None:
    await store.seed([APP], [Number(x=X, application="app")])
    short = await store.bind_axb(APP, NewAxb(a=A, b=B, x=X, duration=90), START)
    kept = await store.bind_axb(APP, NewAxb(a=C, b=D, x=X), START)
    seen: list[tuple[list[str], int]] = []

    async def look() -> None:
        seen.append(await standing(store))

    await purge(store, Passes({1: look, 2: look, 3: look}, last=3))
    both = sorted([short.id, kept.id])
    assert [(sorted(names), members) for names, members in seen] == [(both, 4), (both, 4), ([kept.id], 2)]


async def test_a_database_fault_costs_one_pass(store: BindingStore) -> None:
    await store.seed([APP], [Number(x=X, application="app")])
    await store.bind_axb(APP, NewAxb(a=A, b=B, x=X, duration=1), START)

    async def rename(old: str, new: str) -> None:
        async with writing(store._engine) as connection:
            await connection.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))

    passes = Passes(
        {1: lambda: rename("temporary_callee", "away"), 2: lambda: rename("away", "temporary_callee")}, last=3
    )
    await purge(store, passes)
    assert await standing(store) == ([], 0)
