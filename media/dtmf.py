"""Digits in sound (in-band DTMF, ITU-T Q.23), found to the limits of Q.24, packet by packet.

A window of ``WINDOW`` samples moves on by ``HOP``. In each, the power at the eight frequencies is measured by one
product with a table of sines (what Goertzel's recursion gives, for all eight at once). A window is a *hit* for a key
when all of this holds:

    its two tones         each above -31 dBm0, the strongest of its group by 6 dB
    twist                 high group at most 6 dB above the low group, at most 10.5 dB below it: measured, which
                          is 2 dB beside the truth at worst
    purity                the two tones are most of the window's power: speech has more beside them
    frequency             within 2.5 % of the nominal one, by how far the phase went since the window before

``ON`` hits in a row are a digit (more than 20 ms of tone, at most 40 ms), if two sines of the frequencies that the
phases have told, and nothing else, are ``_ALONE`` of the power of the ``INNER`` windows before the last: 25 ms at once,
where each window is too short to tell the other harmonics of a voice from the tones. Q.24's digits reach 0.94 with
noise 15 dB below them and frequencies 1.5 % off; what else gets as far as here in a thousand minutes of speech doesn't
reach 0.83 (docs/media.md). ``OFF`` windows without it end it, so that a gap of 10 ms does not make two of one. Q.24's
figures for 40 ms tones with 40 ms pauses, +-1.5 % accepted and +-3.5 % rejected, and talk-off are in the tests.

Lost packets: up to ``BRIDGED`` samples are passed over, as if time had stood still; a longer gap ends a digit.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from media.g711 import ALAW_LEVELS, PCMU, ULAW_TO_ALAW

RATE = 8000
WINDOW = 102
HOP = 34
ON = 6
OFF = 6
INNER = 4
BRIDGED = 320
LOWS = (697, 770, 852, 941)
HIGHS = (1209, 1336, 1477, 1633)
KEYS = ("123A", "456B", "789C", "*0#D")
_TONES = {key: [low, 4 + high] for low, row in enumerate(KEYS) for high, key in enumerate(row)}
FULL_SCALE_DBM0 = 3.14
_FLOOR = (32256 * 10 ** ((-31 - FULL_SCALE_DBM0) / 20)) ** 2
_PEAK = 10 ** (6 / 10)
_TWIST = (10 ** (-10.5 / 10), 10 ** (6 / 10))
_PURE = 0.62
_OFF_TUNE = 0.025
_ALONE = 0.87
_FREQUENCIES = np.array(LOWS + HIGHS, dtype=np.float64)
_TABLE: NDArray[np.complex128] = np.exp(-2j * np.pi * np.outer(np.arange(WINDOW), _FREQUENCIES) / RATE)
_LEVELS = np.array(ALAW_LEVELS, dtype=np.float64)
# How far the phase of each nominal frequency goes in one hop.
_TURN = 2 * np.pi * _FREQUENCIES * HOP / RATE
_INNER_TIMES = np.arange(WINDOW + (INNER - 1) * HOP) / RATE


class Detector:
    """One party's sound. ``receive`` gives each digit once, when it is certain."""

    __slots__ = ("_before", "_deaf", "_expected", "_hits", "_key", "_misses", "_past", "_sound", "_told")

    def __init__(self) -> None:
        self._sound: NDArray[np.float64] = np.empty(0)
        self._past: deque[NDArray[np.float64]] = deque(maxlen=INNER)
        """The windows before, as far as they follow each other."""
        self._expected: int | None = None
        self._before: NDArray[np.complex128] | None = None
        self._key = ""
        self._hits = 0
        self._misses = 0
        self._told = False
        self._deaf = False

    @property
    def sounding(self) -> bool:
        """Whether the digit that was given last has not ended yet."""
        return self._told

    def deafen(self) -> None:
        """Hear nothing from now on: the party sends its digits otherwise."""
        self._deaf = True

    def receive(self, stamp: int, payload: bytes, codec: int) -> str:
        """G.711 samples whose RTP timestamp is ``stamp``; the digits that are certain now, mostly ""."""
        if self._deaf:
            return ""
        if self._expected is not None and stamp != self._expected:
            self._gap((stamp - self._expected) & 0xFFFFFFFF)
        self._expected = (stamp + len(payload)) & 0xFFFFFFFF
        if codec == PCMU:
            payload = payload.translate(ULAW_TO_ALAW)
        self._sound = np.concatenate((self._sound, _LEVELS[np.frombuffer(payload, dtype=np.uint8)]))
        found = ""
        start = 0
        while start + WINDOW <= len(self._sound):
            found += self._step(self._sound[start : start + WINDOW])
            start += HOP
        self._sound = self._sound[start:]
        return found

    def _gap(self, samples: int) -> None:
        self._sound = np.empty(0)
        self._past.clear()
        self._before = None
        if samples >= BRIDGED:
            self._key, self._hits, self._told = "", 0, False

    def _step(self, window: NDArray[np.float64]) -> str:
        key = self._listen(window)
        past = self._past
        sure = (
            key != ""
            and key == self._key
            and self._hits >= ON - 1
            and not self._told
            and len(past) == INNER
            and _alone(past, key)
        )
        past.append(window)
        if key and key == self._key:
            self._hits += 1
            self._misses = 0
            if sure:
                self._told = True
                return key
            return ""
        self._misses += 1
        if key and not self._told:
            self._key, self._hits, self._misses = key, 1, 0
        elif self._misses >= OFF or (key and self._misses >= 2):
            self._key, self._hits, self._misses, self._told = key, 1 if key else 0, 0, False
        elif not self._told:
            # A tone that comes and goes before it is certain is none, unless the gap is a short one.
            self._hits = max(0, self._hits - 1)
        return ""

    def _listen(self, window: NDArray[np.float64]) -> str:
        """The key that sounds in this window, or ""."""
        seen = window @ _TABLE
        before, self._before = self._before, seen
        # As squared amplitudes of the sines.
        power = (seen.real**2 + seen.imag**2) * (2 / WINDOW) ** 2
        low, high = int(np.argmax(power[:4])), 4 + int(np.argmax(power[4:]))
        strong = power[low], power[high]
        if min(strong) < _FLOOR or not _TWIST[0] <= strong[1] / strong[0] <= _TWIST[1]:
            return ""
        if (strong[0] + strong[1]) / 2 < _PURE * float(np.mean(window**2)):
            return ""
        for group, best in ((power[:4], strong[0]), (power[4:], strong[1])):
            if np.sort(group)[-2] * _PEAK > best:
                return ""
        if before is not None and not all(_in_tune(before, seen, index) for index in (low, high)):
            return ""
        return KEYS[low][high - 4]


def _alone(past: Sequence[NDArray[np.float64]], key: str) -> bool:
    """Whether the two tones of a key are nearly all of the sound of these windows."""
    tones = _TONES[key]
    seen = np.stack(past) @ _TABLE[:, tones]
    turned = np.angle(seen[1:] * np.conj(seen[:-1])) - _TURN[tones]
    astray = np.mean((turned + np.pi) % (2 * np.pi) - np.pi, axis=0) * RATE / (2 * np.pi * HOP)
    phase = 2 * np.pi * np.outer(_INNER_TIMES, _FREQUENCIES[tones] + astray)
    sines = np.concatenate((np.cos(phase), np.sin(phase)), axis=1)
    sound = np.concatenate((*(window[:HOP] for window in list(past)[:-1]), past[-1]))
    rest = sound - sines @ np.linalg.lstsq(sines, sound, rcond=None)[0]
    return bool(rest @ rest <= (1 - _ALONE) * (sound @ sound))


def _in_tune(before: NDArray[np.complex128], seen: NDArray[np.complex128], index: int) -> bool:
    """Whether the phase went on as far as this frequency's does in a hop."""
    turned = float(np.angle(seen[index] * np.conj(before[index]))) - _TURN[index]
    astray = (turned + np.pi) % (2 * np.pi) - np.pi
    return bool(abs(astray) * RATE / (2 * np.pi * HOP) <= _OFF_TUNE * _FREQUENCIES[index])
