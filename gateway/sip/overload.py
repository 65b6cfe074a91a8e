"""Sheds new calls when the process falls behind, so that the standing ones don't notice (RFC 6357, pains.md P26).

Ten times a second it is told how it goes (pressure.py):

    queued    how full the fullest UDP socket is: what has come and was not read
    dropped   the kernel had to throw datagrams away
    late      by how many seconds a timer missed its time
    waiting   look-ups and notes that the database has not answered

            over: any is high, for START_SECONDS        under: all low                      between
    ------  ------------------------------------------  ----------------------------------  -------
    share   x FALL, then HOLD_SECONDS for the queue     x FAST up to 0.6 of where it was    as it is
            to answer                                   over, then x RISE, to 1.0

``share`` of the new calls are let in, evenly: of three calls at a share of 1/3 it is always the third. The others get
503 with Retry-After, without state, for 0.07 ms, a thirtieth of a call. What belongs to a call is never shed.
How busy the processor is says nothing: others may use it, and shedding would not help.
"""

from __future__ import annotations

FALL = 0.75
RISE = 1.03
FAST = 1.25
HOLD_SECONDS = 0.2
LEAST = 0.04
START_SECONDS = 0.2
QUEUED_HIGH, QUEUED_LOW = 0.15, 0.05
LATE_HIGH, LATE_LOW = 0.2, 0.1
WAITING_HIGH, WAITING_LOW = 400, 100
_WEIGHT = 0.5


class Overload:
    """``share``: how much of the new calls is let in. ``shed`` counts the others."""

    __slots__ = ("_credit", "_fell_at", "_knee", "_late", "_over_since", "_queued", "share", "shed")

    def __init__(self) -> None:
        self.share = 1.0
        self.shed = 0
        self._queued = 0.0
        self._late = 0.0
        self._credit = 1.0
        self._knee = 1.0
        """The share at which it was too much."""
        self._fell_at = 0.0
        self._over_since: float | None = None

    @property
    def shedding(self) -> bool:
        """Whether any call is shed."""
        return self.share < 1.0

    def observe(self, queued: float, dropped: bool, late: float, waiting: int, now: float) -> bool | None:
        """Take in how it goes. True when shedding begins with it, False when it ends, None otherwise."""
        before = self.shedding
        self._queued += _WEIGHT * (queued - self._queued)
        self._late += _WEIGHT * (late - self._late)
        over = self._queued >= QUEUED_HIGH or self._late >= LATE_HIGH or waiting >= WAITING_HIGH
        if over or dropped:
            if self._over_since is None:
                self._over_since = now
                self._knee = self.share
            if (before or now - self._over_since >= START_SECONDS) and now - self._fell_at >= HOLD_SECONDS - 0.01:
                self._fell_at = now
                self.share = max(LEAST, self.share * FALL)
        else:
            self._over_since = None
            if before and self._queued < QUEUED_LOW and self._late < LATE_LOW and waiting < WAITING_LOW:
                self.share *= FAST if self.share < 0.6 * self._knee else RISE
                if self.share > 0.99:
                    self.share = self._credit = 1.0
        return None if self.shedding == before else self.shedding

    def admits(self) -> bool:
        """Whether the next new call is let in."""
        if self.share >= 1.0:
            return True
        self._credit += self.share
        if self._credit >= 1.0:
            self._credit -= 1.0
            return True
        self.shed += 1
        return False
