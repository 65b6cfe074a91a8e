"""[IO] The sound of a test call: a stream of our own every 20 ms by absolute deadline, and a list of what comes."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket

from gateway.lab.audio import RATE, tone
from gateway.lab.rtp import Arrival, Packet, Sender
from gateway.sdp.offer_answer import AudioTerms

PTIME = 0.02
HERTZ = 1000


class Ears:
    """``port``: ours. ``arrivals``: all that came to it."""

    def __init__(self, host: str, ports: tuple[int, int]) -> None:
        self._socket = _bound(host, ports)
        self.port: int = self._socket.getsockname()[1]
        self.arrivals: list[Arrival] = []
        self._sender = Sender(random.Random())
        self._terms: AudioTerms | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Listen."""
        self._tasks.append(asyncio.get_running_loop().create_task(self._hear()))

    def send_to(self, terms: AudioTerms | None) -> None:
        """Send to where the peer's SDP says, from now on."""
        if terms is not None and self._terms is None:
            self._tasks.append(asyncio.get_running_loop().create_task(self._speak()))
        self._terms = terms

    def dial(self, digits: str) -> None:
        """Send telephone-events."""
        self._sender.dial(digits)

    def heard(self, since: float = 0.0, *, events: int | None = None) -> list[Arrival]:
        """What came since then; ``events``: only packets of that payload type."""
        found = [one for one in self.arrivals if one.at >= since]
        if events is None:
            return found
        packets = [(one, Packet.parse(one.data)) for one in found]
        return [one for one, packet in packets if packet is not None and packet.payload_type == events]

    async def stop(self) -> None:
        """Close."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._socket.close()

    async def _hear(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            with contextlib.suppress(OSError):
                data, source = await loop.sock_recvfrom(self._socket, 2048)
                self.arrivals.append(Arrival(loop.time(), source[:2], self.port, data))

    async def _speak(self) -> None:
        loop, sample = asyncio.get_running_loop(), 0
        due = loop.time()
        while True:
            terms = self._terms
            if terms is not None and terms.receives:
                size = round(RATE * PTIME)
                voice = tone(HERTZ, terms.codec)
                start = sample % RATE
                sample += size
                for packet in self._sender.tick(terms.codec, (voice + voice)[start : start + size], size, terms.events):
                    with contextlib.suppress(OSError):
                        self._socket.sendto(packet, (terms.host, terms.port))
            due += PTIME
            await asyncio.sleep(max(0.0, due - loop.time()))


def _bound(host: str, ports: tuple[int, int]) -> socket.socket:
    """A socket on a free even port of the range, from its end: a node that runs takes them from the beginning."""
    for port in range(ports[1] - 1 - ports[1] % 2 + 1, ports[0] - 1, -2):
        made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            made.bind((host, port))
        except OSError:
            made.close()
            continue
        made.setblocking(False)
        return made
    raise OSError(f"no free port in media.ports {ports[0]}-{ports[1]}")
