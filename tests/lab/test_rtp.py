from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from gateway.lab.rtp import DRIFT, Arrival, Packet, Sender, check_stream

AUDIO = b"\xd5" * 160


def stream(sender: Sender, ticks: int, *, events: int | None = 101) -> list[Arrival]:
    arrivals: list[Arrival] = []
    for tick in range(ticks):
        arrivals += [arrival(data, tick * 0.02) for data in sender.tick(8, AUDIO, 160, events)]
    return arrivals


def arrival(data: bytes, at: float) -> Arrival:
    return Arrival(at, ("192.0.2.1", 4000), 5000, data)


def packet(sequence: int, timestamp: int, *, at: float | None = None, ssrc: int = 7, marker: bool = False) -> Arrival:
    data = bytes(Packet(8, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc, marker, AUDIO))
    return arrival(data, timestamp / 8000 if at is None else at)


def test_packets_are_written_and_read() -> None:
    one = Packet(101, 65535, 4294967295, 1, True, b"abcd")
    assert Packet.parse(bytes(one)) == one


def test_padding_extension_and_contributors_are_taken_off() -> None:
    head = bytes([0x80 | 0x20 | 0x10 | 1, 8, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3]) + b"csrc" + b"\0\0\0\1ext!"
    read = Packet.parse(head + b"audio" + b"\0\0\3")
    assert read is not None
    assert read.payload == b"audio"


@pytest.mark.parametrize("data", [b"", b"\x80" * 11, b"\x40" + bytes(11), b"\x8f" + bytes(11), b"\x90" + bytes(12)])
def test_what_is_no_packet(data: bytes) -> None:
    assert Packet.parse(data) is None


def test_our_own_stream_pleases_the_strict_listener() -> None:
    report = check_stream(stream(Sender(Random(1)), 200))
    assert (report.packets, report.lost, report.duplicates, report.faults) == (200, 0, 0, ())
    assert len(report.ssrcs) == 1


def test_digits_pauses_and_wraps_please_it_too() -> None:
    for seed in range(30):
        sender = Sender(Random(seed))
        arrivals = stream(sender, 10)
        sender.dial("12#")
        arrivals += [arrival(a.data, a.at + 0.2) for a in stream(sender, 40)]
        for _ in range(50):
            sender.skip(160)
        arrivals += [arrival(a.data, a.at + 2.0) for a in stream(sender, 10)]
        assert check_stream(arrivals).faults == ()


def test_a_digit_is_sent_as_the_rfc_says() -> None:
    sender = Sender(Random(1))
    sender.dial("5")
    packets = [Packet.parse(item.data) for item in stream(sender, 8)]
    events = [item for item in packets if item and item.payload_type == 101]
    assert [item.marker for item in events] == [True] + [False] * 6
    assert len({item.timestamp for item in events}) == 1
    assert [item.payload.hex() for item in events] == [
        "050a00a0", "050a0140", "050a01e0", "050a0280", "058a0320", "058a0320", "058a0320",
    ]  # fmt: skip


def test_without_an_event_number_digits_wait() -> None:
    sender = Sender(Random(1))
    sender.dial("5")
    assert all(item.data[1] & 0x7F == 8 for item in stream(sender, 8, events=None))


STEADY = [packet(number, number * 160) for number in range(20)]


@pytest.mark.parametrize(
    ("arrivals", "fault"),
    [
        ([*STEADY[:10], packet(10, 1600, ssrc=8)], "2 SSRCs"),
        ([*STEADY[:10], packet(10, 1700)], "packet 10: the timestamp grew by 260"),
        ([*STEADY[:10], packet(10, 1400, at=0.2)], "packet 10: the timestamp fell by 40"),
        ([*STEADY[:10], packet(10, 1440, at=0.2)], "packet 10: the timestamp grew by 0"),
        ([*STEADY[:10], packet(9 - 100, 1600)], "sequence number 65445 is 100 behind"),
        ([*STEADY[:10], arrival(b"hello", 0.2)], "no RTP at 0.200"),
        ([*STEADY[:10], packet(10, 16000, at=0.2, marker=True)], "the timestamp runs +1.800 s"),
        ([*STEADY[:10], packet(10, 1600, at=1.0)], "the timestamp runs -0.800 s"),
    ],
)
def test_faults(arrivals: list[Arrival], fault: str) -> None:
    assert any(text.startswith(fault) for text in check_stream(arrivals).faults)


def real(
    seconds: float,
    *,
    pace: float = 1.0,
    jump: float = 0.0,
    marked: bool = False,
    stalls: Sequence[tuple[float, float]] = (),
) -> list[str]:
    """What is said of so many seconds in real time of a stream whose timestamp is fast or slow, or leaps at half time,
    ``marked``: where a talkspurt begins. What is due during a stall, (from, until), comes at its end."""
    arrivals = []
    for number in range(round(seconds * 50)):
        at = number * 0.02
        timestamp = round(at * pace * 50) * 160 + (round(jump * 8000) if at >= seconds / 2 else 0)
        late = next((until for begun, until in stalls if begun <= at < until), at)
        arrivals.append(packet(number, timestamp, at=late, marker=marked and number == round(seconds * 25)))
    return [fault for fault in check_stream(arrivals, stall=2.0).faults if "clock" in fault]


@pytest.mark.parametrize(
    "stalls",
    [
        *([(at, at + 1.9)] for at in (0.0, 0.02, 1.0, 1.98, 2.0, 2.02, 5.0, 9.0)),
        [(9.0, 11.0)],
        [(0.0, 1.5), (2.5, 4.0), (4.1, 5.6), (6.5, 8.4)],
    ],
)
def test_what_is_late_for_a_while_in_real_time_is_no_fault(stalls: list[tuple[float, float]]) -> None:
    assert real(10.0, stalls=stalls) == []


@pytest.mark.parametrize("stalls", [[], [(1.0, 2.9)], [(5.0, 6.9)], [(0.0, 1.9), (8.1, 10.0)]])
@pytest.mark.parametrize(
    ("more", "sign"),
    [
        ({"pace": 1.1}, "+"),
        ({"pace": 0.9}, "-"),
        ({"jump": 0.8}, "+"),
        ({"jump": -0.8}, "-"),
        ({"jump": 3.0, "marked": True}, "+"),
        ({"jump": -3.0, "marked": True}, "-"),
    ],
)
def test_a_drift_that_stays_is_one_in_real_time_too(
    stalls: list[tuple[float, float]], more: dict[str, Any], sign: str
) -> None:
    (fault,) = real(10.0, stalls=stalls, **more)
    assert fault.startswith(f"the timestamp runs {sign}")


@pytest.mark.parametrize("late", [0.4, 1.9])
def test_a_talkspurt_that_began_late_is_no_drift_in_real_time(late: float) -> None:
    assert real(10.0, jump=late, marked=True) == real(10.0, jump=-late, marked=True) == []
    assert real(10.0, jump=late, marked=False) != []


def test_loss_doubling_and_disorder_are_counted_but_no_faults() -> None:
    mixed = [STEADY[0], STEADY[2], STEADY[1], STEADY[1], STEADY[5], STEADY[6]]
    report = check_stream(mixed)
    assert (report.packets, report.lost, report.duplicates, report.faults) == (5, 2, 1, ())
    assert DRIFT > 0
