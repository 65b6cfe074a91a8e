"""One TCP connection: what is framed and answered, what ends it, and who learns that something didn't get through."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from gateway.sip.gate import GateSettings
from gateway.sip.stream import QUEUE_LIMIT
from tests.sip.loopback import BAD, MESSAGE, Bench, closed, connect, fill, reset, stuck


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
