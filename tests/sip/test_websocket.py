"""SIP over WebSocket on loopback with a real client library: plain and TLS, a whole call, what a stuck page costs."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import uvloop
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from gateway.sip.endpoint import Endpoint
from gateway.sip.gate import Gate, GateSettings
from gateway.sip.hop import Hop
from gateway.sip.outputs import Confirmed, Incoming
from gateway.sip.stream import QUEUE_LIMIT
from gateway.sip.tls import Tls
from gateway.sip.transport import Transport
from gateway.sip.user_agent import UserAgent, UserAgentSettings
from tests.sip.loopback import HOST, MESSAGE, Bench
from tests.sip.pki import Authority

LISTEN = Hop("ws", HOST, 0), Hop("udp", HOST, 0)
TEXT = MESSAGE.decode()
Dial = Callable[..., Awaitable[ClientConnection]]


@pytest.fixture
async def dial() -> AsyncIterator[Dial]:
    made: list[ClientConnection] = []

    async def open_(transport: Transport, **wanted: Any) -> ClientConnection:
        hop = transport.bound[0]
        host = hop.host_text
        wanted = {"subprotocols": ["sip"], "proxy": None, "compression": None} | wanted
        made.append(await connect(f"{hop.transport}://{host}:{hop.port}/", **wanted))
        return made[-1]

    yield open_
    for one in made:
        one.transport.abort()
        await one.wait_closed()


async def test_there_and_back(bench: Bench, dial: Dial) -> None:
    one = await bench.start(listen=LISTEN)
    page = await dial(one)
    await page.send(TEXT)
    await page.send(MESSAGE)
    await bench.until(lambda: len(bench.messages) == 2)
    assert {data for data, _ in bench.messages} == {MESSAGE}
    source = bench.messages[0][1]
    assert (source.transport, source.host, page.subprotocol) == ("ws", HOST, "sip")
    one.send(MESSAGE, source)
    assert await page.recv() == TEXT


async def test_over_ipv6(bench: Bench, dial: Dial) -> None:
    one = await bench.start(listen=[Hop("ws", "::1", 0)])
    page = await dial(one)
    await page.send(TEXT)
    await bench.until(lambda: bool(bench.messages))
    one.send(MESSAGE, bench.messages[0][1])
    assert (await page.recv(), bench.messages[0][1].host) == (TEXT, "::1")


async def test_with_tls(bench: Bench, dial: Dial, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.sign("gw", HOST)
    tls = Tls(certificate=pair.certificate, key=pair.key)
    one = await bench.start(listen=[Hop("wss", HOST, 0)], tls=tls, origins=["https://phone.example"])
    context = ssl.create_default_context(cafile=authority.ca)
    page = await dial(one, ssl=context, origin="https://phone.example")
    large = "MESSAGE sip:a SIP/2.0\r\n\r\n" + "é" * 60000
    await page.send(large)
    await bench.until(lambda: bool(bench.messages))
    data, source = bench.messages[0]
    assert (data, source.transport) == (large.encode(), "wss")
    one.send(data, source)
    assert await page.recv() == large
    with pytest.raises(InvalidStatus, match="403"):
        await dial(one, ssl=context, origin="https://evil.example")


async def test_a_keep_alive_is_answered(bench: Bench, dial: Dial) -> None:
    one = await bench.start(listen=LISTEN)
    page = await dial(one)
    await page.send("\r\n\r\n")
    assert await page.recv() == "\r\n"
    await (await page.ping())


async def test_a_page_that_answers_no_more_is_dropped(bench: Bench, dial: Dial) -> None:
    """It answers pings as long as it reads; then it does not."""
    one = await bench.start(listen=LISTEN, keep_alive_seconds=0.05)
    page = await dial(one)
    while not (one._open and next(iter(one._open))._answers):
        bench.messages.clear()
        await page.send(TEXT)
        await bench.until(lambda: bool(bench.messages))
    page.transport.pause_reading()
    await bench.until(lambda: bool(bench.failed))
    assert one.counters["keep-alive not answered"] == 1


async def test_nobody_to_send_to_is_told_of(bench: Bench) -> None:
    one = await bench.start(listen=LISTEN)
    gone = Hop("ws", HOST, 9)
    one.send(MESSAGE, gone)
    await bench.until(lambda: bool(bench.failed))
    assert (bench.failed, one.counters["no connection"]) == ([gone], 1)


async def test_our_end_says_goodbye(bench: Bench, dial: Dial) -> None:
    one = await bench.start(listen=LISTEN)
    page = await dial(one)
    await one.stop()
    with pytest.raises(ConnectionClosed) as closed:
        await page.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001


async def test_a_stuck_page_stops_nobody(bench: Bench, dial: Dial) -> None:
    one = await bench.start(listen=LISTEN)
    page, other = await dial(one), await dial(one)
    await page.send(TEXT)
    await bench.until(lambda: bool(bench.messages))
    stuck = bench.messages[0][1]
    page.transport.pause_reading()
    sent = 0
    while not one.counters["stuck peer"]:
        one.send(b"x" * 65536, stuck)
        sent += 65536
        assert sent < 64 * QUEUE_LIMIT
        if sent % (1 << 20) == 0:
            bench.messages.clear()
            await other.send(TEXT)
            await bench.until(lambda: bool(bench.messages))
            one.send(MESSAGE, bench.messages[0][1])
            assert await other.recv() == TEXT
    await bench.until(lambda: bool(bench.failed))
    assert bench.failed == [stuck]


async def test_frames_cost_like_messages(bench: Bench, dial: Dial) -> None:
    """A flood of empty frames is held back by the same gate."""
    one = await bench.start(listen=LISTEN, gate=GateSettings(messages_per_second=10.0))
    page = await dial(one)
    for _ in range(100):
        await page.ping()
    await page.send(TEXT)
    await bench.until(lambda: bool(bench.messages))
    assert one.gate.counters["stream held back"] >= 1


INVITE = """INVITE sip:b@gw.example SIP/2.0\r
Via: SIP/2.0/WS df7jal23ls0d.invalid;branch=z9hG4bK56sdasks\r
Max-Forwards: 70\r
From: <sip:a@example.com>;tag=asdyka899\r
To: <sip:b@gw.example>\r
Call-ID: asidkj3ss\r
CSeq: 1 INVITE\r
Contact: <sip:a@df7jal23ls0d.invalid;transport=ws>\r
Content-Type: application/sdp\r
\r
offer"""


async def test_a_call_goes_back_on_the_connection_that_it_came_on(dial: Dial) -> None:
    """RFC 7118 §8.2: a page names a host that is nowhere; its answers, and our BYE, find it all the same."""
    numbers = count()
    seen: list[Any] = []
    more = asyncio.Event()

    def note(outputs: list[Any]) -> None:
        seen.extend(outputs)
        more.set()

    shown: dict[str, Hop] = {}
    agent = UserAgent(UserAgentSettings(shown), lambda: f"t{next(numbers)}")
    endpoint = Endpoint(agent, note, Gate(GateSettings(), lambda host: True, lambda host: None))
    await endpoint.start(LISTEN)
    shown |= {hop.transport: hop for hop in endpoint.bound}
    page = await dial(endpoint.transport)
    await page.send(INVITE)
    assert "100 Trying" in str(await page.recv())
    (incoming,) = seen
    assert isinstance(incoming, Incoming)
    endpoint.execute(agent.accept(incoming.session, b"answer", now=time.monotonic()))
    answer = str(await page.recv())
    assert answer.startswith("SIP/2.0 200 OK\r\nVia: SIP/2.0/WS df7jal23ls0d.invalid;branch=z9hG4bK56sdasks;received=")
    contact = f"Contact: <sip:{HOST}:{endpoint.bound[0].port};transport=ws>"
    assert contact in answer
    to = next(line for line in answer.split("\r\n") if line.startswith("To:"))
    ack = INVITE.replace("1 INVITE", "1 ACK").replace("INVITE sip", "ACK sip").replace("To: <sip:b@gw.example>", to)
    more.clear()
    await page.send(ack.replace("z9hG4bK56sdasks", "z9hG4bKack").replace("offer", ""))
    async with asyncio.timeout(30):
        await more.wait()
    assert isinstance(seen[-1], Confirmed)
    endpoint.execute(agent.hang_up(incoming.session, time.monotonic()))
    bye = str(await page.recv())
    assert bye.startswith("BYE sip:a@df7jal23ls0d.invalid;transport=ws SIP/2.0\r\nVia: SIP/2.0/WS ")
    await endpoint.stop()


def test_under_uvloop() -> None:
    async def run() -> tuple[Bench, str]:
        bench = Bench()
        one = await bench.start(listen=LISTEN)
        uri = f"ws://{HOST}:{one.bound[0].port}"
        async with connect(uri, subprotocols=["sip"], proxy=None) as page:  # type: ignore[list-item]
            await page.send(TEXT)
            await bench.until(lambda: bool(bench.messages))
            one.send(MESSAGE, bench.messages[0][1])
            answer = str(await page.recv())
        await one.stop()
        return bench, answer

    bench, answer = uvloop.run(run())
    assert (answer, bench.failed) == (TEXT, [])
