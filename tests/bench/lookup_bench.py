"""How long a call waits for its binding, with a million of them: on SQLite and on PostgreSQL.

    python -m tests.bench.lookup_bench [BINDINGS]

AXB pairs, 5000 on each X, written in bulk; then calls of known and of unknown callers, one after the other, as the
signalling process looks them up (BindingStore.find, on its event loop).
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvloop
from sqlalchemy import insert, text

from gateway.bindings.models import Application, Binding, Mode, Number
from gateway.bindings.rows import binding_values
from gateway.bindings.store import BindingStore
from gateway.database import migrate, open_engine, writing
from gateway.numbers import PhoneNumber
from gateway.schema import binding, binding_member
from tests.postgres import Postgres

NOW = datetime(2026, 11, 24, tzinfo=UTC)
ON_ONE_X = 5000
LOOKUPS = 3000
PART = 20_000


def x_of(pair: int) -> str:
    return f"+8617{pair // ON_ONE_X:09d}"


def parties(pair: int) -> tuple[str, str]:
    return f"+86130{pair:08d}", f"+86131{pair:08d}"


def rows(count: int) -> Iterator[tuple[list[dict[str, Any]], list[dict[str, Any]]]]:
    """Bindings and their member rows, in parts."""
    for start in range(0, count, PART):
        bindings, members = [], []
        for pair in range(start, min(count, start + PART)):
            a, b = parties(pair)
            made = Binding(
                id=f"b{pair}", application="bench", mode=Mode.AXB, x=PhoneNumber(x_of(pair)), a=PhoneNumber(a),
                b=PhoneNumber(b), created_at=NOW,
            )  # fmt: skip
            bindings.append(binding_values(made))
            members += [{"x": x_of(pair), "number": one, "binding": made.id} for one in (a, b)]
        yield bindings, members


async def fill(url: str, count: int) -> None:
    await migrate(url)
    engine = open_engine(url, synchronous="OFF")
    numbers = [Number(x=PhoneNumber(x_of(pair)), application="bench") for pair in range(0, count, ON_ONE_X)]
    await BindingStore(engine).seed([Application(key="bench", secret="s", mode=Mode.AXB)], numbers)
    for bindings, members in rows(count):
        async with writing(engine) as connection:
            await connection.execute(insert(binding), bindings)
            await connection.execute(insert(binding_member), members)
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("ANALYZE"))
    await engine.dispose()


async def measure(url: str, count: int) -> list[float]:
    """Seconds of each look-up, in order of length."""
    engine = open_engine(url)
    store, generator, took = BindingStore(engine), random.Random(1), []
    for number in range(LOOKUPS + 200):
        pair = generator.randrange(count)
        known = number % 10 != 0
        caller = PhoneNumber(generator.choice(parties(pair)) if known else f"+86139{pair:08d}")
        began = time.perf_counter()
        found = await store.find(caller, PhoneNumber(x_of(pair)), NOW)
        took.append(time.perf_counter() - began)
        assert len(found.bindings) == known
    await engine.dispose()
    return sorted(took[200:])


async def main(count: int) -> None:
    print(f"look-up of a call's binding, {count:,} bindings   p50 ms   p99 ms")
    with tempfile.TemporaryDirectory(prefix="maskline-lookup-") as folder:
        url = f"sqlite+aiosqlite:///{Path(folder)}/maskline.db"
        await fill(url, count)
        show("SQLite", await measure(url, count))
    server = Postgres()
    server.start()
    try:
        async with server.database(migrated=False) as url:
            await fill(url, count)
            show("PostgreSQL", await measure(url, count))
    finally:
        server.stop()


def show(name: str, took: list[float]) -> None:
    print(f"{name:<46}{1000 * took[len(took) // 2]:>9.2f}{1000 * took[len(took) * 99 // 100]:>9.2f}", flush=True)


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000))
