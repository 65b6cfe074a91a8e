"""The door: what is let in, what is counted, who is banned and for how long. Time is given."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from gateway.sip.gate import REMEMBERED, Bucket, Gate, GateSettings, prefix

PHONE, OTHER, TRUNK, STRANGER = "203.0.113.5", "203.0.113.6", "192.0.2.10", "198.51.100.1"
OPTIONS = b"OPTIONS sip:gw SIP/2.0\r\nUser-Agent: Yealink\r\n\r\n"
SCAN = b"OPTIONS sip:100@gw SIP/2.0\r\nVia: x\r\nUser-Agent: friendly-scanner\r\n\r\n"
REGISTER = b"REGISTER sip:gw SIP/2.0\r\n\r\n"


def gate(**settings: float) -> Gate:
    return Gate(
        GateSettings(**settings),  # type: ignore[arg-type]
        admits=lambda host: host != STRANGER,
        trunk_of=lambda host: "carrier" if host.startswith("192.0.2.") else None,
    )


def taken(one: Gate, host: str, data: bytes, times: int, at: float, every: float = 0.0) -> int:
    return sum(one.datagram(host, data, at + number * every) for number in range(times))


def test_a_stranger_is_dropped_and_costs_no_memory() -> None:
    one = gate()
    assert taken(one, STRANGER, OPTIONS, 50, 0.0) == 0
    assert not one.greets(STRANGER, 0.0)
    assert one.message(STRANGER, OPTIONS, 0.0) == math.inf
    assert one.counters["stranger"] == 52
    assert (one._sources, one._bans) == ({}, {})


def test_a_source_has_its_own_rate_and_its_burst() -> None:
    one = gate(messages_per_second=10, burst_seconds=2, strikes=1000)
    assert taken(one, PHONE, OPTIONS, 100, 0.0) == 20
    assert taken(one, OTHER, OPTIONS, 100, 0.0) == 20
    assert taken(one, PHONE, OPTIONS, 100, 1.0) == 10
    assert taken(one, PHONE, OPTIONS, 100, 10.0, every=0.1) == 100


def test_all_addresses_of_a_trunk_share_its_rate() -> None:
    one = gate(trunk_messages_per_second=10, burst_seconds=1)
    assert taken(one, "192.0.2.10", OPTIONS, 6, 0.0) + taken(one, "192.0.2.11", OPTIONS, 6, 0.0) == 10
    assert one.counters["over the rate of a trunk"] == 2
    assert one.bans(0.0) == []


def test_a_flood_from_everywhere_takes_nothing_from_a_trunk() -> None:
    one = gate(others_messages_per_second=100, burst_seconds=1)
    assert sum(one.datagram(f"203.0.113.{number}", OPTIONS, 0.0) for number in range(200)) == 100
    assert one.counters["over the rate of all sources"] == 100
    assert one.bans(0.0) == []
    assert taken(one, TRUNK, OPTIONS, 1000, 0.0) == 1000


def test_a_large_message_costs_what_it_takes_to_read() -> None:
    one = gate(messages_per_second=10, burst_seconds=2, strikes=1000)
    assert taken(one, PHONE, OPTIONS + b"x" * 16384, 100, 0.0) == 2
    assert taken(gate(messages_per_second=1, burst_seconds=1), PHONE, b"x" * 65000, 1, 0.0) == 1


def test_a_stream_is_held_back_and_loses_nothing() -> None:
    one = gate(messages_per_second=10, burst_seconds=1)
    waits = [one.message(PHONE, OPTIONS, 0.0) for _ in range(13)]
    assert waits[:10] == [0.0] * 10
    assert waits[10:] == pytest.approx([0.1, 0.2, 0.3])
    assert one.message(PHONE, OPTIONS, 1.0) == 0.0
    assert one.bans(1.0) == []


def test_a_scanner_is_banned_at_once_and_for_a_time() -> None:
    one = gate(ban_seconds=60)
    assert not one.datagram(PHONE, SCAN, 5.0)
    assert [(ban.source, ban.why, ban.until) for ban in one.fresh] == [(PHONE, "scanner", 65.0)]
    assert one.counters["ban: scanner"] == 1
    assert not one.datagram(PHONE, OPTIONS, 64.0)
    assert one.message(PHONE, OPTIONS, 64.0) == math.inf
    assert one.datagram(OTHER, OPTIONS, 64.0)
    assert one.datagram(PHONE, OPTIONS, 65.5)
    assert one.bans(65.5) == []


@pytest.mark.parametrize("agent", [b"sipvicious", b"Sipcli/v1.8", b"VaxSIPUserAgent/3.1", b"a friendly-scanner"])
def test_scanners_by_name(agent: bytes) -> None:
    assert not gate().datagram(PHONE, OPTIONS.replace(b"Yealink", agent), 0.0)


def test_the_word_elsewhere_is_no_scanner() -> None:
    assert gate().datagram(PHONE, OPTIONS.replace(b"\r\n\r\n", b"\r\nSubject: sipvicious\r\n\r\n"), 0.0)


def test_a_trunk_relays_what_others_say() -> None:
    one = gate()
    assert one.datagram(TRUNK, SCAN, 0.0)
    for _ in range(100):
        one.strike(TRUNK, "malformed", 0.0, at_once=True)
    assert one.datagram(TRUNK, OPTIONS, 0.0)
    assert not one.counters


def test_strikes_ban_when_they_come_together() -> None:
    one = gate(strikes=3, strike_seconds=60)
    for at in (0.0, 50.0, 100.0, 110.0):
        one.strike(PHONE, "digest", at)
    assert one.bans(110.0) == []
    one.strike(PHONE, "malformed", 120.0)
    assert [(ban.source, ban.why) for ban in one.bans(120.0)] == [(PHONE, "malformed")]
    assert one.counters == {"strike: digest": 4, "strike: malformed": 1, "ban: malformed": 1}


def test_a_register_storm_is_a_ban_and_a_phone_that_registers_is_not() -> None:
    one = gate(registers_per_minute=60)
    assert taken(one, OTHER, REGISTER, 100, 0.0, every=1.0) == 100
    assert taken(one, PHONE, REGISTER, 100, 100.0) == 30
    assert [(ban.source, ban.why) for ban in one.bans(100.0)] == [(PHONE, "REGISTER storm")]


def test_a_flood_is_a_ban() -> None:
    one = gate(messages_per_second=10)
    taken(one, PHONE, OPTIONS, 100, 0.0)
    assert [ban.why for ban in one.bans(0.0)] == ["flood"]


def test_bans_are_lifted_one_by_one_or_all() -> None:
    one = gate()
    for host in (PHONE, OTHER, "2001:db8:0:1::5"):
        one.strike(host, "scanner", 0.0, at_once=True)
    assert [ban.source for ban in one.bans(1.0)] == [PHONE, OTHER, "2001:db8:0:1::/64"]
    assert not one.greets("2001:db8:0:1:ffff::9", 1.0)
    assert one.greets("2001:db8:0:2::5", 1.0)
    assert [ban.source for ban in one.lift("2001:db8:0:1::7", 1.0)] == ["2001:db8:0:1::/64"]
    assert one.lift("192.0.2.200", 1.0) == []
    assert [ban.source for ban in one.lift(OTHER, 1.0)] == [OTHER]
    assert one.greets(OTHER, 1.0)
    assert [ban.source for ban in one.lift("", 1.0)] == [PHONE]
    assert one.bans(1.0) == []


def test_memory_is_bounded_however_many_come() -> None:
    one = gate()
    for number in range(REMEMBERED + 500):
        host = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
        one.datagram(host, OPTIONS, 0.0)
        one.strike(host, "scanner", 0.0, at_once=True)
    assert len(one._sources) == len(one.bans(0.0)) == REMEMBERED == len(one.fresh)
    for number in range(REMEMBERED + 500):
        one.datagram(f"2001:db8:0:{number:x}::1", OPTIONS, 0.0)
    assert len(one._sources) == REMEMBERED
    assert len(one._prefixes) <= REMEMBERED


@pytest.mark.parametrize(
    ("text", "known"),
    [("192.0.2.1", "192.0.2.1"), ("::ffff:192.0.2.1", "192.0.2.1"), ("2001:db8::1", "2001:db8::/64"), ("x", "x")],
)
def test_prefix(text: str, known: str) -> None:
    assert prefix(text) == known


def test_a_bucket_never_holds_more_than_its_burst() -> None:
    bucket = Bucket(10.0, 5.0)
    assert bucket.take(5, 0.0)
    assert not bucket.take(1, 0.05)
    assert bucket.take(1, 0.15)
    assert [bucket.take(5, 1e6), bucket.take(1, 1e6)] == [True, False]
    assert bucket.owe(10, 2e6) == pytest.approx(0.5)


def test_a_message_of_a_trunk_costs_two_lookups() -> None:
    """Per message nothing is made and nothing remembered: the work is counted, not timed."""
    asked: list[str] = []

    def trunk_of(host: str) -> str | None:
        asked.append(host)
        return "carrier"

    def never(host: str) -> bool:
        raise AssertionError(host)

    admits: Callable[[str], bool] = never
    one = Gate(GateSettings(), admits, trunk_of)
    assert taken(one, TRUNK, OPTIONS, 1000, 0.0) == 1000
    assert asked == [TRUNK] * 1000
    assert (one._sources, one._prefixes) == ({}, {})
