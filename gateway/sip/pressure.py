"""[IO] Measures how far the signalling process is behind, and tells it to Overload.

Of a UDP socket Linux says how many bytes wait in it and how many datagrams it had no room for (SO_MEMINFO). Elsewhere,
and for streams, where TCP itself holds the peers back, the lateness of the loop alone must do.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Callable, Iterable
from typing import Any

import structlog

from gateway.sip.overload import Overload

_log = structlog.get_logger()
EVERY = 0.1
SO_MEMINFO = 55
_MEMINFO = struct.Struct("9I")


def fullness(sockets: Iterable[Any]) -> tuple[float, int]:
    """How full the fullest is, 0 to 1, and how many datagrams all have lost since they were made."""
    fullest, lost = 0.0, 0
    for one in sockets:
        try:
            known = _MEMINFO.unpack(one.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, _MEMINFO.size))
        except (OSError, struct.error):
            continue
        fullest = max(fullest, known[0] / max(1, known[1]))
        lost += known[8]
    return fullest, lost


async def watch_pressure(overload: Overload, sockets: Callable[[], list[Any]], waiting: Callable[[], int]) -> None:
    """Measure until cancelled; one log line when shedding begins, one when it ends."""
    lost = 0
    while True:
        due = time.monotonic() + EVERY
        await asyncio.sleep(EVERY)
        now = time.monotonic()
        queued, lost_now = fullness(sockets())
        turned = overload.observe(queued, lost_now > lost, now - due, waiting(), now)
        lost = lost_now
        if turned is not None:
            _log.warning("new calls are shed" if turned else "new calls are taken again", shed=overload.shed)
