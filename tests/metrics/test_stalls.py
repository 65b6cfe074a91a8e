"""A loop that hangs is told of, with where it hangs."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import Any

import pytest

from gateway.metrics import stalls
from gateway.metrics.tally import Tally


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
