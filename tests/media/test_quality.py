"""What is told of each leg: quality every 5 s with what RTCP says, and who is never heard."""

from __future__ import annotations

from struct import pack

import pytest

from media import control
from media.control import CALLEE, CALLER, Quality, Unheard
from media.outputs import SendPacket
from media.quality import mos
from media.rtcp import NTP_EPOCH
from tests.media.test_room import STRANGER, A, B, Bench, rtp

WALL = 1_700_000_000.0


class Timed(Bench):
    """Its wall clock runs with the machine's."""

    def __init__(self) -> None:
        super().__init__()
        self.room._wall = lambda: WALL + self.now

    def talk(self, leg: int, packets: int, *, every: int = 0, start: int = 0) -> None:
        """A packet each 20 ms, but for one in ``every``."""
        for index in range(start, start + packets):
            self.run(0.02)
            if not every or index % every:
                self.hear(leg, rtp(index, 160 * index))

    def qualities(self) -> list[Quality]:
        return [report for report in self.reports if isinstance(report, Quality)]


def test_the_score_of_good_and_bad_lines() -> None:
    assert mos(0.0, 0.0, 0.0) == pytest.approx(4.40, abs=0.01)
    assert mos(0.02, 0.0, 0.0) == pytest.approx(4.24, abs=0.02)
    assert mos(0.0, 0.0, 0.6) < mos(0.0, 0.0, 0.3) < mos(0.0, 0.0, 0.1)
    assert mos(0.0, 0.08, 0.0) == pytest.approx(4.30, abs=0.01)
    assert 1.0 <= mos(1.0, 1.0, 9.0) < 1.2
    scores = [mos(lost / 100, 0.0, 0.0) for lost in range(101)]
    assert scores == sorted(scores, reverse=True)


def test_loss_is_told_of_the_interval_in_which_it_was() -> None:
    bench = Timed()
    bench.open()
    bench.talk(CALLER, 255, every=10)
    bench.talk(CALLER, 250, start=255)
    first, second = bench.qualities()[:2]
    assert first.caller.lost / (first.caller.lost + first.caller.received) == pytest.approx(0.1, abs=0.01)
    assert second.caller.lost <= 1
    assert first.caller.mos < 3.7 < 4.3 < second.caller.mos
    assert (first.callee.received, first.callee.mos, first.caller.round_trip) == (0, 0.0, -1.0)


@pytest.mark.parametrize("mux", [False, True])
def test_round_trip_and_what_the_party_hears_come_from_its_reports(mux: bool) -> None:
    bench = Timed()
    bench.open()
    if mux:
        bench.do(control.Connect(session="s", leg=CALLER, host=A[0], port=A[1], events=101, rtcp_mux=True))
    bench.do(control.Relay("s", True, True))
    sent: list[tuple[float, SendPacket]] = []
    for index in range(600):
        sent += bench.run(0.02)
        bench.hear(CALLER, rtp(index, 160 * index))
        bench.hear(CALLEE, rtp(index, 160 * index))
        for at, ours in [one for one in sent if one[1].target == (A if mux else (A[0], A[1] + 1))]:
            if ours.data[1] not in (200, 201):
                continue
            if bench.now >= at + 0.25:
                # It came there after 0.1 s, lay there for 0.05 s, and its report was under way for 0.1 s.
                last = int.from_bytes(ours.data[10:14], "big")
                ssrc = int.from_bytes(ours.data[4:8], "big")
                told = pack(">BBHI IIIIII", 0x81, 201, 7, 7, ssrc, 26 << 24, 0, 160, last, round(0.05 * 65536))
                port = bench.ports[CALLER] + (0 if mux else 1)
                bench.take(bench.room.receive(port, told, A if mux else (A[0], A[1] + 1), bench.now))
                sent.clear()
                break
    heard = [quality.caller for quality in bench.qualities() if quality.caller.far_lost >= 0]
    assert heard
    assert heard[0].round_trip == pytest.approx(0.2, abs=0.025)
    assert heard[0].far_lost == pytest.approx(26 / 256)
    assert heard[0].far_jitter == pytest.approx(0.02)
    assert heard[0].far_mos < 3.7 < heard[0].mos
    assert all(quality.callee.far_lost < 0 for quality in bench.qualities())
    assert bench.room.legs[bench.ports[CALLER]].malformed == 0


@pytest.mark.parametrize("delay", [0, 65536 * 3600, 2**32 - 1])
def test_a_clock_that_lies_is_not_believed(delay: int) -> None:
    bench = Timed()
    bench.open()
    leg = bench.room.legs[bench.ports[CALLER]]
    last = int((WALL + NTP_EPOCH + bench.now - 900) * 65536) & 0xFFFFFFFF
    told = pack(">BBHI IIIIII", 0x81, 201, 7, 7, leg.sender.ssrc, 0, 0, 0, last, delay)
    bench.room.receive(bench.ports[CALLER] + 1, told, (A[0], 9), bench.now)
    bench.talk(CALLER, 260)
    round_trip = bench.qualities()[0].caller.round_trip
    assert round_trip in (-1.0, 0.0)


def test_the_last_part_of_an_interval_is_told_at_the_end() -> None:
    bench = Timed()
    bench.open()
    bench.talk(CALLER, 350)
    bench.do(control.Close("s"))
    first, last = (quality.caller.received for quality in bench.qualities())
    assert first + last == 350
    assert 249 <= first <= 251
    assert isinstance(bench.reports[-1], control.Closed)


def test_a_party_that_is_never_heard_is_named_with_who_was_refused() -> None:
    bench = Timed()
    bench.open()
    bench.do(control.Watch("s", 30.0))
    for index in range(200):
        bench.run(0.02)
        bench.hear(CALLER, rtp(index, 160 * index))
        bench.hear(CALLEE, rtp(index, 160 * index), STRANGER)
    (told,) = [report for report in bench.reports if isinstance(report, Unheard)]
    assert (told.leg, told.seconds, told.host, told.port) == (CALLEE, 3.0, *B)
    assert (told.source, told.source_port) == STRANGER
    assert told.refused > 100


def test_who_holds_is_not_expected_to_be_heard() -> None:
    bench = Timed()
    bench.open()
    bench.do(control.Connect(session="s", leg=CALLEE, host=B[0], port=B[1], sends=False))
    bench.do(control.Watch("s", 30.0))
    bench.talk(CALLER, 250)
    assert not [report for report in bench.reports if isinstance(report, Unheard)]
