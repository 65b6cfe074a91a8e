"""Plays A-law samples to one leg: packets at absolute times, so that a late wake-up never makes the tone slower."""

from __future__ import annotations

from collections.abc import Sequence

from media.g711 import ALAW_TO_ULAW, PCMU
from media.sender import Sender

LATEST = 0.2


class Player:
    """``deadline`` is when the next packet is due; ``started`` when the first was taken, 0.0 before. ``loop`` repeats
    the last of ``tones`` for ever."""

    __slots__ = ("_index", "_position", "_size", "_tones", "deadline", "loop", "name", "started")

    def __init__(self, name: str, tones: Sequence[bytes], *, loop: bool, ptime: int, now: float) -> None:
        self.name = name
        self.loop = loop
        self.deadline = now
        self.started = 0.0
        self._tones = list(tones)
        self._size = 8 * ptime
        self._index = 0
        self._position = 0

    def more(self, tone: bytes) -> None:
        """Play this too, after all else."""
        self._tones.append(tone)

    def packet(self, sender: Sender, now: float) -> bytes | None:
        """The packet that is due, always a whole one, and the time of the next; None when all has been played."""
        samples = self.next(now)
        if samples is None:
            return None
        if sender.codec == PCMU:
            samples = samples.translate(ALAW_TO_ULAW)
        return sender.tone(self, samples, now)

    def next(self, now: float) -> bytes | None:
        """The samples that are due."""
        if self._index >= len(self._tones):
            return None
        if not self.started:
            self.started = now
        tone = self._tones[self._index]
        chunk = tone[self._position : self._position + self._size]
        self._position += self._size
        if self._position >= len(tone):
            self._position = 0
            if not (self.loop and self._index == len(self._tones) - 1):
                self._index += 1
        self.deadline += self._size / 8000
        if now - self.deadline > LATEST:
            # The process stood still: go on from here instead of sending a burst.
            self.deadline = now + self._size / 8000
        return chunk if len(chunk) == self._size else chunk.ljust(self._size, b"\xd5")
