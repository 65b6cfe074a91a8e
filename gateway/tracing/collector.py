"""[IO] Sends packets to a HEP collector by UDP: never waits, and a collector that is dead costs one failed ``send``."""

from __future__ import annotations

import socket

from gateway.sip.hop import Hop


class Collector:
    """``sent`` and ``failed`` count packets."""

    def __init__(self, target: Hop) -> None:
        self._socket = socket.socket(socket.AF_INET6 if ":" in target.host else socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._target = (target.host, target.port)
        self.sent = 0
        self.failed = 0

    def send(self, packet: bytes) -> None:
        """Send, or count that it didn't go."""
        try:
            # Not connected: what ICMP says of a port that is closed is then nobody's error.
            self._socket.sendto(packet, self._target)
        except OSError:
            self.failed += 1
        else:
            self.sent += 1

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
