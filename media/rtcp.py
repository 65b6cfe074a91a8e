"""RTCP (RFC 3550 §6): reports of our own on each leg. A party's are never forwarded: its CNAME names it."""

from __future__ import annotations

from struct import Struct

from media.receiver import Receiver
from media.sender import Sender

_SR = Struct(">BBHIIIIII")
_RR = Struct(">BBHI")
_BLOCK = Struct(">IIIIII")
NTP_EPOCH = 2208988800


def is_rtcp(data: bytes) -> bool:
    """Whether a datagram starts like RTCP (§A.2): version 2, a packet type of 200 to 207."""
    return len(data) >= 8 and data[0] & 0xC0 == 0x80 and 200 <= data[1] <= 207


def report(sender: Sender, receiver: Receiver, wall: float) -> bytes:
    """A compound packet: SR (RR when nothing was sent) with a block on the receiver, and SDES with a neutral CNAME."""
    block = b""
    if receiver.received:
        lost = min(receiver.lost, 0x7FFFFF)
        fraction = min(255, 256 * lost // max(1, lost + receiver.received))
        block = _BLOCK.pack(
            receiver.ssrc, fraction << 24 | lost, receiver.highest, int(receiver.jitter) & 0xFFFFFFFF, 0, 0
        )
    count = 1 if block else 0
    if sender.packets:
        seconds = int(wall) + NTP_EPOCH
        fraction32 = int((wall % 1) * 2**32)
        head = _SR.pack(
            0x80 | count, 200, 6 + len(block) // 4, sender.ssrc, seconds & 0xFFFFFFFF, fraction32, sender.stamp,
            sender.packets & 0xFFFFFFFF, sender.octets & 0xFFFFFFFF,
        )  # fmt: skip
    else:
        head = _RR.pack(0x80 | count, 201, 1 + len(block) // 4, sender.ssrc)
    return head + block + _sdes(sender.ssrc)


def _sdes(ssrc: int) -> bytes:
    name = f"{ssrc:08x}".encode()
    chunk = ssrc.to_bytes(4, "big") + bytes((1, len(name))) + name
    chunk += b"\0" * (4 - len(chunk) % 4)
    return bytes((0x81, 202)) + (len(chunk) // 4).to_bytes(2, "big") + chunk
