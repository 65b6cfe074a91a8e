"""An asyncio loop on real sockets of loopback whose time passes only when there is nothing to do, and then at once.

All that talk must be tasks of the one loop. What they send is there as soon as it was sent, or, on a machine with much
to do, a moment later: for that the loop really waits, GRACE, before it lets time pass.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from selectors import BaseSelector
from typing import Any

import pytest

GRACE = 0.0005


class Clock:
    """What ``time.monotonic`` is meanwhile."""

    def __init__(self) -> None:
        self.now = time.monotonic()

    def __call__(self) -> float:
        return self.now


class Selector:
    """``real``, but it doesn't wait."""

    def __init__(self, real: BaseSelector, clock: Clock) -> None:
        self._real = real
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[Any]:
        found = self._real.select(0)
        if found or timeout is None or timeout <= 0:
            return found if found or timeout is not None else self._real.select(None)
        found = self._real.select(GRACE)
        if not found:
            self._clock.now += timeout
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


@contextmanager
def virtual_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """In the running loop, which is one of asyncio's own."""
    loop: Any = asyncio.get_running_loop()
    real, clock = loop._selector, Clock()
    with monkeypatch.context() as patch:
        patch.setattr(time, "monotonic", clock)
        loop._selector = Selector(real, clock)
        try:
            yield
        finally:
            loop._selector = real
