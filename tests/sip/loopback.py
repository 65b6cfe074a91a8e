"""Real sockets on loopback for tests: a transport that notes what it is told, and peers that misbehave."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from gateway.sip.gate import Gate, GateSettings
from gateway.sip.hop import Hop
from gateway.sip.transport import Transport

HOST = "127.0.0.1"
MESSAGE = b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 0\r\n\r\n"
BAD = b"OPTIONS sip:a SIP/2.0\r\nContent-Length: x\r\n\r\n"
AnyHop = Hop("udp", HOST, 0), Hop("tcp", HOST, 0)

FREE = GateSettings(messages_per_second=1e9, others_messages_per_second=1e9)


class Bench:
    """A transport that notes what it is told; ``until`` waits for something to hold."""

    def __init__(self) -> None:
        self.messages: list[tuple[bytes, Hop]] = []
        self.malformed: list[bytes] = []
        self.failed: list[Hop] = []
        self.closed: list[Hop] = []
        self.transports: list[Transport] = []
        self._more = asyncio.Event()

    async def start(
        self,
        *,
        admits: Callable[[str], bool] = lambda host: True,
        trunk_of: Callable[[str], str | None] = lambda host: None,
        gate: GateSettings = FREE,
        listen: Sequence[Hop] = AnyHop,
        **limits: Any,
    ) -> Transport:
        made = Transport(
            on_message=lambda data, source: self._note(self.messages, (data, source)),
            on_malformed=lambda data, source: self._note(self.malformed, data),
            on_failed=lambda hop: self._note(self.failed, hop),
            on_closed=lambda hop: self._note(self.closed, hop),
            gate=Gate(gate, admits, trunk_of),
            **limits,
        )
        await made.start(listen)
        self.transports.append(made)
        return made

    def _note(self, where: list[Any], what: Any) -> None:
        where.append(what)
        self._more.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not holds():
                self._more.clear()
                await self._more.wait()

    @staticmethod
    async def turns(holds: Callable[[], bool]) -> None:
        """Let the loop turn until something holds of which nobody is told."""
        async with asyncio.timeout(30):
            while not holds():  # noqa: ASYNC110 - there is no event to wait for
                await asyncio.sleep(0)


async def connect(transport: Transport) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(HOST, transport.bound[1].port)


async def closed(reader: asyncio.StreamReader) -> bytes:
    """What came until the other side closed."""
    async with asyncio.timeout(30):
        data = b""
        with suppress(ConnectionError):
            while part := await reader.read(1 << 16):
                data += part
        return data


async def stuck(one: Transport, bench: Bench) -> tuple[Hop, socket.socket]:
    """A peer that has said one thing and never reads."""
    peer = socket.socket()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    peer.connect((HOST, one.bound[1].port))
    peer.sendall(MESSAGE)
    await bench.until(lambda: bool(bench.messages))
    return bench.messages[0][1], peer


def fill(one: Transport, hop: Hop) -> None:
    """Send until the kernel takes no more and the queue begins to fill."""
    transport = one._streams[hop]._transport
    assert transport is not None
    for _ in range(1000):
        one.send(b"x" * 65536, hop)
        if transport.get_write_buffer_size():
            return
    raise AssertionError("the kernel takes everything")


def reset(peer: socket.socket) -> None:
    """Close with RST."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()
