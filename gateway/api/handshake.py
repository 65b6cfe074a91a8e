"""[IO] A connection that is to become TLS: counted from its first moment, and given ``handshake_seconds``.

Left to asyncio, a handshake takes up to a minute and nobody is told before it is over, so whoever began thousands and
ended none of them would be no crowd. The socket is taken from the plain connection, and given to one with TLS: bytes
that uvloop reads before ``start_tls`` has begun would be lost.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable

from gateway.api.guard import Crowd, GuardedProtocol


class Handshake(asyncio.Protocol):
    """``make`` gives the protocol that goes on with it."""

    def __init__(self, crowd: Crowd, tls: ssl.SSLContext, make: Callable[[], GuardedProtocol]) -> None:
        self._crowd = crowd
        self._tls = tls
        self._make = make
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Counted, or closed."""
        peer = transport.get_extra_info("peername")
        host = peer[0] if isinstance(peer, tuple) else ""
        if not self._crowd.enter(host):
            transport.abort()
            return
        taken = socket.socket(fileno=socket.dup(transport.get_extra_info("socket").fileno()))
        taken.setblocking(False)
        transport.abort()
        self._task = asyncio.get_running_loop().create_task(self._shake_hands(taken, host))

    async def _shake_hands(self, taken: socket.socket, host: str) -> None:
        protocol = self._make()
        protocol.counted = True
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: protocol,
                taken,
                ssl=self._tls,
                ssl_handshake_timeout=self._crowd.limits.handshake_seconds,
            )
        except OSError:  # no TLS, too slow, gone
            self._crowd.counters["a TLS handshake"] += 1
            taken.close()
        finally:
            if not protocol.taken_over:
                self._crowd.leave(host)
