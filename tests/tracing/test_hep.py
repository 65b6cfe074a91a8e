"""HEPv3 packets, decoded octet by octet after the protocol's description; and collectors, alive and dead."""

from __future__ import annotations

import socket
from contextlib import closing

import pytest

from gateway.sip.hop import Hop
from gateway.tracing.collector import Collector
from gateway.tracing.hep import hep3
from gateway.tracing.messages import Seen
from tests.tracing.messages import CALL, HERE, INVITE, INVITE_B


def decode(packet: bytes) -> dict[int, bytes]:
    """Chunks by type; vendor 0 only, none twice."""
    assert packet[0:4] == b"HEP3"
    assert packet[4] << 8 | packet[5] == len(packet)
    chunks: dict[int, bytes] = {}
    at = 6
    while at < len(packet):
        vendor, kind, length = (packet[at + step] << 8 | packet[at + step + 1] for step in (0, 2, 4))
        assert vendor == 0
        assert length >= 6
        assert kind not in chunks
        chunks[kind] = packet[at + 6 : at + length]
        assert len(chunks[kind]) == length - 6
        at += length
    assert at == len(packet)
    return chunks


def test_a_message_from_the_caller_s_carrier() -> None:
    chunks = decode(hep3(CALL[0][1], INVITE, agent=2001, key="secret", correlation="call-1"))
    assert chunks == {
        0x0001: b"\x02",
        0x0002: b"\x11",
        0x0003: bytes((192, 0, 2, 10)),
        0x0004: bytes((198, 51, 100, 1)),
        0x0007: b"\x13\xc4",
        0x0008: b"\x13\xc4",
        0x0009: (1000).to_bytes(4, "big"),
        0x000A: bytes(4),
        0x000B: b"\x01",
        0x000C: b"\x00\x00\x07\xd1",
        0x000E: b"secret",
        0x000F: INVITE,
        0x0011: b"call-1",
    }


def test_a_message_to_the_callee_s_over_tcp() -> None:
    chunks = decode(hep3(CALL[2][1], INVITE_B, agent=1))
    assert (chunks[0x0002], chunks[0x0003], chunks[0x0004]) == (
        b"\x06",
        bytes((198, 51, 100, 1)),
        bytes((192, 0, 2, 20)),
    )
    assert (chunks[0x0007], chunks[0x0008]) == (b"\x13\xc4", b"\x13\xd8")
    assert int.from_bytes(chunks[0x000A], "big") == 500_000
    assert 0x000E not in chunks
    assert 0x0011 not in chunks


def test_ipv6_and_a_message_larger_than_a_datagram() -> None:
    seen = Seen(7.000001, True, Hop("tls", "2001:db8::2", 5061), Hop("tls", "2001:db8::1", 5061), b"")
    chunks = decode(hep3(seen, b"x" * 80_000, agent=1, correlation="c"))
    assert chunks[0x0001] == b"\x0a"
    assert chunks[0x0005] == bytes.fromhex("20010db8000000000000000000000001")
    assert chunks[0x0006] == bytes.fromhex("20010db8000000000000000000000002")
    assert int.from_bytes(chunks[0x000A], "big") == 1
    assert len(chunks[0x000F]) == 65_000
    assert not {0x0003, 0x0004} & set(chunks)


def test_a_collector_gets_packets_and_a_dead_one_harms_nobody() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as alive:
        alive.bind(("127.0.0.1", 0))
        alive.settimeout(5)
        target = Hop("udp", "127.0.0.1", alive.getsockname()[1])
        with closing(Collector(target)) as collector:
            collector.send(b"one")
            assert alive.recv(100) == b"one"
            assert (collector.sent, collector.failed) == (1, 0)
    with closing(Collector(target)) as collector:
        for _ in range(1000):
            collector.send(b"x" * 1000)
        assert collector.sent + collector.failed == 1000
        collector.send(b"x" * 70_000)
        assert collector.failed >= 1


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls", "ws", "wss"])
def test_every_transport_is_told_as_ip_knows_it(transport: str) -> None:
    peer = Hop(transport, "192.0.2.1", 5060)
    chunks = decode(hep3(Seen(1.0, True, peer, HERE, b""), b"", agent=1))
    assert chunks[0x0002] == (b"\x11" if transport == "udp" else b"\x06")
