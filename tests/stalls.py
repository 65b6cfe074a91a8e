"""How long a test in real time stood still itself: what it saw late then is no fault of what it looks at.

A machine that runs three tests on two cores lets one of them wait for seconds. A ``Stalls`` is a ticker in the test's
own loop that notes when it was called late, so that a time limit counts only what the test could have seen.
"""

from __future__ import annotations

import asyncio
from types import TracebackType

TICK = 0.02
LATE = 0.03
"""A tick that is later than this was a stall."""


class Stalls:
    """``async with`` it. ``noted``: (from, until) in the loop's time."""

    def __init__(self) -> None:
        self.noted: list[tuple[float, float]] = []
        self._ticking: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Stalls:
        self._ticking = asyncio.create_task(self._tick(), name="stalls")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._ticking is not None
        self._ticking.cancel()
        await asyncio.gather(self._ticking, return_exceptions=True)

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + TICK
            await asyncio.sleep(TICK)
            if loop.time() - due > LATE:
                self.noted.append((due, loop.time()))

    @property
    def longest(self) -> float:
        """Seconds of the longest; 0.0 when there was none."""
        return max((until - begun for begun, until in self.noted), default=0.0)

    def within(self, start: float, end: float) -> float:
        """For how many of these seconds the test stood still."""
        return sum(max(0.0, min(end, until) - max(start, begun)) for begun, until in self.noted)
