"""One TCP connection: what is framed and answered, what ends it, and who learns that something didn't get through."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from gateway.sip.gate import GateSettings
from gateway.sip.hop import Hop
from gateway.sip.stream import QUEUE_LIMIT
from gateway.sip.transport import Transport
from tests.sip.loopback import BAD, HOST, MESSAGE, Bench, closed, connect, fill, reset, stuck


async def test_a_keep_alive_is_answered(bench: Bench) -> None:
    one = await bench.start()
    reader, writer = await connect(one)
    writer.write(b"\r\n\r\n")
    async with asyncio.timeout(30):
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


async def test_a_connection_that_is_reset_is_told_of(bench: Bench) -> None:
    one = await bench.start()
    hop, peer = await stuck(one, bench)
    reset(peer)
    await bench.until(lambda: bool(bench.failed))
    assert bench.failed == [hop]


SCAN = MESSAGE.replace(b"\r\n\r\n", b"\r\nUser-Agent: sipvicious\r\n\r\n")


async def test_a_scanner_is_cut_off_and_heard_no_more(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    one = await bench.start()
    reader, writer = await connect(one)
    writer.write(MESSAGE + SCAN + MESSAGE)
    assert await closed(reader) == b""
    writer.close()
    assert [data for data, _ in bench.messages] == [MESSAGE]
    again, more = await connect(one)
    assert await closed(again) == b""
    more.close()
    lines = [line for line in capsys.readouterr().out.splitlines() if "a source is banned" in line]
    assert len(lines) == 1
    assert "scanner" in lines[0]


async def test_more_than_its_rate_is_read_later_and_whole(bench: Bench) -> None:
    one = await bench.start(gate=GateSettings(messages_per_second=100.0, burst_seconds=0.02))
    _, writer = await connect(one)
    for number in range(12):
        writer.write(MESSAGE.replace(b"sip:a", b"sip:%d" % number))
        await writer.drain()
    await bench.until(lambda: len(bench.messages) == 12)
    assert [data[12:14].strip() for data, _ in bench.messages] == [b"%d" % number for number in range(12)]
    assert one.gate.counters["stream held back"] >= 1
    assert one.gate.bans(0.0) == []
    writer.close()


async def test_a_datagram_of_a_scanner_bans_its_address(bench: Bench) -> None:
    one, two = await bench.start(), await bench.start()
    for data in (SCAN, MESSAGE, MESSAGE):
        two.send(data, one.bound[0])
    await bench.turns(lambda: one.gate.counters["banned"] == 2)
    assert bench.messages == []


class Peer(asyncio.Protocol):
    """Counts pings and answers the first ``pongs`` of them."""

    def __init__(self, pongs: int) -> None:
        self.pings = 0
        self.changed = asyncio.Event()
        self._pongs = pongs

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self.changed.set()

    def data_received(self, data: bytes) -> None:
        for _ in range(data.count(b"\r\n\r\n") - data.count(MESSAGE)):
            self.pings += 1
            if self.pings <= self._pongs:
                self._transport.write(b"\r\n")  # type: ignore[attr-defined]
        self.changed.set()


async def kept_alive(bench: Bench, pongs: int, seconds: float) -> tuple[Peer, Transport, Hop]:
    """A connection of ours to a peer."""
    peer = Peer(pongs)
    server = await asyncio.get_running_loop().create_server(lambda: peer, HOST, 0)
    one = await bench.start(keep_alive_seconds=seconds)
    hop = Hop("tcp", HOST, server.sockets[0].getsockname()[1])
    one.send(MESSAGE, hop)
    async with asyncio.timeout(30):
        await peer.changed.wait()
    server.close()
    return peer, one, hop


async def test_who_answered_keep_alives_and_no_longer_does_is_gone(bench: Bench) -> None:
    """RFC 5626 §4.4.1."""
    peer, one, hop = await kept_alive(bench, 2, 0.02)
    await bench.until(lambda: bool(bench.failed))
    assert (bench.failed[0], one.counters["keep-alive not answered"], peer.pings) == (hop, 1, 3)


async def test_who_never_answers_keep_alives_is_left_alone(bench: Bench) -> None:
    peer, one, _ = await kept_alive(bench, 0, 0.001)
    async with asyncio.timeout(30):
        while peer.pings < 5:
            peer.changed.clear()
            await peer.changed.wait()
    assert (one.streams, bench.failed) == (1, [])


async def test_pongs_are_no_pings(bench: Bench) -> None:
    """Two CRLF in a row, answers to two of ours, look like a ping; nothing is answered to them."""
    peer, one, _ = await kept_alive(bench, 10**9, 0.001)
    async with asyncio.timeout(30):
        while peer.pings < 5:
            peer.changed.clear()
            await peer.changed.wait()
    assert (one.streams, bench.failed, one.gate.counters) == (1, [], {})
