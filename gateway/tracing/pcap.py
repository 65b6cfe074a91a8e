"""A trace as a pcap file: each message as one UDP datagram in one IP packet, with the addresses it had.

The classic format (draft-ietf-opsawg-pcap): magic 0xa1b2c3d4, times in microseconds, link type 101 (raw IPv4 or IPv6).
What went over TCP, TLS or a WebSocket is written as a datagram too: what was said is what is asked for.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from ipaddress import IPv4Address, ip_address

from gateway.tracing.messages import Seen

LINKTYPE_RAW = 101
SNAPLEN = 262144
_UDP = 17
_LARGEST = 65535 - 40 - 8


def pcap(messages: Iterable[Seen]) -> bytes:
    """The file."""
    parts = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, SNAPLEN, LINKTYPE_RAW)]
    for seen in messages:
        packet = _packet(seen)
        microseconds = round(seen.at * 1_000_000)
        parts.append(struct.pack("<IIII", *divmod(microseconds, 1_000_000), len(packet), len(packet)))
        parts.append(packet)
    return b"".join(parts)


def _packet(seen: Seen) -> bytes:
    source, target = (seen.here, seen.peer) if seen.sent else (seen.peer, seen.here)
    one, two = ip_address(source.host), ip_address(target.host)
    if one.version != two.version:
        # Ours is written as a wildcard of the other family: what counts is the peer.
        one, two = (two, two) if one.is_unspecified else (one, one)
    data = seen.data[:_LARGEST]
    size = 8 + len(data)
    pseudo = one.packed + two.packed + struct.pack(">IHBB" if one.version == 6 else ">HBB", *_pseudo(one.version, size))
    header = struct.pack(">HHHH", source.port, target.port, size, 0)
    checksum = _checksum(pseudo + header + data) or 0xFFFF
    udp = header[:6] + struct.pack(">H", checksum) + data
    if isinstance(one, IPv4Address):
        front = struct.pack(">BBHHHBBH", 0x45, 0, 20 + size, 0, 0, 64, _UDP, 0) + one.packed + two.packed
        return front[:10] + struct.pack(">H", _checksum(front)) + front[12:] + udp
    return struct.pack(">IHBB", 6 << 28, size, _UDP, 64) + one.packed + two.packed + udp


def _pseudo(version: int, size: int) -> tuple[int, ...]:
    return (size, 0, 0, _UDP) if version == 6 else (size, 0, _UDP)


def _checksum(data: bytes) -> int:
    """RFC 1071."""
    if len(data) % 2:
        data += b"\0"
    words: tuple[int, ...] = struct.unpack(f">{len(data) // 2}H", data)
    total = sum(words)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
