"""RTP as a scripted phone speaks it (RFC 3550 §5.1, RFC 4733), and the strict listener that judges a stream.

The phones have a packetiser of their own: a demo that judged the media workers with the workers' own code would
believe every mistake they make.

What the listener wants of a stream, packets taken in the order of their sequence numbers:
    one SSRC
    no packet more than ``LATE`` out of order; duplicates are counted, no fault
    timestamp: next to each other it grows by the samples of the packet before (a telephone-event keeps the timestamp
    of its start, RFC 4733 §2.5.1.1); over a lost packet by any whole number of samples that is not too small
    it may jump ahead only with the marker set: a new talkspurt
    it keeps pace with the clock all the time, ``DRIFT`` seconds at most. In real time the listener, the speaker or the
    whole machine may stand still for a while, ``stall`` seconds: what is read or sent then is late and never early, and
    what follows is on time again. So of every ``stall`` seconds of a talkspurt only the packet that came earliest, for
    its timestamp, is judged; one shorter than twice that is not. Where a talkspurt begins late, a relay, which knows no
    better, hangs all of it on the clock so much later, and is right: between two there may lie ``stall`` more
What it tells besides: ``gaps``, longer than ``GAP``, in which nothing came, and the ``lengths`` of packets with sound.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from random import Random

_HEADER = struct.Struct("!BBHII")
_EVENT = struct.Struct("!BBH")
EVENTS = "0123456789*#ABCD"
EVENT_TICKS = 5
GAP_TICKS = 5
LATE = 64
DRIFT = 0.3
STALL = 3.0
"""A machine of a CI stands still for two seconds at times."""
GAP = 0.1


@dataclass(frozen=True, slots=True)
class Packet:
    """One RTP packet."""

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    marker: bool
    payload: bytes

    @classmethod
    def parse(cls, data: bytes) -> Packet | None:
        """A packet, or None when ``data`` is none (RFC 3550 A.1). Padding and extensions are taken off."""
        if len(data) < 12 or data[0] >> 6 != 2:
            return None
        first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
        start, end = 12 + 4 * (first & 0x0F), len(data)
        if first & 0x10:
            if start + 4 > end:
                return None
            start += 4 + 4 * struct.unpack_from("!H", data, start + 2)[0]
        if first & 0x20:
            end -= data[-1]
        if start > end:
            return None
        return cls(second & 0x7F, sequence, timestamp, ssrc, bool(second & 0x80), data[start:end])

    def __bytes__(self) -> bytes:
        second = self.payload_type | (0x80 if self.marker else 0)
        return _HEADER.pack(0x80, second, self.sequence, self.timestamp, self.ssrc) + self.payload


class Sender:
    """One outgoing stream: one SSRC, a linear timestamp, the marker after each pause. Starts at random values."""

    def __init__(self, random: Random) -> None:
        self._ssrc = random.getrandbits(32)
        self._sequence = random.getrandbits(16)
        self._timestamp = random.getrandbits(32)
        self._marker = True
        self._digits: list[str] = []
        self._ticks = 0

    def dial(self, digits: str) -> None:
        """Send these digits as telephone-events, one after another, from the next tick on."""
        self._digits += digits

    def tick(self, payload_type: int, payload: bytes, samples: int, events: int | None) -> list[bytes]:
        """The packets of one packet time: audio, or what a digit that is being sent puts in its place."""
        if self._digits and events is not None:
            packets = self._event_packets(events, samples)
            self._ticks += 1
            if self._ticks == EVENT_TICKS + GAP_TICKS:
                self._ticks = 0
                del self._digits[0]
            if packets:
                self._timestamp = (self._timestamp + samples) & 0xFFFFFFFF
                return packets
        packet = self._packet(payload_type, self._timestamp, payload, self._marker)
        self._marker = False
        self._timestamp = (self._timestamp + samples) & 0xFFFFFFFF
        return [packet]

    def skip(self, samples: int) -> None:
        """A packet time in which nothing is sent."""
        self._timestamp = (self._timestamp + samples) & 0xFFFFFFFF
        self._marker = True

    def _event_packets(self, events: int, samples: int) -> list[bytes]:
        """Packet ``_ticks`` of the running digit; its end three times over (RFC 4733 §2.5.1.4)."""
        if self._ticks >= EVENT_TICKS:
            return []
        last = self._ticks == EVENT_TICKS - 1
        start = (self._timestamp - self._ticks * samples) & 0xFFFFFFFF
        duration = (self._ticks + 1) * samples
        payload = _EVENT.pack(EVENTS.index(self._digits[0]), (0x80 if last else 0) | 10, duration)
        packets = [self._packet(events, start, payload, self._ticks == 0)]
        while last and len(packets) < 3:
            packets.append(self._packet(events, start, payload, False))
        return packets

    def _packet(self, payload_type: int, timestamp: int, payload: bytes, marker: bool) -> bytes:
        packet = Packet(payload_type, self._sequence, timestamp, self._ssrc, marker, payload)
        self._sequence = (self._sequence + 1) & 0xFFFF
        return bytes(packet)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A datagram on an RTP port: ``at`` monotonic seconds, where it came from, the port of ours it came to."""

    at: float
    source: tuple[str, int]
    port: int
    data: bytes


@dataclass(frozen=True, slots=True)
class StreamReport:
    """What the strict listener found. ``lost`` counts sequence numbers never seen; ``faults`` are sentences; ``gaps``
    are (when, seconds)."""

    packets: int
    lost: int
    duplicates: int
    ssrcs: tuple[int, ...]
    faults: tuple[str, ...]
    gaps: tuple[tuple[float, float], ...] = ()
    lengths: tuple[int, ...] = ()


def streams_of(arrivals: Sequence[Arrival]) -> list[list[Arrival]]:
    """What came by SSRC, the first that was heard first: a media worker that takes a call over begins a new one."""
    found: dict[bytes, list[Arrival]] = {}
    for arrival in arrivals:
        found.setdefault(arrival.data[8:12], []).append(arrival)
    return list(found.values())


def check_stream(arrivals: Sequence[Arrival], events: int | None = 101, *, stall: float = 0.0) -> StreamReport:
    """Judge what came to one phone from one gateway as one stream. ``stall``: for how long, in real time, somebody else
    may have kept packets waiting; 0 where time is virtual."""
    faults: list[str] = []
    ordered: dict[int, tuple[float, Packet]] = {}
    duplicates, highest = 0, None
    ssrcs: list[int] = []
    for arrival in arrivals:
        packet = Packet.parse(arrival.data)
        if packet is None:
            faults.append(f"no RTP at {arrival.at:.3f}")
            continue
        if packet.ssrc not in ssrcs:
            ssrcs.append(packet.ssrc)
        near = packet.sequence if highest is None else highest
        extended = near + (packet.sequence - near + 0x8000) % 0x10000 - 0x8000
        if extended in ordered:
            duplicates += 1
            continue
        if highest is not None and extended < highest - LATE:
            faults.append(f"sequence number {packet.sequence} is {highest - extended} behind")
        ordered[extended] = (arrival.at, packet)
        highest = extended if highest is None else max(highest, extended)
    if len(ssrcs) > 1:
        faults.append(f"{len(ssrcs)} SSRCs")
    numbers = sorted(ordered)
    for before, after in pairwise(numbers):
        fault = _step(ordered[before][1], ordered[after][1], after - before, events)
        if fault:
            faults.append(f"packet {after - numbers[0]}: {fault}")
    sound = [ordered[number] for number in numbers if ordered[number][1].payload_type != events]
    faults += _drift(sound, stall)
    lost = numbers[-1] - numbers[0] + 1 - len(numbers) if numbers else 0
    lengths = tuple(sorted({len(packet.payload) for _, packet in sound}))
    return StreamReport(len(ordered), lost, duplicates, tuple(ssrcs), tuple(faults), _gaps(arrivals), lengths)


def _step(before: Packet, after: Packet, distance: int, events: int | None) -> str:
    grown = (after.timestamp - before.timestamp + 0x80000000) % 0x100000000 - 0x80000000
    if before.payload_type == events and after.payload_type == events and grown == 0:
        return ""
    if grown < 0:
        return f"the timestamp fell by {-grown}"
    if before.payload_type == events:
        duration = _EVENT.unpack(before.payload[:4])[2] if len(before.payload) >= 4 else 0
        return "" if grown >= duration or distance > 1 else f"the timestamp grew by {grown} over an event of {duration}"
    samples = len(before.payload)
    if distance == 1 and grown != samples and not (grown > samples and after.marker):
        return f"the timestamp grew by {grown}, the packet before holds {samples} samples"
    return "" if grown >= min(samples, len(after.payload) or samples) else f"the timestamp grew by {grown} only"


def _drift(packets: list[tuple[float, Packet]], stall: float) -> list[str]:
    """Where the timestamp first leaves the clock that the first packets have set."""
    grown = 0
    ahead: list[tuple[float, float]] = []
    spurts = [0]
    for (_, before), (at, packet) in pairwise([*packets[:1], *packets]):
        grown += (packet.timestamp - before.timestamp + 0x80000000) % 0x100000000 - 0x80000000
        if ahead and packet.marker and stall:
            spurts.append(len(ahead))
        ahead.append((at, grown / 8000 - (at - packets[0][0])))
    levels = [_earliest(ahead[begin:end], stall) for begin, end in pairwise([*spurts, len(ahead)]) if end > begin]
    for spurt in levels:
        begun = spurt[0] - levels[0][0]
        wrong = [begun] if abs(begun) > DRIFT + stall else []
        wrong += [level - spurt[0] for level in spurt if abs(level - spurt[0]) > DRIFT]
        if wrong:
            return [f"the timestamp runs {wrong[0]:+.3f} s against the clock"]
    return []


def _earliest(ahead: list[tuple[float, float]], stall: float) -> list[float]:
    """By how much the timestamp of the earliest packet of each part is ahead, of (when, by how much)."""
    if not stall:
        return [by for _, by in ahead]
    begun, ended = ahead[0][0], ahead[-1][0]
    parts = max(1, int((ended - begun) / stall))
    most: dict[int, float] = {}
    for at, by in ahead:
        part = min(int((at - begun) / stall), parts - 1)
        most[part] = max(most.get(part, -inf), by)
    return [most[part] for part in sorted(most)]


def _gaps(arrivals: Sequence[Arrival]) -> tuple[tuple[float, float], ...]:
    times = sorted(arrival.at for arrival in arrivals)
    return tuple((before, after - before) for before, after in pairwise(times) if after - before > GAP)
