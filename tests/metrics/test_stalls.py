"""What blocks an event loop shows as the lateness of its timers (pains.md P29)."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from gateway.metrics.catalog import BY_NAME
from gateway.metrics.stalls import EVERY, watch_stalls
from gateway.metrics.tally import Tally
from tests.virtual_loop import virtual_time

STALL = "maskline_loop_stall_seconds"


async def test_a_loop_that_stands_still_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    tally = Tally()
    with virtual_time(monkeypatch):
        watching = asyncio.create_task(watch_stalls(tally, "web"))
        await asyncio.sleep(20.5 * EVERY)
        clock: Any = time.monotonic
        clock.now += 0.35  # a task that doesn't give way
        await asyncio.sleep(5 * EVERY)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    ((_, labels, numbers),) = [row for row in tally.rows() if row[0] == STALL]
    bounds = BY_NAME[STALL].bounds
    late = {bound: count for bound, count in zip((*bounds, float("inf")), numbers, strict=False) if count}
    assert labels == ["web"]
    assert set(late) == {bounds[0], 0.5}, late
    assert (late[bounds[0]] > 20, late[0.5]) == (True, 1)
