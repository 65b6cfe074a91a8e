"""The file read back by a decoder of the test's own; checksums proven as a receiver does (RFC 1071)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import ip_address

import pytest

from gateway.sip.hop import Hop
from gateway.tracing.messages import Seen
from gateway.tracing.pcap import pcap
from tests.tracing.messages import CALL, INVITE


@dataclass
class Packet:
    at: float
    source: tuple[str, int]
    target: tuple[str, int]
    data: bytes


def summed(data: bytes) -> int:
    data += b"\0" * (len(data) % 2)
    total = sum(int.from_bytes(data[index : index + 2], "big") for index in range(0, len(data), 2))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def read(file: bytes) -> list[Packet]:
    assert file[:4] == b"\xd4\xc3\xb2\xa1"
    major, minor, zone, figures, _, link = struct.unpack("<HHiIII", file[4:24])
    assert (major, minor, zone, figures, link) == (2, 4, 0, 0, 101)
    at, found = 24, []
    while at < len(file):
        seconds, micro, kept, whole = struct.unpack("<IIII", file[at : at + 16])
        assert kept == whole
        found.append(packet(seconds + micro / 1e6, file[at + 16 : at + 16 + kept]))
        at += 16 + kept
    return found


def packet(at: float, ip: bytes) -> Packet:
    if ip[0] >> 4 == 4:
        assert summed(ip[:20]) == 0xFFFF
        assert (int.from_bytes(ip[2:4], "big"), ip[9]) == (len(ip), 17)
        one, two, udp = ip[12:16], ip[16:20], ip[20:]
        pseudo = one + two + bytes((0, 17)) + udp[4:6]
    else:
        assert (int.from_bytes(ip[4:6], "big"), ip[6]) == (len(ip) - 40, 17)
        one, two, udp = ip[8:24], ip[24:40], ip[40:]
        pseudo = one + two + b"\0\0" + udp[4:6] + bytes((0, 0, 0, 17))
    assert int.from_bytes(udp[4:6], "big") == len(udp)
    assert summed(pseudo + udp) == 0xFFFF
    source, target = struct.unpack(">HH", udp[:4])
    return Packet(at, (str(ip_address(one)), source), (str(ip_address(two)), target), udp[8:])


def test_messages_with_their_addresses_and_times() -> None:
    packets = read(pcap(seen for _, seen in CALL))
    assert packets[0] == Packet(1000.0, ("192.0.2.10", 5060), ("198.51.100.1", 5060), INVITE)
    assert (packets[1].source, packets[1].target) == (packets[0].target, packets[0].source)
    assert [(one.at, one.target) for one in packets[2:3]] == [(1000.5, ("192.0.2.20", 5080))]
    assert [one.data for one in packets] == [seen.data for _, seen in CALL]


def test_ipv6() -> None:
    seen = Seen(1.5, False, Hop("udp", "2001:db8::1", 5070), Hop("udp", "2001:db8::2", 5060), b"odd")
    assert read(pcap([seen])) == [Packet(1.5, ("2001:db8::1", 5070), ("2001:db8::2", 5060), b"odd")]


@pytest.mark.parametrize("size", [0, 1, 65000, 70000])
def test_sizes(size: int) -> None:
    (one,) = read(pcap([Seen(1.0, True, Hop("tcp", "192.0.2.1", 1), Hop("tcp", "192.0.2.2", 2), b"x" * size)]))
    assert one.data == b"x" * min(size, 65487)


def test_no_messages_are_a_file_too() -> None:
    assert read(pcap([])) == []
