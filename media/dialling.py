"""Digits of ours to one leg, as telephone-events (RFC 4733) or, for a party that takes none, as tones in the sound.

An event of ours: a packet every packet time, all with the timestamp of its start and the duration so far; the last one
has the end bit and is sent three times (§2.5.1.4). ``ON`` seconds of it, then ``OFF`` of silence, which holds for the
tones too: beyond the 65 ms each that ITU-T Q.24 lets a receiver ask for.
"""

from __future__ import annotations

from math import pi, sin

from media.g711 import to_alaw
from media.rtp import RATE
from media.sender import Sender
from media.telephone_event import KEYS

ON = 0.1
OFF = 0.1
_END = 0x80
_ENDS = 3
_VOLUME = 10
"""-10 dBm0 (RFC 4733 §2.3.3)."""
_LEVEL = 5200.0
"""Amplitude of each of the two tones: about -8 dBm0 together for what is sent as sound."""
_LOWS = (697, 770, 852, 941)
_HIGHS = (1209, 1336, 1477, 1633)
_ROWS = ("123A", "456B", "789C", "*0#D")
LIMIT = 64


def valid(digits: str) -> bool:
    """Whether all of them are keys, and not too many."""
    return 0 < len(digits) <= LIMIT and all(digit in KEYS for digit in digits)


def dtmf(digits: str) -> bytes:
    """A-law of the keys one after another."""
    sound = []
    for digit in digits:
        row = next(row for row in range(4) if digit in _ROWS[row])
        low, high = _LOWS[row], _HIGHS[_ROWS[row].index(digit)]
        for at in range(round(ON * RATE)):
            turn = 2 * pi * at / RATE
            sound.append(to_alaw(round(_LEVEL * (sin(turn * low) + sin(turn * high)))))
        sound += [0xD5] * round(OFF * RATE)
    return bytes(sound)


class Dialler:
    """Plays digits as events of payload type ``kind``, in place of what the leg hears. Has a Player's face."""

    __slots__ = ("_digits", "_gap", "_index", "_kind", "_length", "_ptime", "_tick", "deadline", "name", "started")

    def __init__(self, name: str, digits: str, *, kind: int, ptime: int, now: float) -> None:
        self.name = name
        self.deadline = now
        self.started = 0.0
        self._digits = digits
        self._kind = kind
        self._ptime = ptime
        self._length = -(-round(ON * 1000) // ptime)
        self._gap = max(_ENDS, -(-round(OFF * 1000) // ptime))
        self._index = 0
        self._tick = 0

    def more(self, digits: str) -> None:
        """Send these too, after all else."""
        self._digits += digits

    def packet(self, sender: Sender, now: float) -> bytes | None:
        """The packet that is due, and the time of the next; None when all has been sent."""
        if self._index >= len(self._digits):
            return None
        if not self.started:
            self.started = now
        tick = self._tick
        duration = min(tick + 1, self._length) * self._ptime * RATE // 1000
        end = _END if tick + 1 >= self._length else 0
        payload = bytes((KEYS.index(self._digits[self._index]), end | _VOLUME)) + duration.to_bytes(2, "big")
        self._tick += 1
        wait = 1
        if self._tick == self._length + _ENDS - 1:
            self._tick = 0
            self._index += 1
            wait = self._gap - _ENDS + 2
        self.deadline += wait * self._ptime / 1000
        self.deadline = max(self.deadline, now)
        return sender.event(self, self._kind, payload, duration, now, first=tick == 0)
