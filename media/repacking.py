"""Packets of another length: what one party sends in packets of 30 ms, another may want in packets of 20 (pains.md P9).

The samples of a talkspurt are cut anew, without a sample more or less, and leave one packet time apart:

    what comes                                      what leaves
    the next packet                                 whole packets of all samples so far
    a pause: next number, later timestamp           the rest, as a shorter packet; then a new talkspurt with the marker
    nothing for ``PAUSE`` seconds                   the rest
    a hole: a number is missing                     the rest; then as many numbers left out as packets would fill it
    a packet before its turn                        waits, as long as no more than ``PATIENCE`` wait
    a packet too late, or twice                     nothing
    a telephone-event                               the rest, then the event, in its turn
    comfort noise                                   nothing

Numbers given out (``Cut.seq``) begin with the number of the first packet and have nothing else to do with the party's;
timestamps are the party's own.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from media.rtp import RATE, signed32

PAUSE = 0.1
PATIENCE = 2
_SLACK = 0.005
"""Later than this because nothing was there to send: the packet times start anew."""
_HURRY = 0.9
"""Packet times shrink to this while more waits than came at last."""
_MOST = 0.12
"""Seconds of sound that may wait to leave; a party whose clock is fast, or that sends in bursts, is not waited for."""
_MARKER = 0x80


class Cut(NamedTuple):
    """A packet to be sent: ``second`` is marker and payload type, ``timed`` False for a telephone-event."""

    second: int
    seq: int
    stamp: int
    payload: bytes
    timed: bool


class Repacker:
    """``samples``: of each packet to be sent. ``source`` is the numbering that is cut, ``armed`` when its driver looks
    at it next."""

    __slots__ = (
        "_after_event", "_due", "_early", "_expected", "_heard", "_latest", "_queue", "_rest", "_second", "_seq",
        "_stamp", "armed", "samples", "source",
    )  # fmt: skip

    def __init__(self, samples: int, source: object, seq: int, stamp: int) -> None:
        self.samples = samples
        self.source = source
        self.armed = -1.0
        self._seq = seq
        self._expected = seq
        self._stamp = stamp
        self._second = 0
        self._rest = b""
        self._early: dict[int, tuple[int, int, bytes, bool]] = {}
        self._queue: deque[Cut] = deque()
        self._due = -1.0
        self._heard = 0.0
        self._latest = 0
        self._after_event = False

    @property
    def deadline(self) -> float:
        """When ``next`` is to be called; -1.0: not before something comes."""
        if self._queue:
            return self._heard if self._full else max(self._due, 0.0)
        return self._heard + PAUSE if self._rest or self._early else -1.0

    @property
    def _full(self) -> bool:
        return len(self._queue) * self.samples > _MOST * RATE

    def leads_on(self, seq: int) -> int:
        """How far its numbers are from the party's own, when a whole packet numbered ``seq`` needs no cutting; else
        -1."""
        if seq != self._expected or self._rest or self._early or self._queue:
            return -1
        return (self._seq - seq) & 0xFFFF

    def put(self, second: int, seq: int, stamp: int, payload: bytes, now: float, *, timed: bool = True) -> None:
        """A packet of the party; ``payload`` empty: one that is not for the other side, but has a number."""
        step = (seq - self._expected) & 0xFFFF
        if step >= 0x8000:
            return
        self._heard = now
        self._early[seq] = (second, stamp, payload, timed)
        if step == 0 or len(self._early) > PATIENCE:
            self._drain()

    def _drain(self) -> None:
        """Take what waits: the first of it in any case, the rest as far as nothing is missing."""
        early = self._early
        seq = self._expected
        if seq not in early:
            seq = min(early, key=lambda one: (one - self._expected) & 0xFFFF)
        lost = (seq - self._expected) & 0xFFFF
        while seq in early:
            second, stamp, payload, timed = early.pop(seq)
            self._take(second, stamp, payload, timed, lost)
            lost = 0
            self._expected = seq = (seq + 1) & 0xFFFF

    def _take(self, second: int, stamp: int, payload: bytes, timed: bool, lost: int) -> None:
        if not payload:
            self._seq += lost
            return
        if not timed:
            self._seq += lost
            self._cut_rest()
            self._after_event = True
            self._leave(second, stamp, payload, timed)
            return
        end = (self._stamp + len(self._rest)) & 0xFFFFFFFF
        gap = signed32(stamp - end)
        if gap < 0:
            # What it repeats has left already.
            payload, stamp, gap = payload[-gap:], end, 0
        if gap > 0 or lost:
            self._cut_rest()
            missing = min(gap, lost * len(payload))
            if lost:
                self._seq += max(1, missing // self.samples)
            if gap > missing and not self._after_event:
                second |= _MARKER
        if not self._rest:
            self._stamp, self._second = stamp, second
        self._after_event = False
        self._rest += payload
        self._latest = len(payload)
        while len(self._rest) >= self.samples:
            self._cut(self.samples)

    def _cut_rest(self) -> None:
        if self._rest:
            self._cut(len(self._rest))

    def _cut(self, size: int) -> None:
        self._leave(self._second, self._stamp, self._rest[:size], True)
        self._second &= ~_MARKER
        self._stamp = (self._stamp + size) & 0xFFFFFFFF
        self._rest = self._rest[size:]

    def _leave(self, second: int, stamp: int, payload: bytes, timed: bool) -> None:
        self._queue.append(Cut(second, self._seq & 0xFFFF, stamp, payload, timed))
        self._seq += 1

    def next(self, now: float) -> Cut | None:
        """The packet that is due."""
        if not self._queue and (self._rest or self._early) and now >= self._heard + PAUSE:
            if self._early:
                self._drain()
            if not self._early:
                self._cut_rest()
        if not self._queue or (now < self._due and not self._full):
            return None
        cut = self._queue.popleft()
        length = self.samples / RATE
        if len(self._queue) * self.samples >= self._latest:
            length *= _HURRY
        if self._due < now - _SLACK:
            self._due = now
        self._due += length
        return cut
