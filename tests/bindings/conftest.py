from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gateway.bindings.store import BindingStore
from gateway.database import open_engine


@pytest.fixture
async def stores(database_url: str) -> AsyncIterator[tuple[BindingStore, BindingStore]]:
    """Two processes' views of one database."""
    engines = [open_engine(database_url, synchronous="OFF") for _ in range(2)]
    yield BindingStore(engines[0]), BindingStore(engines[1])
    for engine in engines:
        await engine.dispose()


@pytest.fixture
def store(stores: tuple[BindingStore, BindingStore]) -> BindingStore:
    return stores[0]
