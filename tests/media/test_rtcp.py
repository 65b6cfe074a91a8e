"""Our reports read as RFC 3550 §6.4 lays them out, and only the time is taken from a party's."""

from __future__ import annotations

import random
from struct import pack, unpack

from media.receiver import Receiver
from media.rtcp import NTP_EPOCH, RECEIVER_REPORT, SDES, SENDER_REPORT, report, sender_time
from media.sender import Sender


def parts(compound: bytes) -> list[tuple[int, int, bytes]]:
    """(packet type, count, body) of each packet; the lengths must add up."""
    rows = []
    while compound:
        size = 4 + 4 * int.from_bytes(compound[2:4], "big")
        assert compound[0] >> 6 == 2
        assert len(compound) >= size
        rows.append((compound[1], compound[0] & 31, compound[4:size]))
        compound = compound[size:]
    return rows


def test_a_receiver_report_until_something_was_sent() -> None:
    (kind, count, body), (sdes, _, chunk) = parts(report(Sender(5, 0, 0), Receiver(), 0.0, 0.0))
    assert (kind, count, body) == (RECEIVER_REPORT, 0, pack(">I", 5))
    assert sdes == SDES
    assert chunk == pack(">IBB", 5, 1, 8) + b"00000005\0\0"


def test_a_sender_report_with_a_block() -> None:
    sender, receiver = Sender(5, 0, 1000), Receiver()
    sender.tone("tone", bytes(160), 10.0)
    for index in range(10):
        if index != 3:
            receiver.receive(9, index, index * 160, 160, 9 + 0.02 * index)
    receiver.report_ntp, receiver.report_at = 0xABCD1234, 9.5
    (kind, count, body), _ = parts(report(sender, receiver, 1700000000.25, 10.5))
    assert (kind, count) == (SENDER_REPORT, 1)
    fields = unpack(">IIIIII IIIIII", body)
    assert fields[:6] == (5, 1700000000 + NTP_EPOCH, 2**30, 1000 + 4000, 1, 160)
    assert fields[6:9] == (9, (256 // 10) << 24 | 1, 9)
    assert fields[10:] == (0xABCD1234, 65536)


def test_the_time_of_a_partys_report() -> None:
    told = pack(">BBHIIIIII", 0x80, SENDER_REPORT, 6, 77, 0x11112222, 0x33334444, 0, 0, 0)
    bye = pack(">BBHI", 0x81, 203, 1, 77)
    assert sender_time(told) == (77, 0x22223333)
    assert sender_time(told + bye) == (77, 0x22223333)
    assert sender_time(bye) is None
    for cut in range(1, len(told)):
        assert sender_time(told[:cut]) is None


def test_no_bytes_harm() -> None:
    chance = random.Random(6)
    for _ in range(3000):
        data = bytearray(chance.randbytes(chance.randrange(80)))
        data[:2] = bytes((0x81, chance.randrange(198, 208)))
        sender_time(bytes(data))
