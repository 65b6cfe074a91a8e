"""Addresses and ports: what is fine, and everything that isn't."""

from __future__ import annotations

import pytest

from gateway.doctor.finding import State
from gateway.doctor.network import advertised_address, ephemeral_range, rtp_range, sip_ports
from gateway.sip.hop import Hop

PUBLIC, CARRIER, LAN = "8.8.8.8", "1.1.1.1", "10.0.0.5"


@pytest.mark.parametrize(
    ("shown", "ours", "nat", "peers", "state"),
    [
        (PUBLIC, True, False, [CARRIER], State.OK),
        (PUBLIC, False, True, [CARRIER], State.OK),
        (PUBLIC, False, False, [CARRIER], State.WARNING),
        (LAN, True, False, ["10.9.9.9"], State.OK),
        (LAN, True, False, [CARRIER], State.FAILURE),
        ("127.0.0.1", True, False, ["127.0.0.1"], State.OK),
        ("127.0.0.1", True, False, [CARRIER], State.FAILURE),
        ("169.254.1.1", True, False, ["10.9.9.9"], State.FAILURE),
        ("127.0.0.1", True, False, ["2606:4700::1"], State.OK),
        ("fd00::1", True, False, ["2606:4700::1"], State.FAILURE),
        ("0.0.0.0", True, False, [], State.FAILURE),
        ("224.0.0.1", False, True, [], State.FAILURE),
        ("2001:db8::1", False, False, [], State.WARNING),
    ],
)
def test_the_advertised_address(shown: str, ours: bool, nat: bool, peers: list[str], state: State) -> None:
    found = advertised_address("sip.advertised", shown, ours=ours, behind_nat=nat, peers=peers)
    assert found.state is state
    assert bool(found.hint) == (state is not State.OK)


def test_sip_ports() -> None:
    listen = (Hop("udp", "0.0.0.0", 5060), Hop("tls", "0.0.0.0", 5061))
    states = [one.state for one in sip_ports(listen, {("udp", 5061), ("tcp", 5060)}, running=False)]
    assert states == [State.OK, State.OK]
    states = [one.state for one in sip_ports(listen, {("udp", 5060), ("tcp", 5061)}, running=False)]
    assert states == [State.FAILURE, State.FAILURE]
    assert {one.state for one in sip_ports(listen, {("udp", 5060), ("tcp", 5061)}, running=True)} == {State.OK}


def test_the_rtp_range() -> None:
    ports = (20000, 20099)
    assert rtp_range(ports, {("tcp", 20000), ("udp", 19999)}, running=False, calls=25).state is State.OK
    assert rtp_range(ports, {("udp", 20050)}, running=False, calls=None).state is State.WARNING
    assert rtp_range(ports, {("udp", 20050)}, running=True, calls=None).state is State.OK
    taken = {("udp", port) for port in range(20000, 20060)}
    assert rtp_range(ports, taken, running=False, calls=None).state is State.FAILURE
    assert rtp_range(ports, set(), running=False, calls=26).state is State.WARNING


@pytest.mark.parametrize(
    ("ports", "reserved", "state"),
    [
        ((20000, 29999), [], State.OK),
        ((30000, 39999), [], State.WARNING),
        ((30000, 39999), [(32768, 39999)], State.OK),
        ((30000, 39999), [(32768, 39000)], State.WARNING),
    ],
)
def test_the_kernel_s_own_range(ports: tuple[int, int], reserved: list[tuple[int, int]], state: State) -> None:
    found = ephemeral_range(ports, (32768, 60999), reserved)
    assert found.state is state
    if state is State.WARNING:
        assert "ip_local_reserved_ports=30000-39999" in found.hint
