"""Contacts and routes that are names: where what is sent to them goes, and what happens when that fails."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from gateway.sip.hop import Hop
from gateway.sip.resolver import Resolver
from gateway.sip.transport import Transport
from tests.name_server import NameServer
from tests.sip.loopback import HOST, MESSAGE, AnyHop, Bench

NOBODY = 9


@pytest.fixture
async def server() -> AsyncIterator[NameServer]:
    made = NameServer({("sbc.example.com", "A"): [HOST]})
    yield made
    await made.stop()


async def start(bench: Bench, server: NameServer) -> tuple[Transport, Transport]:
    """Who sends, and who is to be found."""
    resolver = Resolver([await server.start()])
    return await bench.start(resolver=resolver), await bench.start()


@pytest.mark.parametrize("transport", [0, 1])
async def test_a_name_is_looked_up_and_everything_goes_there_in_order(
    bench: Bench, server: NameServer, transport: int
) -> None:
    one, two = await start(bench, server)
    there = two.bound[transport]
    hop = Hop(there.transport, "127.0.0.3", NOBODY, target=f"{there.transport}:sbc.example.com:{there.port}")
    for number in range(3):
        one.send(MESSAGE.replace(b"sip:a", b"sip:%d" % number), hop)
    await bench.until(lambda: len(bench.messages) == 3)
    assert [data[12:13] for data, _ in bench.messages] == [b"0", b"1", b"2"]
    one.send(MESSAGE, hop)
    await bench.until(lambda: len(bench.messages) == 4)
    assert (server.asked["sbc.example.com", "A"], bench.failed, two.streams) == (1, [], transport)


@pytest.mark.parametrize("fault", ["unknown", "silent", "no resolver"])
async def test_what_dns_does_not_know_goes_where_the_dialog_came_from(
    bench: Bench, server: NameServer, fault: str
) -> None:
    server.silent = fault == "silent"
    one, two = await start(bench, server)
    if fault == "no resolver":
        one = await bench.start()
    hop = replace(two.bound[0], target="udp:nowhere.example.com:5060")
    one.send(MESSAGE, hop)
    await bench.until(lambda: bool(bench.messages))
    assert bench.messages[0][1] == one.bound[0]


async def test_a_place_that_takes_no_connection_is_passed_over(bench: Bench, server: NameServer) -> None:
    """Two addresses, of which the first refuses; then it is left alone for a while."""
    one = await bench.start(resolver=Resolver([await server.start()]))
    two = await bench.start(listen=[Hop("tcp", "127.0.0.3", 0)])
    server.zone["sbc.example.com", "A"] = [HOST, "127.0.0.3"]
    port = two.bound[0].port
    hop = Hop("tcp", "127.0.0.4", NOBODY, target=f"tcp:sbc.example.com:{port}")
    for count in (1, 2):
        one.send(MESSAGE, hop)
        await bench.until(lambda count=count: len(bench.messages) == count)  # type: ignore[misc]
    assert (one.counters["connect failed"], bench.failed, two.streams) == (1, [], 1)


async def test_after_the_last_place_comes_where_the_dialog_came_from(bench: Bench, server: NameServer) -> None:
    one, two = await start(bench, server)
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        hop = replace(two.bound[1], target=f"tcp:sbc.example.com:{taken.getsockname()[1]}")
        one.send(MESSAGE, hop)
        await bench.until(lambda: bool(bench.messages))
    assert bench.failed == []


async def test_a_place_that_answers_no_datagram_is_passed_over(bench: Bench, server: NameServer) -> None:
    """Two addresses, of which the first is silent, then where the dialog came from."""
    one = await bench.start(resolver=Resolver([await server.start()]))
    port = (await bench.start(listen=[Hop("udp", "127.0.0.3", 0)])).bound[0].port
    await bench.start(listen=[Hop("udp", HOST, port)])
    old = (await bench.start(listen=[Hop("udp", "127.0.0.4", 0)])).bound[0]
    server.zone["sbc.example.com", "A"] = [HOST, "127.0.0.3"]
    hop = replace(old, target=f"udp:sbc.example.com:{port}")
    came = []
    for count in range(1, 10):
        one.send(MESSAGE, hop)
        await bench.until(lambda count=count: len(bench.messages) == count)  # type: ignore[misc]
        came.append(next(to.host for to, way in reversed(one._names._asked_by.items()) if way == hop))
    assert came == [*[HOST] * 3, *["127.0.0.3"] * 3, *["127.0.0.4"] * 3]


async def test_another_datagram_begins_a_new_count(bench: Bench, server: NameServer) -> None:
    one, two = await start(bench, server)
    there = two.bound[0]
    hop = Hop("udp", "127.0.0.3", NOBODY, target=f"udp:sbc.example.com:{there.port}")
    for number in range(12):
        one.send(MESSAGE.replace(b"sip:a", b"sip:%d" % (number // 3)), hop)
        await bench.until(lambda number=number: len(bench.messages) == number + 1)  # type: ignore[misc]
    assert one._names._bad == {}


async def test_when_nothing_works_the_named_hop_is_told_of(bench: Bench, server: NameServer) -> None:
    one, _ = await start(bench, server)
    hop = Hop("tcp", "127.0.0.3", NOBODY, target=f"tcp:sbc.example.com:{NOBODY}")
    one.send(MESSAGE, hop)
    await bench.until(lambda: hop in bench.failed)
    assert one.counters["connect failed"] == 2


async def test_too_much_that_waits_is_told_of(bench: Bench, server: NameServer) -> None:
    server.silent = True
    one, _ = await start(bench, server)
    hop = replace(AnyHop[0], port=NOBODY, target="udp:sbc.example.com:5060")
    for _ in range(65):
        one.send(MESSAGE, hop)
    await bench.until(lambda: bool(bench.failed))
    assert (bench.failed[0], one.counters["look-up queue full"]) == (hop, 1)


async def test_stop_ends_what_waits(bench: Bench, server: NameServer) -> None:
    server.silent = True
    one, _ = await start(bench, server)
    one.send(MESSAGE, Hop("udp", HOST, NOBODY, target="udp:sbc.example.com:5060"))
    await one.stop()
    assert (one._names._waiting, one._names._tasks) == ({}, set())
