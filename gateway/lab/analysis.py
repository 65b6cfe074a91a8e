"""Which tone is heard, how loud, and when it starts and stops.

The level of one frequency is the amplitude of its sine, found by correlation with a complex exponential under a Hann
window (Goertzel's filter computes the same number sample by sample; numpy does a block at once). The window keeps a
strong tone from leaking into the measurement of a weak one: its side lobes fall off by 18 dB an octave, so over a
second two of the demo's tones are told apart to below -90 dB.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from gateway.lab.audio import RATE, Samples, decode

FLOOR = -120.0
# What each tone of the demo contains; media/sounds is made to these frequencies.
MEANINGS = {
    350: "failure tone",
    450: "ringback",
    620: "waiting tone",
    700: "A's voice",
    950: "recording notice",
    1100: "extension prompt",
    1300: "B's voice",
    1400: "last minute",
}


def decibels(amplitude: float) -> float:
    """dB of full scale, not below FLOOR."""
    return max(FLOOR, 20 * float(np.log10(amplitude))) if amplitude > 0 else FLOOR


def level(samples: Samples, hertz: float) -> float:
    """The level of one frequency in dBFS: 0 is a sine of full scale."""
    if len(samples) == 0:
        return FLOOR
    window = np.hanning(len(samples) + 2)[1:-1]
    turning = np.exp(-2j * np.pi * hertz / RATE * np.arange(len(samples)))
    return decibels(2 * abs(complex(np.dot(samples * window, turning))) / float(window.sum()))


def rms(samples: Samples) -> float:
    """The level of everything, in dBFS of a sine (a sine of full scale gives 0)."""
    return decibels(float(np.sqrt(2 * np.mean(samples**2)))) if len(samples) else FLOOR


def dominant(samples: Samples, candidates: Iterable[int] = MEANINGS, *, above: float = -35.0) -> int | None:
    """The candidate that is heard: louder than ``above`` dBFS and within 6 dB of all that is there."""
    levels = {hertz: level(samples, hertz) for hertz in candidates}
    best = max(levels, key=lambda hertz: levels[hertz])
    return best if levels[best] > above and levels[best] > rms(samples) - 6 else None


def seconds_of(samples: Samples, hertz: int, *, block: float = 0.1) -> float:
    """For how long ``hertz`` is what is heard, in whole blocks."""
    size = int(block * RATE)
    blocks = (samples[start : start + size] for start in range(0, len(samples) - size + 1, size))
    return sum(block for part in blocks if dominant(part) == hertz)


@dataclass(frozen=True, slots=True)
class ToneHeard:
    """A tone started, or stopped after ``lasted`` seconds."""

    at: float
    hertz: int
    started: bool
    lasted: float = 0.0

    @property
    def meaning(self) -> str:
        return MEANINGS.get(self.hertz, f"{self.hertz} Hz")


class ToneWatch:
    """Listens to A-law packets as they come and says when the tone that is heard changes.

    Decided on the last 100 ms; a tone stops when something else, or nothing, is heard for ``hold`` seconds, so that the
    gaps of a melody or a spoken notice don't break it in pieces.
    """

    def __init__(self, *, hold: float = 0.6) -> None:
        self._hold = hold
        self._recent: deque[bytes] = deque(maxlen=5)
        self._tone: int | None = None
        self._since = 0.0
        self._last = 0.0

    @property
    def tone(self) -> int | None:
        """What is heard now."""
        return self._tone

    def feed(self, at: float, payload: bytes) -> list[ToneHeard]:
        """One packet of audio that came at ``at`` (monotonic seconds)."""
        self._recent.append(payload)
        if len(self._recent) < 5:
            return self.quiet(at)
        heard = dominant(decode(b"".join(self._recent)))
        if heard is not None and heard == self._tone:
            self._last = at
            return []
        if heard is None:
            return self.quiet(at)
        changes = self._stopped()
        self._tone, self._since, self._last = heard, at, at
        self._recent.clear()
        return [*changes, ToneHeard(at, heard, True)]

    def quiet(self, at: float) -> list[ToneHeard]:
        """Time passes: a tone that hasn't been heard for ``hold`` has stopped."""
        return self._stopped() if self._tone is not None and at - self._last > self._hold else []

    def _stopped(self) -> list[ToneHeard]:
        if self._tone is None:
            return []
        stopped = ToneHeard(self._last, self._tone, False, self._last - self._since)
        self._tone = None
        return [stopped]
