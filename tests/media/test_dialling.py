"""Digits of ours: telephone-events that a strict reader takes, and tones that a strict detector hears."""

from __future__ import annotations

import pytest

from gateway.lab.rtp import Arrival, Packet, check_stream
from media import control
from media.control import CALLEE, CALLER
from media.dialling import dtmf
from media.dtmf import Detector
from media.telephone_event import DigitReader
from tests.media.test_room import A, Bench, rtp

ALL = "0123456789*#ABCD"


def dialled(bench: Bench, digits: str, seconds: float) -> list[Arrival]:
    sent = [(bench.now, packet) for packet in bench.do(control.SendDigits("s", CALLER, "dial", digits))]
    sent += bench.run(seconds)
    return [Arrival(at, ("10.0.0.1", 1), 1, packet.data) for at, packet in sent if packet.port == bench.ports[CALLER]]


def read(arrivals: list[Arrival], kind: int) -> str:
    reader, found = DigitReader(), ""
    for arrival in arrivals:
        packet = Packet.parse(arrival.data)
        if packet is not None and packet.payload_type == kind:
            found += reader.receive(packet.timestamp, packet.payload)
    return found


@pytest.mark.parametrize("ptime", [10, 20, 30, 60])
def test_every_key_as_an_event_with_the_party_s_payload_type(ptime: int) -> None:
    bench = Bench()
    bench.open()
    bench.do(control.Connect(session="s", leg=CALLER, host=A[0], port=A[1], events=97, ptime=ptime))
    arrivals = dialled(bench, ALL, 10.0)
    assert read(arrivals, 97) == ALL
    report = check_stream(arrivals, events=97)
    assert (report.faults, report.lost) == ((), 0)
    (played,) = [one for one in bench.reports if isinstance(one, control.Played)]
    assert (played.play, played.completed) == ("dial", True)
    packets = [packet for arrival in arrivals if (packet := Packet.parse(arrival.data))]
    first = [packet for packet in packets if packet.timestamp == packets[0].timestamp]
    assert [packet.marker for packet in first] == [True] + [False] * (len(first) - 1)
    assert [packet.payload[1] >> 7 for packet in first][-3:] == [1, 1, 1]
    assert sum(packet.payload[1] >> 7 for packet in first) == 3
    durations = [int.from_bytes(packet.payload[2:4], "big") for packet in first]
    assert durations[:-2] == [8 * ptime * (index + 1) for index in range(len(first) - 2)]
    assert durations[-3:] == [durations[-1]] * 3
    assert durations[-1] >= 800


def test_what_is_heard_before_and_after_is_the_same_stream() -> None:
    bench = Bench()
    bench.open()
    bench.do(control.Relay("s", True, True))
    arrivals = []
    for index in range(60):
        if index == 20:
            arrivals += dialled(bench, "7", 0.0)
        arrivals += [
            Arrival(bench.now, ("10.0.0.1", 1), 1, packet.data)
            for packet in bench.hear(CALLEE, rtp(index, 160 * index))
        ]
        arrivals += [
            Arrival(at, ("10.0.0.1", 1), 1, packet.data) for at, packet in bench.run(0.02) if packet.port % 2 == 0
        ]
    report = check_stream(arrivals)
    assert (report.faults, report.lost) == ((), 0)
    assert read(arrivals, 101) == "7"


def test_a_party_that_takes_no_events_hears_tones() -> None:
    bench = Bench()
    bench.open(events=(None, 96))
    arrivals = dialled(bench, ALL, 10.0)
    detector, found = Detector(), ""
    for arrival in arrivals:
        packet = Packet.parse(arrival.data)
        assert packet is not None
        found += detector.receive(packet.timestamp, packet.payload, packet.payload_type)
    assert found == ALL


@pytest.mark.parametrize("digits", ["", "5x", "1" * 65, "e"])
def test_what_is_no_key_is_not_dialled(digits: str) -> None:
    bench = Bench()
    bench.open()
    assert dialled(bench, digits, 1.0) == []
    (played,) = [one for one in bench.reports if isinstance(one, control.Played)]
    assert (played.completed, played.error) == (False, "no such digits")


def test_a_tone_replaces_digits_and_digits_a_tone() -> None:
    bench = Bench()
    bench.open()
    bench.do(control.Play("s", CALLER, "tone", ("a",), loop=True))
    bench.run(0.1)
    dialled(bench, "1", 0.03)
    bench.do(control.Stop("s", CALLER, "dial"))
    assert [one.play for one in bench.reports if isinstance(one, control.Played)] == ["tone", "dial"]


def test_each_key_sounds_as_long_as_q24_asks() -> None:
    assert len(dtmf("12")) == 2 * 1600


@pytest.mark.parametrize("events", [(101, 96), (None, 96)])
def test_more_digits_follow_the_first_ones(events: tuple[int | None, int | None]) -> None:
    bench = Bench()
    bench.open(events=events)
    bench.do(control.SendDigits("s", CALLER, "dial", "12"))
    bench.run(0.15)
    arrivals = dialled(bench, "34", 3.0)
    if events[CALLER] is not None:
        assert read(arrivals, 101) == "234"
    (played,) = [one for one in bench.reports if isinstance(one, control.Played)]
    assert played.completed
    assert played.ended - played.started == pytest.approx(0.8, abs=0.05)


def test_events_for_a_party_that_takes_none_are_heard_as_tones() -> None:
    bench = Bench()
    bench.open(events=(101, None))
    bench.do(control.Relay("s", True, True))
    heard = []
    for index, end in enumerate((0, 0, 0x80, 0x80, 0x80)):
        bench.hear(CALLER, rtp(index, 8000, bytes((11, end | 10)) + (160 * index).to_bytes(2, "big"), kind=101))
        heard += bench.run(0.02)
    heard += bench.run(1.0)
    detector, found = Detector(), ""
    for _, packet in heard:
        if packet.port == bench.ports[CALLEE]:
            one = Packet.parse(packet.data)
            assert one is not None
            found += detector.receive(one.timestamp, one.payload, 8)
    assert found == "#"
