"""RTCP (RFC 3550 §6): reports of our own on each leg. A party's are read, never forwarded: its CNAME names it.

Of what a party sends two things count: the time of its sender report, so that it can measure the round trip from ours
(LSR and DLSR, §6.4.1), and its reception report on our stream. SDES, BYE, APP, XR and what is unknown is walked over;
the end of a call is SIP's to say.
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from media.receiver import Receiver
from media.sender import Sender

NTP_EPOCH = 2208988800
SENDER_REPORT = 200
RECEIVER_REPORT = 201
SDES = 202

_SR = Struct(">BBHIIIIII")
_RR = Struct(">BBHI")
_BLOCK = Struct(">IIIIII")


class Block(NamedTuple):
    """A reception report on our stream (§6.4.1): lost since the last one in 256ths, jitter in samples, LSR and DLSR."""

    fraction: int
    jitter: int
    last_report: int
    delay: int


class Told(NamedTuple):
    """``ssrc`` (-1: no sender report) and ``sent``, the middle 32 bits of its NTP time; ``block`` on our stream."""

    ssrc: int
    sent: int
    block: Block | None


def read(data: bytes, ours: int) -> Told | None:
    """What a compound packet tells the sender of the stream ``ours``. None when its lengths do not add up (§A.2)."""
    position, ssrc, sent, block = 0, -1, 0, None
    while position < len(data):
        if len(data) - position < 4 or data[position] & 0xC0 != 0x80:
            return None
        size = 4 + 4 * int.from_bytes(data[position + 2 : position + 4], "big")
        kind, count = data[position + 1], data[position] & 31
        if position + size > len(data):
            return None
        blocks = {SENDER_REPORT: 28, RECEIVER_REPORT: 8}.get(kind, 0)
        if blocks:
            if size < blocks + 24 * count:
                return None
            if kind == SENDER_REPORT:
                ssrc = int.from_bytes(data[position + 4 : position + 8], "big")
                sent = int.from_bytes(data[position + 10 : position + 14], "big")
            for start in range(position + blocks, position + blocks + 24 * count, 24):
                source, lost, _, jitter, last_report, delay = _BLOCK.unpack_from(data, start)
                if source == ours:
                    block = Block(lost >> 24, jitter, last_report, delay)
        position += size
    return Told(ssrc, sent, block)


def middle(wall: float) -> int:
    """The middle 32 bits of the NTP time of an epoch time."""
    return int((wall + NTP_EPOCH) * 65536) & 0xFFFFFFFF


def report(sender: Sender, receiver: Receiver, wall: float, now: float) -> bytes:
    """A compound packet: SR (RR when nothing was sent) with a block on the receiver, and SDES with a neutral CNAME."""
    block = _block(receiver, now) if receiver.received else b""
    count = 1 if block else 0
    if sender.packets:
        seconds = int(wall) + NTP_EPOCH
        head = _SR.pack(
            0x80 | count, SENDER_REPORT, 6 + len(block) // 4, sender.ssrc, seconds & 0xFFFFFFFF,
            int((wall % 1) * 2**32), sender.stamp_at(now), sender.packets & 0xFFFFFFFF, sender.octets & 0xFFFFFFFF,
        )  # fmt: skip
    else:
        head = _RR.pack(0x80 | count, RECEIVER_REPORT, 1 + len(block) // 4, sender.ssrc)
    return head + block + _sdes(sender.ssrc)


def _block(receiver: Receiver, now: float) -> bytes:
    lost = min(receiver.lost, 0x7FFFFF)
    since = round((now - receiver.report_at) * 65536) & 0xFFFFFFFF if receiver.report_ntp else 0
    return _BLOCK.pack(
        receiver.ssrc, receiver.fraction_lost() << 24 | lost, receiver.extended, int(receiver.jitter) & 0xFFFFFFFF,
        receiver.report_ntp, since,
    )  # fmt: skip


def _sdes(ssrc: int) -> bytes:
    name = f"{ssrc:08x}".encode()
    chunk = ssrc.to_bytes(4, "big") + bytes((1, len(name))) + name
    chunk += b"\0" * (4 - len(chunk) % 4)
    return bytes((0x81, SDES)) + (len(chunk) // 4).to_bytes(2, "big") + chunk
