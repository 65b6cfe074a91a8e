"""Packets cut anew: no sample more or less, timestamps right, pauses kept, losses seen, one packet time apart."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from gateway.lab.rtp import Arrival, Packet, StreamReport, check_stream
from media.control import CALLEE, CALLER, Connect
from media.repacking import Repacker
from media.rtp import HEADER
from media.sender import Sender
from media.session import Leg, pair

PTIMES = (10, 20, 30, 40, 50, 60)
Row = tuple[float, bytes]


def sound(start: int, size: int) -> bytes:
    """Samples that say where they belong: no two neighbouring packets are alike."""
    return bytes((at * 7 + at // 251) & 0xFF for at in range(start, start + size))


class Line:
    """Two legs; what the caller says at given times goes to the callee, timers and all."""

    def __init__(self, ptime: int, events: int | None = 101) -> None:
        self.legs = [Leg("s", side, 20000 + 2 * side, Sender(9, 65500, 2**32 - 9000)) for side in (CALLER, CALLEE)]
        pair(self.legs[0], self.legs[1])
        for leg in self.legs:
            told = Connect(session="s", leg=leg.side, host="192.0.2.1", port=4000, events=events, ptime=ptime)
            leg.connect(told, 0.0)
            leg.hear(True)
        self.sent: list[Row] = []

    def say(self, rows: list[Row], linger: float = 1.0) -> list[Row]:
        caller = self.legs[CALLER]
        for at, packet in rows:
            self._until(at)
            self._take(at, caller.receive(packet, at))
        self._until(rows[-1][0] + linger)
        return self.sent

    def _until(self, at: float) -> None:
        while (repacker := self.legs[CALLER].repacker) is not None and 0 <= repacker.deadline < at:
            due = max(repacker.deadline, self.sent[-1][0] if self.sent else 0.0)
            self._take(due, self.legs[CALLER].repacked(due))

    def _take(self, at: float, packet: bytes | None) -> None:
        if packet is not None:
            self.sent.append((at, packet))

    def judged(self) -> StreamReport:
        return check_stream([Arrival(at, ("192.0.2.9", 1), 2, packet) for at, packet in self.sent])


def spoken(ptime: int, seconds: float, *, start: float = 1.0, seq: int = 65530, stamp: int = 2**32 - 5000) -> list[Row]:
    """A party that sends ``ptime`` packets, across the wrap of its numbers and of its timestamp."""
    size = 8 * ptime
    return [
        (
            start + index * ptime / 1000,
            HEADER.pack(0x80, 8, (seq + index) & 0xFFFF, (stamp + index * size) & 0xFFFFFFFF, 7)
            + sound(index * size, size),
        )
        for index in range(round(seconds * 1000 / ptime))
    ]


def samples(rows: list[Row]) -> bytes:
    return b"".join(packet[12:] for _, packet in rows)


@pytest.mark.parametrize("wanted", PTIMES)
@pytest.mark.parametrize("sent", PTIMES)
def test_every_length_becomes_every_other(sent: int, wanted: int) -> None:
    line = Line(wanted)
    out = line.say(spoken(sent, 1.2))
    assert samples(out) == samples(spoken(sent, 1.2))
    assert line.judged().faults == ()
    assert {len(packet) - 12 for _, packet in out[:-1]} == {8 * wanted}
    apart = [later - before for (before, _), (later, _) in pairwise(out[:-1])]
    assert max(apart) <= max(sent, wanted) / 1000 + wanted / 1000 + 1e-9
    if sent > wanted:
        assert min(apart) >= 0.9 * wanted / 1000 - 1e-9, "in bursts"


def test_a_pause_is_a_pause_and_the_marker_follows_it() -> None:
    rows = spoken(20, 0.5)
    later = spoken(20, 0.5, start=4.5, seq=65530 + 25, stamp=2**32 - 5000 + 28000)
    line = Line(30)
    out = line.say(rows + later)
    assert samples(out) == samples(rows + later)
    packets = [Packet.parse(packet) for _, packet in out]
    marked = [packet for packet in packets if packet is not None and packet.marker]
    assert [(packet.timestamp - marked[0].timestamp) % 2**32 for packet in marked[1:]] == [28000]
    report = line.judged()
    assert (report.faults, report.lost) == ((), 0)
    assert [round(seconds, 1) for _, seconds in report.gaps if seconds > 0.2] == [2.9]


def test_the_rest_of_a_talkspurt_does_not_wait_for_the_next_one() -> None:
    line = Line(60)
    out = line.say(spoken(20, 0.1))
    assert [len(packet) - 12 for _, packet in out] == [480, 320]
    assert out[-1][0] == pytest.approx(1.08 + 0.1)


def test_a_loss_shows_as_a_loss_of_as_much() -> None:
    rows = spoken(20, 2.0)
    del rows[40:43]
    line = Line(30)
    out = line.say(rows)
    assert samples(out) == samples(rows)
    assert line.judged().faults == ()
    assert line.judged().lost == 2


def test_disorder_and_doubles_are_put_right() -> None:
    for seed in range(20):
        chance = random.Random(seed)
        rows = spoken(20, 2.0)
        late = [(at + chance.choice((0.0, 0.0, 0.0, 0.03)), packet) for at, packet in rows]
        late += [(at + 0.001, packet) for at, packet in rows if chance.random() < 0.1]
        late.sort(key=lambda row: row[0])
        if late[0][1] != rows[0][1]:
            continue
        line = Line(10)
        assert samples(line.say(late)) == samples(rows)
        assert line.judged().faults == ()


def test_an_event_passes_between_the_packets_of_the_sound() -> None:
    rows = spoken(20, 0.1)
    start = (2**32 - 5000 + 800) & 0xFFFFFFFF
    for index, end in enumerate((0, 0, 0, 0x80, 0x80, 0x80)):
        payload = bytes((5, end | 10)) + (160 * min(index + 1, 4)).to_bytes(2, "big")
        head = HEADER.pack(0x80, 101 | (0x80 if index == 0 else 0), (65535 + index) & 0xFFFF, start, 7)
        rows.append((1.1 + 0.02 * index, head + payload))
    rows += spoken(20, 0.2, start=1.24, seq=5, stamp=2**32 - 5000 + 1920)
    line = Line(30)
    out = line.say(rows)
    events = [packet for _, packet in out if packet[1] & 0x7F == 101]
    assert [packet[13] >> 7 for packet in events] == [0, 0, 0, 1, 1, 1]
    assert len({packet[4:8] for packet in events}) == 1
    heard = [row for row in out if row[1][1] & 0x7F == 8]
    assert samples(heard) == samples([row for row in rows if row[1][1] & 0x7F == 8])
    assert line.judged().faults == ()


def test_a_single_odd_packet_does_not_stay_in_the_way() -> None:
    rows = spoken(20, 1.0)
    short = 10
    head = rows[short][1]
    rows[short] = (rows[short][0], head[:12] + head[12:92])
    line = Line(20)
    out = line.say(rows)
    assert samples(out) == samples(rows)
    assert line.legs[CALLER].repacker is None
    assert line.legs[CALLER].straight == 8
    assert line.judged().lost == 0


def test_what_waits_is_bounded() -> None:
    repacker = Repacker(80, None, 0, 0)
    left = 0
    for index in range(1000):
        repacker.put(8, index, index * 480, bytes(480), 1.0)
        while repacker.deadline >= 0 and repacker.deadline <= 1.0 and repacker.next(1.0) is not None:
            left += 1
    assert 6000 - left <= 13
