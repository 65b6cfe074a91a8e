"""The sockets on loopback: who is heard, on which connection it goes, what is left after stop."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from typing import Any

import pytest
import uvloop

from gateway.lab.ports import free_tcp_and_udp_port
from gateway.sip.framing import alias_port
from gateway.sip.hop import Hop
from gateway.sip.pressure import dropped
from gateway.sip.stream import QUEUE_LIMIT
from tests.sip.loopback import HOST, MESSAGE, Bench, closed, connect, fill, reset, stuck


async def test_udp_there_and_back(bench: Bench) -> None:
    one, two = await bench.start(), await bench.start()
    one.send(MESSAGE, two.bound[0])
    await bench.until(lambda: bool(bench.messages))
    assert bench.messages == [(MESSAGE, one.bound[0])]


async def _the_largest_datagram() -> None:
    """RFC 3261 §18.1.1: whoever listens on UDP takes what a datagram can hold."""
    head = b"MESSAGE sip:a SIP/2.0\r\nContent-Length: 65000\r\n\r\n"
    data = head + b"x" * 65000 + b"\r\n" * ((65507 - 65000 - len(head)) // 2)
    bench = Bench()
    one, two = await bench.start(), await bench.start()
    one.send(data, two.bound[0])
    await bench.until(lambda: bool(bench.messages))
    assert bench.messages == [(data, one.bound[0])]
    for transport in bench.transports:
        await transport.stop()


async def test_the_largest_datagram() -> None:
    await _the_largest_datagram()


def test_the_largest_datagram_under_uvloop() -> None:
    uvloop.run(_the_largest_datagram())


async def test_tcp_there_and_back_on_one_connection(bench: Bench) -> None:
    one, two = await bench.start(), await bench.start()
    one.send(MESSAGE, two.bound[1])
    one.send(MESSAGE, two.bound[1])
    await bench.until(lambda: len(bench.messages) == 2)
    two.send(MESSAGE, bench.messages[0][1])
    await bench.until(lambda: len(bench.messages) == 3)
    assert bench.messages[2][1] == two.bound[1]
    assert (one.streams, two.streams) == (1, 1)


async def test_a_socket_says_what_it_had_no_room_for(bench: Bench) -> None:
    """Nothing reads while we do not let the loop turn."""
    one = await bench.start()
    assert [dropped(each) for each in one.datagram_sockets] == [0]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        for _ in range(4000):
            peer.sendto(b"x" * 700, (HOST, one.bound[0].port))
    (lost,) = map(dropped, one.datagram_sockets)
    assert 1000 < lost < 4000


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
    assert deaf.gate.counters["stranger"] >= 1


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


async def test_whoever_connected_is_told_of_when_he_goes(bench: Bench) -> None:
    one = await bench.start()
    _, writer = await connect(one)
    writer.write(MESSAGE)
    await bench.until(lambda: bool(bench.messages))
    writer.close()
    await bench.until(lambda: bool(bench.closed))
    assert bench.closed == [bench.messages[0][1]]
    other = await bench.start()
    one.send(MESSAGE, other.bound[1])
    await bench.until(lambda: len(bench.messages) == 2)
    await one.stop()
    # The side that connected knows no contact there.
    await bench.until(lambda: len(bench.closed) == 2)
    assert bench.closed[1] == bench.messages[1][1]


async def test_all_connections_together_are_bounded(bench: Bench) -> None:
    one = await bench.start(connections=2)
    writers = []
    for number in range(2):
        _, writer = await connect(one)
        writer.write(MESSAGE)
        writers.append(writer)
        await bench.until(lambda count=number: len(bench.messages) > count)  # type: ignore[misc]
    reader, third = await connect(one)
    assert await closed(reader) == b""
    assert (one.counters["too many connections"], one.streams) == (1, 2)
    for writer in (*writers, third):
        writer.close()


SIX = "::1"


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_over_ipv6_there_and_back(bench: Bench, transport: str) -> None:
    listen = [Hop(transport, SIX, 0)]
    one, two = await bench.start(listen=listen), await bench.start(listen=listen)
    one.send(MESSAGE, two.bound[0])
    await bench.until(lambda: bool(bench.messages))
    source = bench.messages[0][1]
    assert (source.transport, source.host) == (transport, SIX)
    two.send(MESSAGE, source)
    await bench.until(lambda: len(bench.messages) == 2)
    assert bench.messages[1][1] == two.bound[0]


def test_both_versions_of_ip_on_one_port() -> None:
    async def run() -> tuple[list[Hop], Counter[str]]:
        made = Bench()
        port = free_tcp_and_udp_port("0.0.0.0")
        listen = [Hop(transport, host, port) for transport in ("udp", "tcp") for host in ("0.0.0.0", "::")]
        both = await made.start(listen=listen)
        one = await made.start(listen=[Hop("udp", HOST, 0), Hop("udp", SIX, 0)])
        for transport in ("udp", "tcp"):
            for host in (HOST, SIX):
                one.send(MESSAGE, Hop(transport, host, port))
        await made.until(lambda: len(made.messages) == 4)
        for _, source in made.messages:
            both.send(MESSAGE, source)
        await made.until(lambda: len(made.messages) == 8)
        for transport_ in made.transports:
            await transport_.stop()
        return made.failed, Counter(f"{source.transport} {source.host}" for _, source in made.messages)

    for runner in (asyncio.run, uvloop.run):
        failed, seen = runner(run())  # type: ignore[operator]
        assert failed == []
        assert seen == {f"{transport} {host}": 2 for transport in ("udp", "tcp") for host in (HOST, SIX)}


async def test_an_answer_leaves_by_the_socket_that_was_asked(bench: Bench) -> None:
    """RFC 3581 §4: a NAT lets nothing through that comes from another port."""
    one = await bench.start(listen=[Hop("udp", HOST, 0), Hop("udp", HOST, 0)])
    two = await bench.start(listen=[Hop("udp", "127.0.0.2", 0)])
    for asked in one.bound[::-1]:
        bench.messages.clear()
        two.send(MESSAGE, asked)
        await bench.until(lambda: bool(bench.messages))
        source = bench.messages[0][1]
        bench.messages.clear()
        one.send(MESSAGE, source)
        await bench.until(lambda: bool(bench.messages))
        assert bench.messages[0][1] == asked


def request(via: str) -> bytes:
    return b"OPTIONS sip:a SIP/2.0\r\nVia: " + via.encode() + b"\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(("says", "trunk"), [(True, True), (False, True), (True, False)])
async def test_a_connection_is_used_for_requests_when_a_trunk_says_so(bench: Bench, says: bool, trunk: bool) -> None:
    """RFC 5923."""
    alias = says and trunk
    one = await bench.start(trunk_of=lambda host: "carrier" if trunk else None)
    reader, writer = await connect(one)
    listens = Hop("tcp", HOST, 9)
    writer.write(request(f"SIP/2.0/TCP {HOST}:9;branch=z9hG4bK1{';alias' if says else ''}"))
    await bench.until(lambda: bool(bench.messages))
    one.send(MESSAGE, listens)
    if alias:
        async with asyncio.timeout(30):
            assert await reader.readexactly(len(MESSAGE)) == MESSAGE
        writer.transport.abort()
        await bench.until(lambda: bool(bench.closed))
        one.send(MESSAGE, listens)
    await bench.until(lambda: listens in bench.failed)
    writer.close()


@pytest.mark.parametrize(
    ("via", "port"),
    [
        ("SIP/2.0/TCP 192.0.2.1:5070;branch=z9hG4bK1;alias", 5070),
        ("SIP/2.0/TLS [2001:db8::1];alias;branch=z9hG4bK1", 5061),
        ("sip/2.0/tls h.example:7;Alias", 7),
        ("SIP/2.0/TCP 192.0.2.1:5070;branch=z9hG4bK1", None),
        ("SIP/2.0/TCP 192.0.2.1:5070;branch=aliased;aliasing=1", None),
        ("SIP/2.0/UDP 192.0.2.1;alias", None),
        ("SIP/2.0/TCP 192.0.2.1;branch=a, SIP/2.0/TCP 192.0.2.2;alias", None),
        ("nonsense", None),
    ],
)
def test_the_port_of_an_alias(via: str, port: int | None) -> None:
    assert alias_port(request(via), 5061) == port
    assert alias_port(request(via).replace(b"Via:", b"v :"), 5061) == port
    assert alias_port(b"SIP/2.0 200 OK\r\nVia: " + via.encode() + b"\r\n\r\n", 5061) is None


async def test_a_connection_that_we_made_and_the_peer_closed_is_told(bench: Bench) -> None:
    """A registration hangs on it: calls come by it (gateway.calls.registration)."""
    made = await bench.start()

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(len(MESSAGE))
        writer.close()

    async with await asyncio.start_server(hang_up, HOST, 0) as server:
        hop = Hop("tcp", *server.sockets[0].getsockname()[:2])
        made.send(MESSAGE, hop)
        await bench.until(lambda: bool(bench.closed))
    assert bench.closed == [hop]
    assert bench.failed == []
