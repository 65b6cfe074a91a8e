"""How long the calls of each application have talked today: what its minutes a day are held against.

A call belongs to the day on which it ends; while it stands it counts for today. ``known`` brings in what other nodes
have written down, and what this one had before it was started anew (history.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping


class TalkTime:
    """Seconds by application. A day is any text that changes at midnight."""

    def __init__(self) -> None:
        self.watched: set[str] = set()
        """Applications that have asked, that is, those with such a limit."""
        self._day = ""
        self._over: Counter[str] = Counter()
        self._standing: Counter[str] = Counter()
        self._answers: dict[str, float] = {}
        """The sum of the moments at which the standing calls were answered."""

    def seconds(self, application: str, day: str, now: float) -> float:
        """What an application has talked on ``day``, which is today."""
        self.watched.add(application)
        self._turn(day)
        standing = self._standing[application] * now - self._answers.get(application, 0.0)
        return self._over[application] + max(0.0, standing)

    def answered(self, application: str, now: float) -> None:
        """A call has been answered."""
        self._standing[application] += 1
        self._answers[application] = self._answers.get(application, 0.0) + now

    def ended(self, application: str, answered: float, now: float) -> None:
        """An answered call is over."""
        self._over[application] += now - answered  # type: ignore[assignment]
        self._standing[application] -= 1
        self._answers[application] -= answered
        if not self._standing[application]:
            del self._standing[application], self._answers[application]

    def known(self, day: str, seconds: Mapping[str, float]) -> None:
        """What is written down of ``day``: the truth for these applications, until more calls end."""
        self._turn(day)
        for application, spent in seconds.items():
            self._over[application] = spent  # type: ignore[assignment]

    def _turn(self, day: str) -> None:
        if day != self._day:
            self._day = day
            self._over.clear()
