"""Our reports read as RFC 3550 §6.4 lays them out, and of a party's its time and its block on our stream are taken."""

from __future__ import annotations

import random
from struct import pack, unpack

from media.receiver import Receiver
from media.rtcp import NTP_EPOCH, RECEIVER_REPORT, SDES, SENDER_REPORT, Block, Told, middle, read, report
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


def sender_report(*blocks: bytes, ssrc: int = 77) -> bytes:
    head = pack(">BBHI", 0x80 | len(blocks), SENDER_REPORT, 6 + 6 * len(blocks), ssrc)
    return head + pack(">IIIII", 0x11112222, 0x33334444, 0, 0, 0) + b"".join(blocks)


def block(ssrc: int, *, fraction: int = 0, jitter: int = 0, last: int = 0, delay: int = 0) -> bytes:
    return pack(">IIIIII", ssrc, fraction << 24, 0, jitter, last, delay)


BYE = pack(">BBHI", 0x81, 203, 1, 77)


def test_the_time_of_a_partys_report() -> None:
    told = sender_report()
    assert read(told, 5) == Told(77, 0x22223333, None)
    assert read(told + BYE, 5) == Told(77, 0x22223333, None)
    assert read(BYE, 5) == Told(-1, 0, None)
    for cut in range(1, len(told)):
        assert read(told[:cut], 5) is None


def test_what_a_party_says_of_our_stream_and_of_no_other() -> None:
    told = sender_report(block(4, fraction=9), block(5, fraction=64, jitter=80, last=7, delay=8), block(6))
    assert read(told, 5) == Told(77, 0x22223333, Block(64, 80, 7, 8))
    receiver = pack(">BBHI", 0x81, RECEIVER_REPORT, 7, 77) + block(5, fraction=3)
    assert read(receiver + BYE, 5) == Told(-1, 0, Block(3, 0, 0, 0))
    assert read(receiver, 6) == Told(-1, 0, None)


def test_blocks_that_are_not_there_are_not_read() -> None:
    lying = bytearray(sender_report(block(5)))
    lying[0] = 0x80 | 31
    assert read(bytes(lying), 5) is None


def test_the_middle_of_ntp_time() -> None:
    assert middle(0.5) == (NTP_EPOCH << 16 & 0xFFFFFFFF) + 0x8000


def test_no_bytes_harm() -> None:
    chance = random.Random(6)
    for _ in range(3000):
        data = bytearray(chance.randbytes(chance.randrange(80)))
        data[:2] = bytes((0x81, chance.randrange(198, 208)))
        read(bytes(data), 5)
