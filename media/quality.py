"""How well one leg is heard, interval by interval: what we received of it, and what it says in RTCP of ours.

The mean opinion score is an estimate by the E-model (ITU-T G.107), simplified to what a relay can see, for G.711:

    R   = 93.2 - Id - Ie                        all other parameters at their defaults
    Id  = 0.024 d + 0.11 (d - 177.3)            the second term only for d > 177.3 ms
    Ie  = 95 p / (p + 25.1)                     p: per cent lost; 25.1: a listener that conceals loss (G.113 App. I)
    MOS = 1 + 0.035 R + 7e-6 R (R - 60) (100 - R)

d is one way: half the round trip (0 when RTCP has not told it), a packet's length, and a jitter buffer of twice the
jitter.
"""

from __future__ import annotations

from media.control import LegQuality
from media.receiver import Receiver
from media.rtcp import Block
from media.rtp import RATE

_PACKET = 0.02
_LONGEST = 10.0
"""A round trip beyond this is a mistake of the party's clock or of its DLSR."""


def mos(lost: float, jitter: float, round_trip: float) -> float:
    """The score, 1.0 to 4.5. ``lost`` is a part of one, times are seconds; ``round_trip`` negative: unknown."""
    delay = 1000 * (max(0.0, round_trip) / 2 + _PACKET + 2 * jitter)
    impaired = 0.024 * delay + (0.11 * (delay - 177.3) if delay > 177.3 else 0.0)
    percent = 100 * lost
    rating = 93.2 - impaired - 95 * percent / (percent + 25.1)
    if rating <= 0:
        return 1.0
    return 1 + 0.035 * rating + 7e-6 * rating * (rating - 60) * (100 - rating)


class Gauge:
    """One leg. ``hear`` takes what its party reports of us, ``take`` closes an interval."""

    __slots__ = ("_far_jitter", "_far_lost", "_lost", "_received", "_round_trip")

    def __init__(self) -> None:
        self._received = 0
        self._lost = 0
        self._round_trip = -1.0
        self._far_lost = -1.0
        self._far_jitter = -1.0

    def hear(self, block: Block, now: int) -> None:
        """A reception report on our stream. ``now``: the middle 32 bits of NTP time (RFC 3550 §6.4.1)."""
        self._far_lost = block.fraction / 256
        self._far_jitter = block.jitter / RATE
        if block.last_report:
            took = (now - block.last_report - block.delay) & 0xFFFFFFFF
            if took >= 0x80000000:
                # Before it was sent: clocks have grains.
                took = 0
            if took < _LONGEST * 65536:
                self._round_trip = took / 65536

    def take(self, receiver: Receiver) -> LegQuality:
        """What there is to say of the time since the last call."""
        received, lost = receiver.received - self._received, max(0, receiver.lost - self._lost)
        self._received, self._lost = receiver.received, receiver.lost
        jitter = receiver.jitter / RATE
        told = self._far_lost >= 0
        quality = LegQuality(
            received=received,
            lost=lost,
            jitter=jitter,
            round_trip=self._round_trip,
            mos=mos(lost / (received + lost), jitter, self._round_trip) if received else 0.0,
            far_lost=self._far_lost,
            far_jitter=self._far_jitter,
            far_mos=mos(self._far_lost, self._far_jitter, self._round_trip) if told else 0.0,
        )
        self._far_lost = self._far_jitter = -1.0
        return quality
