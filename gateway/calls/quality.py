"""How well the two legs of a call were heard, gathered from the media worker's reports for the call's record.

    {"seconds": 5.0, "after": 5.2,        length of an interval of ``series``; the first one's begin in the call
     "caller": {"packets": 9000, "lost": 12, "mos": 4.38, "worst": 4.02, "jitter_ms": 11, "round_trip_ms": 42,
                "far_mos": 4.3, "series": [[4.4, 0.0, 9, 42, 4.3], ...]},
     "callee": {...}}

``mos`` is the mean over the intervals in which the party sent something, ``worst`` the lowest of one, ``jitter_ms`` and
``round_trip_ms`` the highest; ``far_mos`` is how the party heard us, by its own RTCP. A row of ``series`` is mos, per
cent lost, jitter and round trip in ms, far_mos; null is unknown, or nothing was sent. A call of more than ``MOST``
intervals has its rows joined two by two, the worse one standing for both. Intervals of which no worker has told, since
one had died, are rows of null.
"""

from __future__ import annotations

from typing import Any

from gateway.standing import Sound, StandingSound
from media.control import LegQuality, Quality

EVERY = 5.0
MOST = 720
_NOTHING = LegQuality(0, 0, 0.0, -1.0, 0.0, -1.0, -1.0, 0.0)
Row = tuple[float | None, float, int, int | None, float | None]


class Course:
    """One leg."""

    __slots__ = ("_lost", "_packets", "_pending", "_step", "_sum", "_told", "_worst", "latest", "rows")

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.latest: Row | None = None
        """The last interval."""
        self._packets = 0
        self._lost = 0
        self._sum = 0.0
        self._told = 0
        self._worst = 5.0
        self._step = 1
        self._pending: list[Row] = []

    @property
    def step(self) -> int:
        """How many intervals a row stands for."""
        return self._step

    def add(self, one: LegQuality) -> None:
        """Another interval."""
        self._packets += one.received
        self._lost += one.lost
        if one.received:
            self._sum += one.mos
            self._told += 1
            self._worst = min(self._worst, one.mos)
        self.latest = _row(one)
        self._pending.append(self.latest)
        if len(self._pending) == self._step:
            self.rows.append(_worst(self._pending))
            self._pending.clear()
        if len(self.rows) == MOST:
            self.rows = [_worst(self.rows[at : at + 2]) for at in range(0, MOST, 2)]
            self._step *= 2

    def summary(self) -> dict[str, Any]:
        """As in the record."""
        rows = [*self.rows, _worst(self._pending)] if self._pending else self.rows
        far = [row[4] for row in rows if row[4] is not None]
        return {
            "packets": self._packets,
            "lost": self._lost,
            "mos": round(self._sum / self._told, 2) if self._told else None,
            "worst": round(self._worst, 2) if self._told else None,
            "jitter_ms": max((row[2] for row in rows), default=0),
            "round_trip_ms": max((row[3] for row in rows if row[3] is not None), default=None),
            "far_mos": round(sum(far) / len(far), 2) if far else None,
            "series": [list(row) for row in rows],
        }


class CallQuality:
    """Both legs. ``_begin``: when the first interval did; ``_last``: when it was told of last."""

    __slots__ = ("_begin", "_callee", "_caller", "_last")

    def __init__(self) -> None:
        self._caller = Course()
        self._callee = Course()
        self._begin: float | None = None
        self._last = 0.0

    def add(self, report: Quality, now: float) -> None:
        """What a worker says of the interval that ends now."""
        if self._begin is None:
            self._begin = now - EVERY
        else:
            for _ in range(round((now - self._last) / EVERY) - 1):
                self._caller.add(_NOTHING)
                self._callee.add(_NOTHING)
        self._last = now
        self._caller.add(report.caller)
        self._callee.add(report.callee)

    @property
    def latest(self) -> Sound | None:
        """Both legs in the last interval; None when nothing was told."""
        caller, callee = self._caller.latest, self._callee.latest
        return None if caller is None or callee is None else (_sound(caller), _sound(callee))

    def summary(self, started: float) -> dict[str, Any] | None:
        """As in the record of a call that began then; None when nothing was told."""
        if self._begin is None:
            return None
        return {
            "seconds": EVERY * self._caller.step,
            "after": round(max(0.0, self._begin - started), 1),
            "caller": self._caller.summary(),
            "callee": self._callee.summary(),
        }


def _row(one: LegQuality) -> Row:
    total = one.received + one.lost
    return (
        round(one.mos, 2) if one.received else None,
        round(100 * one.lost / total, 1) if total else 0.0,
        round(1000 * one.jitter),
        round(1000 * one.round_trip) if one.round_trip >= 0 else None,
        round(one.far_mos, 2) if one.far_lost >= 0 else None,
    )


def _sound(row: Row) -> StandingSound:
    mos, lost, jitter, trip, far = row
    return StandingSound(mos=mos, lost_percent=lost, jitter_ms=jitter, round_trip_ms=trip, far_mos=far)


def _worst(rows: list[Row]) -> Row:
    """The row that stands for several."""
    trips = [row[3] for row in rows if row[3] is not None]
    return (
        min((row[0] for row in rows if row[0] is not None), default=None),
        max(row[1] for row in rows),
        max(row[2] for row in rows),
        max(trips, default=None),
        min((row[4] for row in rows if row[4] is not None), default=None),
    )
