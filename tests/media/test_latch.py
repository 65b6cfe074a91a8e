"""Whose packets are let in, by what the SDP and the trunk say (security.md "RTP sources")."""

from __future__ import annotations

import pytest

from media.latch import Latch

PARTY = ("192.0.2.1", 4000)
OTHER = ("203.0.113.9", 4000)


def test_only_the_signalled_source_from_the_first_packet_on() -> None:
    latch = Latch(*PARTY)
    assert not latch.admits(OTHER)
    assert not latch.admits((PARTY[0], PARTY[1] + 2))
    assert not latch.sure
    assert latch.admits(PARTY)
    assert latch.sure
    assert not latch.admits(OTHER)
    assert (latch.target, latch.host) == (PARTY, PARTY[0])


def test_a_media_network_may_send_from_any_port_but_then_from_that_one_only() -> None:
    latch = Latch(*PARTY, networks=("198.51.100.0/24",))
    assert latch.admits(("198.51.100.7", 9000))
    assert not latch.admits(("198.51.100.7", 9002))
    assert not latch.admits(PARTY)
    assert (latch.target, latch.sure) == (PARTY, False)


def test_behind_nat_one_source_is_learnt_until_the_signalled_one_appears() -> None:
    latch = Latch("10.0.0.1", 4000, learn_from="192.0.2.1")
    assert not latch.admits(OTHER)
    assert latch.admits(("192.0.2.1", 61000))
    assert (latch.target, latch.sure) == (("192.0.2.1", 61000), False)
    assert not latch.admits(("192.0.2.1", 61002))
    assert latch.admits(("10.0.0.1", 4000))
    assert (latch.target, latch.sure) == (("10.0.0.1", 4000), True)
    assert not latch.admits(("192.0.2.1", 61000))


@pytest.mark.parametrize(("host", "port"), [("0.0.0.0", 4000), ("::", 4000), ("192.0.2.1", 0), ("example.com", 4000)])
def test_nothing_is_sent_where_nobody_is(host: str, port: int) -> None:
    assert Latch(host, port).target is None


def test_ipv6_is_compared_by_value() -> None:
    latch = Latch("2001:DB8:0::1", 4000)
    assert latch.admits(("2001:db8::1", 4000))
    assert latch.target == ("2001:db8::1", 4000)
