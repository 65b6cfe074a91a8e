"""What blocks an event loop shows as the lateness of its timers (pains.md P29); where it hangs, in the log (P26)."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import suppress
from typing import Any

import pytest

from gateway.metrics import stalls
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


class Told:
    """Takes the place of the log."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []
        self.came = threading.Event()

    def error(self, event: str, **more: Any) -> None:
        self.lines.append({"event": event, **more})
        self.came.set()


def stuck(told: Told) -> bool:
    return told.came.wait(30)


async def test_a_loop_that_hangs_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told()
    monkeypatch.setattr(stalls, "_log", told)
    monkeypatch.setattr(stalls, "HANG", 0.05)
    monkeypatch.setattr(stalls, "LOOK", 0.01)
    watching = asyncio.create_task(stalls.watch_stalls(Tally(), "test"))
    await asyncio.sleep(0)
    assert stuck(told)
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
    assert told.lines[0]["process"] == "test"
    assert " stuck < " in told.lines[0]["where"]
