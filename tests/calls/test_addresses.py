"""Peers that are names: what their numbers stand for as DNS changes, and how calls fail over along what it says."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from gateway.calls.addresses import NOWHERE, SLOTS, Addresses, first
from gateway.calls.locating import Locating, locate
from gateway.calls.settings import Rank
from gateway.sip.hop import Hop
from gateway.sip.resolver import Resolver
from gateway.sip.target import Located, Target
from tests.calls.fakes import TRUNK, B, Bench, connect
from tests.name_server import NameServer

HOPS = [Hop("udp", f"192.0.2.{last}", 5060) for last in (20, 30, 40, 50)]
FIXED = Hop("tcp", "192.0.2.99", 5060)
NAME = Target("trunk.example.com")


def located(*hops: Hop, priority: int = 0) -> list[Located]:
    return [Located(hop, priority) for hop in hops]


def named(*given: Hop | Target, name: str = "", ranks: Sequence[Rank] = ()) -> Bench:
    return Bench(trunk=replace(TRUNK, peers=Addresses(given or (NAME,), name), ranks=tuple(ranks)))


def invited(one: Bench) -> list[Hop]:
    return [verb[2] for verb in one.agent.verbs if verb[0] == "invite"]


# --- numbers ----------------------------------------------------------------------------------------------------------


def test_a_name_has_slots_beside_the_addresses() -> None:
    peers = Addresses([FIXED, NAME, HOPS[0]])
    assert (len(peers), peers.entries, peers[0], peers[-1]) == (SLOTS + 2, 3, FIXED, HOPS[0])
    assert (peers.slots(0), peers.slots(1), peers.slots(2)) == ([0], [], [SLOTS + 1])
    assert peers.fill(1, located(HOPS[1], HOPS[2])) == [1, 2]
    assert (peers.slots(1), peers[1:3]) == ([1, 2], HOPS[1:3])
    assert (first(peers), first(Addresses([NAME]))) == (FIXED, NOWHERE)


def test_a_hop_keeps_its_number() -> None:
    peers = Addresses([NAME])
    peers.fill(0, located(*HOPS[:3]))
    assert peers.fill(0, located(HOPS[2], HOPS[3], HOPS[0])) == [1]
    assert peers[:3] == [HOPS[0], HOPS[3], HOPS[2]]
    assert peers.fill(0, located(HOPS[2], HOPS[0])) == [1]
    assert peers.slots(0) == [0, 2]
    assert peers.fill(0, located(HOPS[0], HOPS[2])) == []


def test_more_than_the_slots_are_left_out() -> None:
    peers = Addresses([NAME])
    many = [Hop("udp", f"198.51.100.{last}", 5060) for last in range(20)]
    peers.fill(0, located(*many))
    assert peers[:] == many[:SLOTS]


def test_the_name_in_the_certificate_and_in_the_uri() -> None:
    tls = Hop("tls", "192.0.2.20", 5061, "trunk.example.com")
    peers = Addresses([Target("trunk.example.com", 5081, "tls", True), HOPS[0]], "sbc.example.com")
    peers.fill(0, located(tls))
    assert peers[0] == replace(tls, name="sbc.example.com")
    assert (peers.shown(0), peers.shown(SLOTS)) == ("trunk.example.com:5081", "192.0.2.20:5060")


# --- calls ------------------------------------------------------------------------------------------------------------


def test_a_call_goes_where_the_name_leads_with_the_name_in_its_uri() -> None:
    bench = named()
    assert bench.exchange.targets == [("carrier", 0, NAME)]
    bench.exchange.peer_located("carrier", 0, located(HOPS[0]), bench.now)
    bench.ring()
    verb = bench.verb("invite", "callee-1")
    assert (verb[2], verb[3].partition("@")[2]) == (HOPS[0], "trunk.example.com;user=phone")


def test_while_nobody_knows_where_it_is_there_is_no_way() -> None:
    bench = named()
    bench.dial()
    bench.route(connect())
    bench.open_media()
    assert invited(bench) == []
    assert bench.verb("reject", "caller")[2] == 503


def test_a_call_fails_over_along_the_records_and_then_to_the_next_peer() -> None:
    """RFC 3263 §4.3: 503, or nothing at all, leads to the next one."""
    bench = named(NAME, FIXED)
    bench.exchange.peer_located(
        "carrier", 0, [*located(HOPS[1], priority=20), *located(HOPS[0], priority=10)], bench.now
    )
    bench.ring()
    bench.reject(503, "callee-1")
    bench.reject(503, "callee-2")
    assert invited(bench) == [HOPS[0], HOPS[1], FIXED]


def test_srv_weights_share_the_calls() -> None:
    bench = named()
    bench.exchange.peer_located("carrier", 0, [Located(HOPS[0], 1, 30), Located(HOPS[1], 1, 10)], bench.now)
    ways = [bench.exchange._plant.trunks.ways.of("carrier", "", None)[0] for _ in range(2000)]
    shares = Counter(way.trunk.peers[way.peer] for way in ways)
    assert shares[HOPS[0]] == pytest.approx(1500, abs=100)


def test_what_is_known_of_a_peer_stays_with_it_and_goes_with_it() -> None:
    bench = named()
    trunks = bench.exchange._plant.trunks
    bench.exchange.peer_located("carrier", 0, located(HOPS[0], HOPS[1]), bench.now)
    for number in (0, 1):
        trunks.peers["carrier", number].bar(60.0, bench.now)
    bench.exchange.peer_located("carrier", 0, located(HOPS[1], HOPS[2]), bench.now)
    assert [trunks.peers["carrier", number].barred(bench.now) for number in (0, 1)] == [False, True]
    assert trunks.peers["carrier", 0].hop == HOPS[2]


def test_a_text_has_nowhere_to_go_yet() -> None:
    bench = named()
    assert bench.exchange._plant.trunks.for_text("carrier", "app", B, bench.now) == []


# --- look-ups ---------------------------------------------------------------------------------------------------------


class Told:
    """Takes the place of the exchange."""

    def __init__(self, *targets: Target) -> None:
        self.targets = [("carrier", entry, target) for entry, target in enumerate(targets)]
        self.said: asyncio.Queue[tuple[int, list[Hop]]] = asyncio.Queue()

    def peer_located(self, trunk: str, entry: int, located: Sequence[Located], now: float) -> list[Any]:
        self.said.put_nowait((entry, [one.hop for one in located]))
        return []

    async def next(self) -> tuple[int, list[Hop]]:
        async with asyncio.timeout(30):
            return await self.said.get()


async def test_names_are_looked_up_ahead_and_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.sip.resolver.FRESHEST", 0.01)
    server = NameServer({("trunk.example.com", "A"): ["192.0.2.20"], ("b.example.com", "A"): ["192.0.2.40"]})
    server.ttl = 0
    told = Told(NAME, Target("b.example.com", 5070, "tcp"))
    resolver = Resolver([await server.start()])
    locating = Locating(told, resolver, lambda outputs: None)  # type: ignore[arg-type]
    locating.start()
    assert sorted([await told.next(), await told.next()]) == [(0, [HOPS[0]]), (1, [Hop("tcp", "192.0.2.40", 5070)])]
    server.zone["trunk.example.com", "A"] = ["192.0.2.30"]
    assert await told.next() == (0, [HOPS[1]])
    del server.zone["trunk.example.com", "A"]
    while (await resolver.locate(NAME)).located:
        pass
    await asyncio.sleep(0)
    assert told.said.empty()
    await locating.stop()
    await server.stop()


async def test_once_for_who_needs_them_now() -> None:
    server = NameServer({("trunk.example.com", "A"): ["192.0.2.20"]})
    peers = Addresses([FIXED, NAME])
    await locate(peers, Resolver([await server.start()]))
    assert (peers.slots(1), peers[1]) == ([1], HOPS[0])
    await server.stop()
