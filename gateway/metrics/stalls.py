"""[IO] How late an event loop runs: a timer every tenth of a second notes by how much it missed its time.

What is late is everything that was due in that moment: an answer, a timer of SIP, a packet's report (pains.md P29). A
thread looks whether the loop turns at all: one that has hung for HANG seconds is told of with where it is, files and
lines alone, since later nobody could say (P26).
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
import traceback

import structlog

from gateway.metrics.tally import Tally

EVERY = 0.1
HANG = 5.0
LOOK = 1.0
FRAMES = 12
_log = structlog.get_logger()


async def watch_stalls(tally: Tally, process: str) -> None:
    """Watch until cancelled."""
    late = tally.histogram("maskline_loop_stall_seconds", process)
    guard = _Guard(process)
    guard.start()
    try:
        while True:
            guard.beat = now = time.monotonic()
            await asyncio.sleep(EVERY)
            late.observe(max(0.0, time.monotonic() - now - EVERY))
    finally:
        guard.over.set()


class _Guard(threading.Thread):
    """``beat``: when the loop of the thread that made it turned last."""

    def __init__(self, process: str) -> None:
        super().__init__(name="stalls", daemon=True)
        self.beat = time.monotonic()
        self.over = threading.Event()
        self._process = process
        self._watched = threading.get_ident()

    def run(self) -> None:
        told = False
        while not self.over.wait(LOOK):
            hangs = time.monotonic() - self.beat > HANG
            if hangs and not told:
                _log.error("the event loop hangs", process=self._process, where=self._where())
            told = hangs

    def _where(self) -> str:
        """The innermost frames of the loop's thread, that of now first."""
        stack = traceback.extract_stack(sys._current_frames().get(self._watched))
        return " < ".join(f"{one.filename}:{one.lineno} {one.name}" for one in stack[: -FRAMES - 1 : -1])
