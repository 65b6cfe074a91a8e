"""A worker's sessions in virtual time: relay, tones, latch, hold, digits, ports."""

from __future__ import annotations

import random
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest

from media import control
from media.control import CALLEE, CALLER
from media.g711 import ALAW_TO_ULAW, ULAW_TO_ALAW
from media.outputs import OpenPorts, Output, Reply, SendPacket
from media.ports import PortPool
from media.room import Room
from media.rtp import HEADER

A = ("192.0.2.1", 4000)
B = ("192.0.2.2", 5000)
STRANGER = ("203.0.113.9", 4000)


class Tape:
    error = ""
    kept = True

    def __init__(self) -> None:
        self.packets: list[tuple[int, bytes]] = []

    def append(self, leg: int, now: float, packet: bytes) -> None:
        self.packets.append((leg, packet))

    def close(self, on_closed: Any = None, *, now: float | None = None) -> None:
        pass


class Bench:
    def __init__(self, seed: int = 1, rest: float = 30.0, pairs: int = 4) -> None:
        self.tape = Tape()
        self.room = Room(
            PortPool(20000, 20000 + 2 * pairs - 1, rest),
            random.Random(seed).getrandbits,
            lambda path: {"a": b"\x11" * 400, "b": b"\x22" * 160}[path],
            self.open_spool,
        )
        self.now = 10.0
        self.reports: list[control.Report] = []

    def open_spool(self, path: str, header: Mapping[str, Any], data_key: bytes, kept_key: bytes) -> Tape:
        return self.tape

    def do(self, command: control.Command) -> list[SendPacket]:
        return self.take(self.room.command(command, self.now))

    def take(self, outputs: list[Output]) -> list[SendPacket]:
        sent: list[SendPacket] = []
        for output in outputs:
            match output:
                case Reply(report):
                    self.reports.append(report)
                case OpenPorts():
                    sent += self.take(self.room.ports_opened(output, "", self.now))
                case SendPacket():
                    sent.append(output)
        return sent

    def open(self, *, a_codec: int = 8, b_codec: int = 8, events: tuple[int | None, int | None] = (101, 96)) -> None:
        self.do(control.Open("s"))
        opened = self.reports[-1]
        assert isinstance(opened, control.Opened)
        self.ports = (opened.caller_port, opened.callee_port)
        for leg, (host, port), codec in ((CALLER, A, a_codec), (CALLEE, B, b_codec)):
            self.do(control.Connect(session="s", leg=leg, host=host, port=port, codec=codec, events=events[leg]))

    def hear(self, leg: int, packet: bytes, source: tuple[str, int] | None = None) -> list[SendPacket]:
        return self.take(self.room.receive(self.ports[leg], packet, source or (A, B)[leg], self.now))

    def run(self, seconds: float) -> list[tuple[float, SendPacket]]:
        end, sent = self.now + seconds, []
        while (due := self.room.deadline) is not None and due <= end:
            self.now = max(self.now, due)
            sent += [(self.now, packet) for packet in self.take(self.room.handle_timeout(self.now))]
        self.now = end
        return sent


def rtp(seq: int, stamp: int, payload: bytes = b"\xd5" * 160, kind: int = 8, ssrc: int = 7) -> bytes:
    return HEADER.pack(0x80, kind, seq & 0xFFFF, stamp & 0xFFFFFFFF, ssrc) + payload


def parts(packet: bytes) -> tuple[int, int, int, int, bytes]:
    _, second, seq, stamp, ssrc = HEADER.unpack_from(packet)
    return second, seq, stamp, ssrc, packet[12:]


def test_one_stream_whatever_its_source() -> None:
    """One SSRC, no break in the sequence, a timestamp that runs with the clock, a marker at each change (P5)."""
    bench = Bench()
    bench.open()
    bench.do(control.Play("s", CALLER, "tone", ("a",), loop=True))
    sent = bench.run(0.5)
    bench.do(control.Stop("s", CALLER))
    bench.do(control.Relay("s", True, True))
    for index in range(20):
        sent += [(bench.now, packet) for packet in bench.hear(CALLEE, rtp(60000 + index, 4_294_967_000 + 160 * index))]
        bench.now += 0.02
    bench.do(control.Play("s", CALLER, "tone", ("b",)))
    sent += bench.run(0.1)
    sent += [(bench.now, packet) for packet in bench.hear(CALLEE, rtp(30, 99, ssrc=8))]
    rows = [(at, *parts(packet.data)) for at, packet in sent if packet.port % 2 == 0]
    assert len({row[4] for row in rows}) == 1
    sequences = [row[2] for row in rows]
    assert all((later - earlier) & 0xFFFF == 1 for earlier, later in pairwise(sequences))
    for earlier, later in pairwise(rows):
        assert abs(((later[3] - earlier[3]) & 0xFFFFFFFF) - round((later[0] - earlier[0]) * 8000)) <= 160
    assert [bool(row[1] & 0x80) for row in rows].count(True) == 4


def test_loss_stays_loss_and_late_packets_keep_their_place() -> None:
    bench = Bench()
    bench.open()
    bench.do(control.Relay("s", True, True))
    order = [1, 2, 4, 3, 7, 8]
    out = []
    for number in order:
        bench.now += 0.02
        out += [parts(packet.data)[1] for packet in bench.hear(CALLER, rtp(number, number * 160))]
    assert [(seq - out[0] + 1) & 0xFFFF for seq in out] == order
    assert bench.room.legs[bench.ports[CALLER]].receiver.lost == 2


def test_g711_is_converted_where_the_legs_differ() -> None:
    bench = Bench()
    bench.open(b_codec=0)
    bench.do(control.Relay("s", True, True))
    voice = bytes(range(160))
    (to_b,) = bench.hear(CALLER, rtp(1, 0, voice))
    assert parts(to_b.data)[0] & 0x7F == 0
    assert parts(to_b.data)[4] == voice.translate(ALAW_TO_ULAW)
    (to_a,) = bench.hear(CALLEE, rtp(1, 0, voice, kind=0))
    assert parts(to_a.data)[4] == voice.translate(ULAW_TO_ALAW)


def test_only_the_signalled_source_is_heard() -> None:
    bench = Bench()
    bench.open()
    bench.do(control.Relay("s", True, True))
    assert bench.hear(CALLER, rtp(1, 0), STRANGER) == []
    assert len(bench.hear(CALLER, rtp(1, 0))) == 1
    assert bench.hear(CALLER, rtp(2, 160), STRANGER) == []
    assert bench.hear(CALLER, rtp(2, 160), (A[0], A[1] + 2)) == []
    bench.do(control.Connect(session="s", leg=CALLER, host=STRANGER[0], port=STRANGER[1]))
    assert bench.hear(CALLER, rtp(3, 320)) == []
    assert len(bench.hear(CALLER, rtp(3, 320), STRANGER)) == 1
    assert bench.room.legs[bench.ports[CALLER]].refused == 4


def test_behind_nat_the_first_source_is_learnt_once() -> None:
    bench = Bench()
    bench.open()
    bench.do(control.Relay("s", True, True))
    told = control.Connect(session="s", leg=CALLER, host="10.0.0.1", port=9, learn=True, learn_from=A[0])
    bench.do(told)
    assert bench.hear(CALLER, rtp(1, 0), STRANGER) == []
    assert len(bench.hear(CALLER, rtp(1, 0), (A[0], 61000))) == 1
    assert bench.hear(CALLER, rtp(2, 160), (A[0], 61002)) == []
    (back,) = bench.hear(CALLEE, rtp(1, 0))
    assert back.target == (A[0], 61000)


def test_digits_cross_with_the_payload_type_of_the_other_leg() -> None:
    bench = Bench()
    bench.open()
    bench.do(control.Relay("s", True, True))
    sent = []
    for index, end in enumerate((0, 0, 0x80, 0x80, 0x80)):
        payload = bytes((5, end | 10)) + (160 * (index + 1)).to_bytes(2, "big")
        sent += bench.hear(CALLER, rtp(index, 8000, payload, kind=101))
    assert [parts(packet.data)[0] & 0x7F for packet in sent] == [96] * 5
    assert len({parts(packet.data)[2] for packet in sent}) == 1
    assert [report for report in bench.reports if isinstance(report, control.Digit)] == [
        control.Digit("s", CALLER, "5")
    ]


def test_hold_sends_nothing_and_is_not_silence() -> None:
    bench = Bench()
    bench.open()
    bench.do(control.Relay("s", True, True))
    bench.do(control.Watch("s", 5.0))
    hold = control.Connect(session="s", leg=CALLEE, host=B[0], port=B[1], sends=False, receives=False)
    bench.do(hold)
    assert bench.hear(CALLER, rtp(1, 0)) == []
    for _ in range(12):
        bench.run(1.0)
        bench.hear(CALLER, rtp(1, 0))
    assert not any(isinstance(report, control.Silent) for report in bench.reports)
    bench.run(11.0)
    assert [report for report in bench.reports if isinstance(report, control.Silent)] == [control.Silent("s", CALLER)]


def test_tones_report_their_end_and_a_missing_file_its_fault() -> None:
    bench = Bench()
    bench.open()
    bench.do(control.Play("s", CALLER, "two", ("a", "b")))
    sent = bench.run(1.0)
    assert [len(parts(packet.data)[4]) for _, packet in sent if packet.port % 2 == 0] == [160] * 4
    played = [report for report in bench.reports if isinstance(report, control.Played)]
    assert played[0].completed
    assert played[0].ended - played[0].started == pytest.approx(0.08)


def test_everything_heard_is_taped_and_ports_rest() -> None:
    bench = Bench(pairs=4)
    bench.open()
    bench.do(control.Record("s", "path"))
    bench.hear(CALLER, rtp(1, 0))
    bench.hear(CALLEE, rtp(1, 0))
    bench.do(control.Close("s"))
    assert [leg for leg, _ in bench.tape.packets] == [CALLER, CALLEE]
    closed = bench.reports[-1]
    assert isinstance(closed, control.Closed)
    assert (closed.recorded, closed.caller.received) == (True, 1)
    assert (len(bench.room), bench.room.ports.out, bench.room.legs) == (0, 0, {})
    bench.do(control.Open("t"))
    bench.do(control.Open("u"))
    assert isinstance(bench.reports[-1], control.OpenFailed)
    bench.now += 30
    bench.do(control.Open("u"))
    assert bench.reports[-1] == control.Opened("u", *bench.ports)


@pytest.mark.parametrize("kept", [False, True])
def test_a_spool_that_fails_is_told_once_and_no_longer_fed(kept: bool) -> None:
    bench = Bench()
    bench.open()
    bench.do(control.Record("s", "path"))
    bench.hear(CALLER, rtp(1, 0))
    assert bench.room.spool_trouble() == []
    bench.tape.error, bench.tape.kept = "No space left on device", kept
    told = control.SpoolFailed("s", "No space left on device")
    assert bench.room.spool_trouble() == [Reply(told)]
    assert bench.room.spool_trouble() == []
    bench.hear(CALLER, rtp(2, 160))
    assert len(bench.tape.packets) == 1
    bench.do(control.Close("s"))
    closed = bench.reports[-1]
    assert isinstance(closed, control.Closed)
    assert (closed.recorded, closed.error) == (kept, told.error)


@pytest.mark.parametrize("seed", range(5))
def test_no_bytes_whatever_cost_more_than_a_drop(seed: int) -> None:
    chance = random.Random(seed)
    bench = Bench(seed)
    bench.open()
    bench.do(control.Relay("s", True, True))
    for _ in range(2000):
        data = chance.randbytes(chance.randrange(64))
        if chance.random() < 0.7:
            data = bytes((0x80 | chance.randrange(64), chance.choice((0, 8, 13, 101, 77)))) + data
        for packet in bench.hear(chance.randrange(2), data):
            assert len(packet.data) >= 12


def test_ports_that_cant_be_bound_are_passed_over() -> None:
    bench = Bench(pairs=40)
    (wanted,) = bench.room.command(control.Open("s"), 0.0)
    tried = []
    while isinstance(wanted, OpenPorts):
        tried += wanted.ports
        (wanted,) = bench.room.ports_opened(wanted, "taken", 0.0)
    assert wanted == Reply(control.OpenFailed("s", "taken"))
    assert len(set(tried)) == len(tried) == 16
    assert bench.room.ports.out == 0


def test_watching_again_leaves_one_timer() -> None:
    bench = Bench()
    bench.open()
    for _ in range(20):
        bench.do(control.Watch("s", 1.0))
    bench.run(3.5)
    assert [report for report in bench.reports if isinstance(report, control.Silent)] == [
        control.Silent("s", CALLER),
        control.Silent("s", CALLEE),
    ]
    assert len([row for row in bench.room.heap if row[2] == "watch"]) == 2


def test_reports_of_our_own_about_every_five_seconds_and_none_crosses() -> None:
    bench = Bench()
    bench.open()
    bench.do(control.Relay("s", True, True))
    for index in range(10):
        bench.hear(CALLER, rtp(index, 160 * index))
        bench.now += 0.02
    told = b"\x80\xc8\0\6" + (7).to_bytes(4, "big") + bytes(range(20))
    assert bench.take(bench.room.receive(bench.ports[CALLER] + 1, told, (A[0], A[1] + 1), bench.now)) == []
    assert bench.room.legs[bench.ports[CALLER]].receiver.report_ntp == 0x02030405
    sent = bench.run(50.0)
    times = [at for at, packet in sent if packet.target == (A[0], A[1] + 1)]
    assert 7 <= len(times) <= 20
    assert {packet.port for _, packet in sent} == {port + 1 for port in bench.ports}
    assert len({later - earlier for earlier, later in pairwise(times)}) > 3


def test_an_old_hold_stops_tones_and_reports_too() -> None:
    bench = Bench()
    bench.open()
    bench.hear(CALLER, rtp(1, 0))
    bench.do(control.Connect(session="s", leg=CALLER, host="0.0.0.0", port=4000, receives=False))
    bench.do(control.Play("s", CALLER, "tone", ("b",)))
    assert bench.run(20.0) == []
    bench.do(control.Connect(session="s", leg=CALLER, host=A[0], port=A[1]))
    assert len([packet for _, packet in bench.run(0.1) if packet.port == bench.ports[CALLER]]) == 1
    assert any(isinstance(report, control.Played) and report.completed for report in bench.reports)


def test_a_session_goes_on_at_the_ports_of_a_worker_that_died() -> None:
    bench = Bench()
    bench.do(control.Rest((20000, 20002)))
    bench.do(control.Open("other"))
    assert bench.reports[-1] == control.Opened("other", 20004, 20006), "what the dead one had rests"
    bench.do(control.Open("s", (20002, 20000)))
    assert bench.reports[-1] == control.Opened("s", 20002, 20000)
    for ports in ((20004, 20000), (20002, 30000)):
        bench.do(control.Open("late", ports))
        assert bench.reports[-1] == control.OpenFailed("late", "the ports are not free")
    assert bench.room.ports.out == 4


def test_no_two_workers_send_with_one_ssrc() -> None:
    sent = set()
    for part in range(control.MOST_PARTS):
        bench = Bench(seed=1)
        bench.do(control.Open("s", part=part))
        sent |= {leg.sender.ssrc for leg in bench.room.legs.values()}
    assert len(sent) == 2 * control.MOST_PARTS


def test_ports_that_must_be_these_are_tried_once() -> None:
    bench = Bench()
    (wanted,) = bench.room.command(control.Open("s", (20000, 20002)), bench.now)
    assert isinstance(wanted, OpenPorts)
    failed = bench.room.ports_opened(wanted, "Address already in use", bench.now)
    assert failed == [Reply(control.OpenFailed("s", "Address already in use"))]
    assert bench.room.ports.out == 0
