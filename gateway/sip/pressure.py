"""[IO] What the kernel threw away, since a UDP socket had no room left (Linux, SO_MEMINFO)."""

from __future__ import annotations

import socket
import struct
from typing import Any

SO_MEMINFO = 55
_MEMINFO = struct.Struct("9I")


def dropped(one: Any) -> int:
    """How many datagrams a socket has lost since it was made; 0 where that can't be known."""
    try:
        known = _MEMINFO.unpack(one.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, _MEMINFO.size))
    except (OSError, struct.error):
        return 0
    return int(known[8])
