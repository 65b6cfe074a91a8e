"""Oversize, slow, never-ending and lying input on real connections of every kind: closed, and nothing of it handed up.

The same on the framers alone, byte by byte: test_framing.py, test_websocket_framer.py, tests/test_fuzz.py. A peer that
doesn't read: test_stream.py, test_tls.py, test_websocket.py.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from gateway.sip.framing import HEAD_LIMIT
from gateway.sip.hop import Hop
from gateway.sip.message import BODY_LIMIT
from gateway.sip.tls import Tls
from gateway.sip.transport import Transport
from tests.sip.loopback import HOST, MESSAGE, Bench, closed
from tests.sip.pki import Authority

LIMITS = {"idle_seconds": 0.4, "message_seconds": 0.3, "linger_seconds": 0.1, "handshake_seconds": 0.3}
HEAD = b"OPTIONS sip:a SIP/2.0\r\n"
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: sip\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
MASK = b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff"
Pipe = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Site:
    """A transport of one kind; ``dial`` opens a connection to it and ``ready`` one on which SIP may be said."""

    def __init__(self, kind: str, one: Transport, context: ssl.SSLContext | None) -> None:
        self.kind, self.one, self._context = kind, one, context
        self.writers: list[asyncio.StreamWriter] = []

    async def dial(self, *, plain: bool = False) -> Pipe:
        port, context = self.one.bound[0].port, None if plain else self._context
        name = None if context is None else "gw.example"
        reader, writer = await asyncio.open_connection(HOST, port, ssl=context, server_hostname=name)
        self.writers.append(writer)
        return reader, writer

    async def ready(self) -> Pipe:
        reader, writer = await self.dial()
        if self.kind in ("ws", "wss"):
            writer.write(UPGRADE)
            await reader.readuntil(b"\r\n\r\n")
        return reader, writer


@pytest.fixture(params=["tcp", "tls", "ws", "wss"])
async def site(request: pytest.FixtureRequest, bench: Bench, tmp_path: Path) -> AsyncIterator[Site]:
    kind, context, more = str(request.param), None, dict[str, Any]()
    if kind in ("tls", "wss"):
        authority = Authority(tmp_path)
        pair = authority.sign("gw", "gw.example", HOST)
        more["tls"] = Tls(certificate=pair.certificate, key=pair.key, ca=authority.ca)
        context = ssl.create_default_context(cafile=authority.ca)
    made = Site(kind, await bench.start(listen=[Hop(kind, HOST, 0)], **LIMITS, **more), context)
    yield made
    for writer in made.writers:
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()


async def feed(pipe: Pipe, data: bytes, drop: bytes = b"") -> None:
    """Say it, then ``drop`` again and again, until the other side closes."""
    reader, writer = pipe
    ended = asyncio.create_task(closed(reader))
    with suppress(ConnectionError):
        writer.write(data)
        while not ended.done():
            if drop:
                writer.write(drop)
                await writer.drain()
            await asyncio.sleep(0)
    await ended


SIP: dict[str, tuple[bytes, bytes]] = {
    "a head without end": (HEAD + b"A: " + b"b" * HEAD_LIMIT, b"b" * 4096),
    "headers without end": (HEAD, b"A: b\r\n" * 500),
    "a first line without end": (b"OPTIONS sip:" + b"a" * HEAD_LIMIT, b"a" * 4096),
    "a body that is too large": (HEAD + b"Content-Length: %d\r\n\r\n" % (BODY_LIMIT + 1), b"x" * 4096),
    "a body that never comes": (HEAD + b"Content-Length: 100\r\n\r\nab", b""),
    "a body that trickles": (HEAD + b"Content-Length: 200000\r\n\r\n", b"x"),
    "a head that trickles": (HEAD, b"A"),
    "a length that is negative": (HEAD + b"Content-Length: -1\r\n\r\n", b""),
    "lengths that differ": (HEAD + b"Content-Length: 0\r\nl: 9\r\n\r\n", b""),
    "another protocol": (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b""),
    "zeros": (b"\x00" * 1000, b"\x00" * 1000),
}
FRAMES: dict[str, tuple[bytes, bytes]] = {
    "a frame that is too large": (MASK + b"\x01\x02\x03\x04" + b"x" * 1000, b"x" * 4096),
    "frames of one message without end": (b"\x01\x84\x00\x00\x00\x00abcd", b"\x00\x84\x00\x00\x00\x00abcd" * 200),
    "a frame that trickles": (b"\x81\xff" + (200_000).to_bytes(8, "big") + bytes(4), b"x"),
    "a frame that stops": (b"\x81\xfe\x40\x00\x00", b""),
    "a frame without a mask": (b"\x81\x04abcd", b""),
    "a control frame that is too long": (b"\x89\xfe\x01\x00\x00\x00\x00\x00" + b"x" * 256, b""),
    "no frame": (b"\xff\xff\xff\xff", b""),
}


async def test_sip_that_is_too_large_too_slow_or_a_lie(site: Site, bench: Bench) -> None:
    cases = FRAMES if site.kind in ("ws", "wss") else SIP
    for name, (data, drop) in cases.items():
        try:
            await feed(await site.ready(), data, drop)
        except TimeoutError:
            raise AssertionError(f"{name}: left open") from None
        assert bench.messages == [], name
    await bench.turns(lambda: site.one.streams == 0)


async def test_who_says_nothing_or_never_gets_ready(site: Site, bench: Bench) -> None:
    """No byte at all; half of a handshake; and, where there is one, a handshake and then nothing."""
    halves = {"tcp": b"", "tls": b"\x16\x03\x01\x02\x00\x01", "ws": UPGRADE[:40], "wss": b"\x16\x03\x01\x02\x00\x01"}
    await asyncio.gather(
        feed(await site.dial(plain=True), b""), feed(await site.dial(plain=True), halves[site.kind]),
        feed(await site.ready(), b""),
    )  # fmt: skip
    assert bench.messages == []
    await bench.turns(lambda: site.one.streams == 0)


async def test_hundreds_of_idle_connections_disturb_nobody(bench: Bench) -> None:
    one = await bench.start(per_host=400)
    port = one.bound[1].port
    idle = [await asyncio.open_connection(HOST, port) for _ in range(390)]
    _, writer = await asyncio.open_connection(HOST, port)
    writer.write(MESSAGE)
    await bench.until(lambda: len(bench.messages) == 1)
    for _, other in [*idle, (None, writer)]:
        other.close()
        await other.wait_closed()
