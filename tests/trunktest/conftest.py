"""Calls of many seconds take none."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.virtual_loop import virtual_time


@pytest.fixture(autouse=True)
async def virtual(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    with virtual_time(monkeypatch):
        yield
