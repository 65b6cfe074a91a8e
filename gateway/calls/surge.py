"""An hour that is unlike the others: three times as many calls of an application as usual is how toll fraud looks.

The usual hour is the mean of the last day's whole hours, those without a call too; with fewer than LEAST_HOURS of them
nothing is usual yet. Below ``floor`` calls an hour is nothing to tell of. Told once in an hour.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

HOURS = 24
LEAST_HOURS = 3


@dataclass(frozen=True, slots=True)
class Surge:
    """``calls`` of ``application`` in this hour, of which ``usual`` would be usual."""

    application: str
    calls: int
    usual: float


class Usual:
    """Counts the calls of each application by the hour (any number that grows by one an hour). ``surges`` were told."""

    def __init__(self, factor: float, floor: int) -> None:
        self._factor = factor
        self._floor = floor
        self._counts: dict[str, dict[int, int]] = {}
        self._told: dict[str, int] = {}
        self.surges = 0

    def count(self, application: str, hour: int) -> Surge | None:
        """A call that was let through."""
        if not self._factor:
            return None
        counts = self._counts.setdefault(application, {})
        calls = counts[hour] = counts.get(hour, 0) + 1
        if calls == 1:
            for old in [known for known in counts if known < hour - HOURS]:
                del counts[old]
        if calls < self._floor or self._told.get(application) == hour:
            return None
        usual = self._usual(counts, hour)
        if usual is None or calls < self._factor * usual:
            return None
        self._told[application] = hour
        self.surges += 1
        return Surge(application, calls, usual)

    def known(self, application: str, counts: Mapping[int, int]) -> None:
        """What is written down of hours before this process began."""
        held = self._counts.setdefault(application, {})
        for hour, calls in counts.items():
            held[hour] = max(calls, held.get(hour, 0))

    @staticmethod
    def _usual(counts: Mapping[int, int], hour: int) -> float | None:
        before = [known for known in counts if known < hour]
        if not before or hour - min(before) < LEAST_HOURS:
            return None
        return sum(counts[known] for known in before) / (hour - min(before))
