"""RFC 3263 against a DNS server of the test's own: what is asked for, in which order places come, for how long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvloop

from gateway.sip import resolver as module
from gateway.sip.hop import Hop
from gateway.sip.resolver import Resolver
from gateway.sip.target import Located, Target
from tests.name_server import NameServer

Zone = dict[tuple[str, str], list[str]]
A = ("example.com", "A")
ZONE: Zone = {
    A: ["192.0.2.1"],
    ("example.com", "AAAA"): ["2001:db8::1"],
    ("a.example.com", "A"): ["192.0.2.10", "192.0.2.11"],
    ("a.example.com", "AAAA"): ["2001:db8::10"],
    ("b.example.com", "A"): ["192.0.2.20"],
}
UDP_SRV: Zone = {("_sip._udp.example.com", "SRV"): ["20 0 5070 b.example.com.", "10 60 5060 a.example.com."]}
TCP_SRV: Zone = {("_sip._tcp.example.com", "SRV"): ["1 1 5080 b.example.com."]}
TLS_SRV: Zone = {("_sips._tcp.example.com", "SRV"): ["1 1 5081 b.example.com."]}
NAPTR: Zone = {
    ("example.com", "NAPTR"): [
        '50 50 "s" "SIP+D2W" "" _sip._ws.example.com.',
        '100 60 "s" "SIP+D2U" "" _sip._udp.example.com.',
        '100 50 "s" "SIPS+D2T" "" _sips._tcp.example.com.',
        '90 50 "u" "E2U+sip" "!^.*$!sip:a@b!" .',
    ]
}
BY_UDP = [
    Located(Hop("udp", "192.0.2.10", 5060), 10, 60),
    Located(Hop("udp", "192.0.2.11", 5060), 10, 60),
    Located(Hop("udp", "192.0.2.20", 5070), 20, 1),
]


@pytest.fixture
async def server() -> AsyncIterator[NameServer]:
    made = NameServer(dict(ZONE))
    yield made
    await made.stop()


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def ask(server: NameServer, **settings: Any) -> Resolver:
    settings = {"patience": 5.0} | settings
    return Resolver([await server.start()], **settings)


def at(host: str, port: int, transport: str = "udp", name: str = "") -> list[Located]:
    return [Located(Hop(transport, host, port, name))]


@pytest.mark.parametrize(
    ("target", "records", "found"),
    [
        ("sip:example.com", {}, at("192.0.2.1", 5060)),
        ("sips:example.com", {}, at("192.0.2.1", 5061, "tls", "example.com")),
        ("sip:example.com:5099", UDP_SRV | NAPTR, at("192.0.2.1", 5099)),
        ("tls:example.com:5099", TLS_SRV, at("192.0.2.1", 5099, "tls", "example.com")),
        ("udp:example.com", UDP_SRV | NAPTR, BY_UDP),
        ("tcp:example.com", UDP_SRV, at("192.0.2.1", 5060, "tcp")),
        ("tcp:example.com", TCP_SRV, [Located(Hop("tcp", "192.0.2.20", 5080), 1, 1)]),
        ("sip:example.com", UDP_SRV | TCP_SRV, BY_UDP),
        ("sip:example.com", TCP_SRV, [Located(Hop("tcp", "192.0.2.20", 5080), 1, 1)]),
        ("sip:example.com", NAPTR | UDP_SRV | TLS_SRV, [Located(Hop("tls", "192.0.2.20", 5081, "example.com"), 1, 1)]),
        ("sip:example.com", NAPTR | UDP_SRV, BY_UDP),
        ("sips:example.com", NAPTR | UDP_SRV | TCP_SRV, []),
        ("udp:example.com", {("_sip._udp.example.com", "SRV"): ["0 0 0 ."]}, []),
        ("udp:nowhere.example", {}, []),
    ],
)
async def test_where_a_target_is(server: NameServer, target: str, records: Zone, found: list[Located]) -> None:
    server.zone |= records
    one = await ask(server)
    assert list((await one.locate(Target.parse(target))).located) == found


async def test_ipv6_comes_after_ipv4_and_only_when_it_is_spoken(server: NameServer) -> None:
    one = await ask(server, versions=(4, 6))
    hosts = [found.hop.host for found in (await one.locate(Target("a.example.com", 5060, "udp"))).located]
    assert hosts == ["192.0.2.10", "192.0.2.11", "2001:db8::10"]


async def test_only_transports_that_are_spoken(server: NameServer) -> None:
    server.zone |= UDP_SRV | TCP_SRV
    one = await ask(server, transports=("tcp",))
    assert {found.hop.transport for found in (await one.locate(Target("example.com"))).located} == {"tcp"}


async def test_truncated_answers_are_asked_for_by_tcp(server: NameServer) -> None:
    server.truncates = True
    one = await ask(server)
    assert (await one.locate(Target("example.com", 5060))).located


@pytest.mark.parametrize(("ttl", "seconds"), [(0, 5), (60, 60), (86400, 3600)])
async def test_it_is_known_as_long_as_the_records_say_within_bounds(server: NameServer, ttl: int, seconds: int) -> None:
    server.ttl = ttl
    one = await ask(server, clock=lambda: 1000.0)
    found = await one.locate(Target("example.com", 5060))
    assert 1000.0 + seconds - 2 <= found.until <= 1000.0 + seconds
    assert await one.locate(Target("example.com", 5060)) is found
    assert server.asked[A] == 1


async def test_what_is_stale_is_known_at_once_and_asked_for_in_the_background(
    server: NameServer,
) -> None:
    server.ttl = 0
    clock = Clock()
    one = await ask(server, clock=clock)
    target = Target("example.com", 5060)
    assert one.known(target) is None
    first = await one.locate(target)
    clock.now = first.until + 1
    server.zone[A] = ["192.0.2.2"]
    assert one.known(target) is first
    second = await one.locate(target)
    assert [found.hop.host for found in second.located] == ["192.0.2.2"]
    assert one.known(target) is second


async def test_many_at_once_ask_once(server: NameServer) -> None:
    one = await ask(server)
    await asyncio.gather(*(one.locate(Target("example.com", 5060)) for _ in range(10)))
    assert server.asked[A] == 1


async def test_when_nobody_answers_what_was_known_stays(server: NameServer) -> None:
    clock = Clock()
    one = await ask(server, patience=0.2, clock=clock)
    target = Target("example.com", 5060)
    first = await one.locate(target)
    server.silent = True
    clock.now = first.until + 7200
    one._dns.cache.flush()
    second = await one.locate(target)
    assert (second.located, second.until) == (first.located, clock.now + module.PAUSE)
    assert (await one.locate(Target("b.example.com", 5060))).located == ()


async def test_it_remembers_so_many_and_no_more(server: NameServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 3)
    one = await ask(server)
    for number in range(5):
        await one.locate(Target(f"x{number}.example", 5060))
    assert len(one._known) == 3


async def test_stop_ends_what_is_asked(server: NameServer) -> None:
    server.silent = True
    one = await ask(server, patience=600.0)
    waiting = asyncio.create_task(one.locate(Target("example.com")))
    async with asyncio.timeout(30):
        await server.changed.wait()
    await one.stop()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert one._asking == {}


def test_under_uvloop() -> None:
    async def run() -> list[Located]:
        server = NameServer(ZONE | UDP_SRV)
        one = await ask(server)
        found = await one.locate(Target("example.com"))
        await server.stop()
        return list(found.located)

    assert uvloop.run(run()) == BY_UDP
