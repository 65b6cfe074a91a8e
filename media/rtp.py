"""RTP packets (RFC 3550 §5.1): what a relay must know of one, and the header that we write.

 0                   1                   2                   3
|V=2|P|X|  CC   |M|     PT      |       sequence number         |
|                           timestamp                           |
|           synchronization source (SSRC) identifier            |
then CC contributing sources, and an extension of (u16 profile, u16 words) when X; the last octet counts the padding
when P
"""

from __future__ import annotations

from struct import Struct

HEADER = Struct(">BBHII")
SIZE = HEADER.size
RATE = 8000


def payload_of(data: bytes) -> bytes | None:
    """The payload of a packet with or without CSRCs, extension and padding; None when the packet is malformed."""
    if len(data) < SIZE or data[0] & 0xC0 != 0x80:
        return None
    start, end = SIZE + 4 * (data[0] & 0x0F), len(data)
    if data[0] & 0x10:
        if end < start + 4:
            return None
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4], "big")
    if data[0] & 0x20:
        padding = data[-1]
        if padding == 0:
            return None
        end -= padding
    return data[start:end] if start <= end else None


def signed16(difference: int) -> int:
    """A difference of sequence numbers, -32768..32767."""
    return ((difference + 0x8000) & 0xFFFF) - 0x8000


def signed32(difference: int) -> int:
    """A difference of timestamps."""
    return ((difference + 0x80000000) & 0xFFFFFFFF) - 0x80000000
