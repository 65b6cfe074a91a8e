"""[IO] How late an event loop runs: a timer every tenth of a second notes by how much it missed its time.

What is late is everything that was due in that moment: an answer, a timer of SIP, a packet's report (pains.md P29).
"""

from __future__ import annotations

import asyncio
import time

from gateway.metrics.tally import Tally

EVERY = 0.1


async def watch_stalls(tally: Tally, process: str) -> None:
    """Watch until cancelled."""
    late = tally.histogram("maskline_loop_stall_seconds", process)
    while True:
        due = time.monotonic() + EVERY
        await asyncio.sleep(EVERY)
        late.observe(max(0.0, time.monotonic() - due))
