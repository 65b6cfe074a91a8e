"""Customers' servers for a bench: one that is well, and every way of being ill (issue 3).

| kind      | what it does with a POST                                  |
|-----------|-----------------------------------------------------------|
| well      | 200 at once                                               |
| dead      | nobody listens                                            |
| hangs     | takes the request, never answers                          |
| 500       | refuses                                                   |
| redirects | 302 to itself                                             |
| endless   | 200, and a body that never ends, as fast as it is read    |
| headers   | header lines that never end, as fast as they are read     |
| trickles  | a byte of the status line every 100 ms                    |
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

ILL = ("dead", "hangs", "500", "redirects", "endless", "headers", "trickles")
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_AT_ONCE = {
    "well": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "500": b"HTTP/1.1 500 Ill\r\nContent-Length: 0\r\n\r\n",
    "redirects": b"HTTP/1.1 302 There\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n",
}
_FLOOD = {
    "endless": (b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"".join(b"X-%d: %s\r\n" % (place, b"y" * 1000) for place in range(64))),
}


_LINE = [b"H", *(bytes([letter]) for letter in b"TTP/1.1 200 O"), *[b"K"] * 900]


class _Connection(asyncio.Protocol):
    """One connection of the gateway's: cheap, since it shares the bench's processors with the node."""

    def __init__(self, kind: str, heard: Callable[[bytes], None]) -> None:
        self._kind = kind
        self._heard = heard
        self._data = b""
        self._transport: asyncio.Transport | None = None
        self._begun = False
        self._full = False
        self._trickle: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._trickle is not None:
            self._trickle.cancel()

    def data_received(self, data: bytes) -> None:
        self._data += data
        while (request := self._request()) and self._transport is not None:
            self._heard(self._data[:request])
            self._data = self._data[request:]
            self._answer(self._transport)

    def _request(self) -> int:
        """The length of the request that is there as a whole, or 0."""
        head, found, _ = self._data.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        whole = len(head) + 4 + (int(length[1]) if length else 0)
        return whole if found and len(self._data) >= whole else 0

    def _answer(self, transport: asyncio.Transport) -> None:
        if (answer := _AT_ONCE.get(self._kind)) is not None:
            transport.write(answer)
        elif self._kind in _FLOOD:
            transport.write(_FLOOD[self._kind][0])
            self._begun = True
            self.resume_writing()
        elif self._kind == "trickles":
            self._drop(0)

    def resume_writing(self) -> None:
        """As much as the other end takes: ``write`` calls ``pause_writing`` when it takes no more."""
        self._full = False
        while self._begun and not self._full and self._transport is not None and not self._transport.is_closing():
            self._transport.write(_FLOOD[self._kind][1])

    def pause_writing(self) -> None:
        self._full = True

    def _drop(self, place: int) -> None:
        if self._transport is not None:
            self._transport.write(_LINE[place % len(_LINE)])
            self._trickle = asyncio.get_running_loop().call_later(0.1, self._drop, place + 1)


async def serve(
    kind: str, host: str, heard: Callable[[bytes], None] = lambda _request: None
) -> tuple[str, asyncio.Server]:
    """A server of that kind on a port of its own, and its address; it ends with ``close``. ``heard`` gets each request
    as it came."""
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(kind, heard), host, 0)
    address = f"http://{host}:{server.sockets[0].getsockname()[1]}"
    if kind == "dead":
        server.close()
    return address, server
