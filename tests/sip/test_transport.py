"""The sockets on loopback: who is heard, what is closed and when, who learns that something didn't get through."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import pytest
import uvloop

from gateway.sip.hop import Hop
from gateway.sip.transport import QUEUE_LIMIT, Transport

HOST = "127.0.0.1"
MESSAGE = b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 0\r\n\r\n"
BAD = b"OPTIONS sip:a SIP/2.0\r\nContent-Length: x\r\n\r\n"
AnyHop = Hop("udp", HOST, 0), Hop("tcp", HOST, 0)


class Bench:
    """A transport that notes what it is told; ``until`` waits for something to hold."""

    def __init__(self) -> None:
        self.messages: list[tuple[bytes, Hop]] = []
        self.malformed: list[bytes] = []
        self.failed: list[Hop] = []
        self.transports: list[Transport] = []
        self._more = asyncio.Event()

    async def start(self, *, admits: Callable[[str], bool] = lambda host: True, **limits: Any) -> Transport:
        made = Transport(
            on_message=lambda data, source: self._note(self.messages, (data, source)),
            on_malformed=lambda data, source: self._note(self.malformed, data),
            on_failed=lambda hop: self._note(self.failed, hop),
            admits=admits,
            **limits,
        )
        await made.start(AnyHop)
        self.transports.append(made)
        return made

    def _note(self, where: list[Any], what: Any) -> None:
        where.append(what)
        self._more.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not holds():
                self._more.clear()
                await self._more.wait()


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    yield made
    for one in made.transports:
        await one.stop()


async def connect(transport: Transport) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(HOST, transport.bound[1].port)


async def closed(reader: asyncio.StreamReader) -> bytes:
    """What came until the other side closed."""
    async with asyncio.timeout(10):
        data = b""
        with suppress(ConnectionError):
            while part := await reader.read(1 << 16):
                data += part
        return data


async def test_udp_there_and_back(bench: Bench) -> None:
    one, two = await bench.start(), await bench.start()
    one.send(MESSAGE, two.bound[0])
    await bench.until(lambda: bool(bench.messages))
    assert bench.messages == [(MESSAGE, one.bound[0])]


async def test_tcp_there_and_back_on_one_connection(bench: Bench) -> None:
    one, two = await bench.start(), await bench.start()
    one.send(MESSAGE, two.bound[1])
    one.send(MESSAGE, two.bound[1])
    await bench.until(lambda: len(bench.messages) == 2)
    two.send(MESSAGE, bench.messages[0][1])
    await bench.until(lambda: len(bench.messages) == 3)
    assert bench.messages[2][1] == two.bound[1]
    assert (one.streams, two.streams) == (1, 1)


async def test_strangers_are_not_heard(bench: Bench) -> None:
    one, deaf = await bench.start(), await bench.start(admits=lambda host: False)
    reader, writer = await connect(deaf)
    writer.write(MESSAGE)
    assert await closed(reader) == b""
    writer.close()
    one.send(MESSAGE, deaf.bound[0])
    one.send(MESSAGE, one.bound[0])
    await bench.until(lambda: bool(bench.messages))
    assert len(bench.messages) == 1
    assert deaf.counters["stranger"] >= 1


async def test_one_address_has_so_many_connections_and_no_more(bench: Bench) -> None:
    one = await bench.start(per_host=2)
    writers = []
    for _ in range(2):
        _, writer = await connect(one)
        writer.write(MESSAGE)
        writers.append(writer)
    await bench.until(lambda: len(bench.messages) == 2)
    reader, third = await connect(one)
    assert await closed(reader) == b""
    for writer in (*writers, third):
        writer.close()


async def test_a_hop_that_nobody_listens_on(bench: Bench) -> None:
    one = await bench.start()
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        hop = Hop("tcp", HOST, taken.getsockname()[1])
        one.send(MESSAGE, hop)
        await bench.until(lambda: bool(bench.failed))
    assert bench.failed == [hop]


async def test_a_keep_alive_is_answered(bench: Bench) -> None:
    one = await bench.start()
    reader, writer = await connect(one)
    writer.write(b"\r\n\r\n")
    async with asyncio.timeout(10):
        assert await reader.readexactly(2) == b"\r\n"
    writer.close()


async def test_what_can_not_be_framed_is_told_once_and_closes(bench: Bench) -> None:
    one = await bench.start()
    reader, writer = await connect(one)
    writer.write(MESSAGE + BAD + MESSAGE)
    await closed(reader)
    assert [data for data, _ in bench.messages] == [MESSAGE]
    assert bench.malformed == [BAD + MESSAGE]
    writer.close()


async def test_a_connection_that_says_nothing_is_closed(bench: Bench) -> None:
    one = await bench.start(idle_seconds=0.05)
    reader, writer = await connect(one)
    assert await closed(reader) == b""
    assert one.streams == 0
    writer.close()


async def test_a_trickle_gives_no_more_time(bench: Bench) -> None:
    """Byte by byte a message may not last for ever, although something comes all the time."""
    one = await bench.start(idle_seconds=600.0, message_seconds=0.2)
    reader, writer = await connect(one)

    async def trickle() -> None:
        with suppress(ConnectionError):
            while True:
                writer.write(b"A")
                await writer.drain()
                await asyncio.sleep(0)

    task = asyncio.create_task(trickle())
    await closed(reader)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    writer.close()
    assert bench.messages == []


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


async def test_a_peer_that_does_not_read_is_closed_and_told_of(bench: Bench) -> None:
    one = await bench.start()
    hop, peer = await stuck(one, bench)
    fill(one, hop)
    for _ in range(1 + QUEUE_LIMIT // 65536):
        one.send(b"x" * 65536, hop)
    assert one.counters["stuck peer"] == 1
    await bench.until(lambda: bool(bench.failed))
    assert bench.failed[0] == hop
    peer.close()


async def test_an_idle_peer_that_does_not_read_is_closed_all_the_same(bench: Bench) -> None:
    one = await bench.start(idle_seconds=0.2)
    hop, peer = await stuck(one, bench)
    fill(one, hop)
    await bench.until(lambda: bool(bench.failed))
    assert bench.failed == [hop]
    assert one.counters["stuck peer"] == 0
    peer.close()


async def test_a_refused_peer_that_does_not_read_its_answer_is_not_waited_for(bench: Bench) -> None:
    one = await bench.start(linger_seconds=0.1)
    hop, peer = await stuck(one, bench)
    fill(one, hop)
    peer.sendall(BAD)
    await bench.until(lambda: bool(bench.failed))
    assert bench.malformed == [BAD]
    peer.close()


async def test_stop_leaves_nothing(bench: Bench) -> None:
    one = await bench.start()
    _, writer = await connect(one)
    writer.write(MESSAGE)
    await bench.until(lambda: bool(bench.messages))
    with socket.socket() as blackhole:
        blackhole.bind((HOST, 0))
        one.send(MESSAGE, Hop("tcp", HOST, blackhole.getsockname()[1]))
        await one.stop()
    await asyncio.sleep(0)
    assert one.streams == 0
    writer.close()
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []


def reset(peer: socket.socket) -> None:
    """Close with RST."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


async def test_a_connection_that_is_reset_is_told_of(bench: Bench) -> None:
    one = await bench.start()
    hop, peer = await stuck(one, bench)
    reset(peer)
    await bench.until(lambda: bool(bench.failed))
    assert bench.failed == [hop]


@pytest.mark.parametrize("hop", [Hop("tcp", HOST, 70000), Hop("tcp", "a" * 70, 5060)])
async def test_a_hop_that_can_not_even_be_tried_is_told_of(bench: Bench, hop: Hop) -> None:
    one = await bench.start()
    for _ in range(2):
        one.send(MESSAGE, hop)
    await bench.until(lambda: bool(bench.failed))
    assert (bench.failed, one._waiting) == ([hop], {})


async def test_what_the_queue_of_a_connection_to_be_has_no_room_for_is_told_of(bench: Bench) -> None:
    one = await bench.start()
    with socket.socket() as silent:
        silent.bind((HOST, 0))
        hop = Hop("tcp", *silent.getsockname())
        one.send(b"x" * QUEUE_LIMIT, hop)
        one.send(MESSAGE, hop)
        await bench.until(lambda: len(bench.failed) == 2)
    assert (one.counters["connect queue full"], one.counters["connect failed"]) == (1, 1)


async def test_after_stop_nothing_is_sent_and_nothing_told(bench: Bench) -> None:
    one = await bench.start()
    hop, peer = await stuck(one, bench)
    fill(one, hop)
    await one.stop()
    for to in (hop, Hop("tcp", HOST, 9), Hop("udp", HOST, 9)):
        one.send(MESSAGE, to)
    await asyncio.sleep(0)
    assert (one._waiting, one._connecting, one.streams, bench.failed) == ({}, set(), 0, [])
    peer.close()


def test_a_connection_reset_before_it_is_taken_harms_nothing_under_uvloop() -> None:
    async def run() -> tuple[list[Any], Bench]:
        faults: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: faults.append(context))
        made = Bench()
        one = await made.start()
        reset(socket.create_connection((HOST, one.bound[1].port)))
        one.send(MESSAGE, one.bound[1])
        await made.until(lambda: bool(made.messages))
        await one.stop()
        return faults, made

    faults, made = uvloop.run(run())
    assert (faults, len(made.messages)) == ([], 1)
