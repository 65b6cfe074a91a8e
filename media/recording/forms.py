"""The forms of a recording: the two-channel A-law WAV that is rendered, the mono mix of it, and FLAC for long storage.

FLAC (RFC 9639) holds 16-bit samples; each A-law code has a level of its own among them, so the way there and back gives
the same WAV, byte for byte. It is smaller where a channel is silent, which in a talk is half of the time.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Literal

import numpy as np
import numpy.typing as npt
import soundfile

from media.recording import wav
from media.recording.wav import RATE, Codes

Form = Literal["wav", "flac"]
HEAD_BYTES = len(wav.head(2, 0))
_BLOCK = 60 * RATE

_LEVELS: npt.NDArray[np.int16] = np.rint(wav.LEVELS * 32768).astype(np.int16)
_CODES: Codes = np.zeros(65536, np.uint8)
_CODES[_LEVELS.view(np.uint16)] = np.arange(256, dtype=np.uint8)
_MIX: Codes = wav.encode(np.clip(np.add.outer(wav.LEVELS, wav.LEVELS), -1.0, 1.0).reshape(-1))


def to_flac(frames: Codes) -> bytes:
    """FLAC of two-channel frames, an array of shape (frames, 2)."""
    out = io.BytesIO()
    with soundfile.SoundFile(out, "w", RATE, frames.shape[1], "PCM_16", format="FLAC") as file:
        for start in range(0, len(frames), _BLOCK):
            file.write(_LEVELS[frames[start : start + _BLOCK]])
    return out.getvalue()


def from_flac(raw: bytes) -> Iterator[bytes]:
    """The WAV that it was made of, piece by piece. ValueError when it can't be read."""
    try:
        with soundfile.SoundFile(io.BytesIO(raw)) as file:
            if file.samplerate != RATE or file.subtype != "PCM_16":
                raise ValueError("this FLAC is no recording of ours")
            yield wav.head(file.channels, file.frames)
            done = 0
            while len(block := file.read(_BLOCK, "int16", always_2d=True)):
                done += len(block)
                yield _CODES[block.view(np.uint16)].tobytes()
            if done * file.channels % 2:
                yield b"\0"
    except soundfile.LibsndfileError as error:
        raise ValueError(f"this FLAC can't be read: {error}") from None


class Mixer:
    """A two-channel WAV of ours becomes a mono one. Feed it pieces of any size; ``size`` bytes will come in all."""

    def __init__(self, stereo_bytes: int) -> None:
        """``stereo_bytes``: of the WAV that is fed."""
        frames = max(0, stereo_bytes - HEAD_BYTES) // 2
        self._begin = wav.head(1, frames)
        self._odd = frames % 2
        self.size = len(self._begin) + frames + self._odd
        self._head = HEAD_BYTES
        self._left = frames
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """What can be mixed now."""
        skipped = min(self._head, len(data))
        self._head -= skipped
        data = self._held + data[skipped:]
        pairs = np.frombuffer(data[: len(data) // 2 * 2], "<u2")[: self._left]
        self._held = data[len(data) // 2 * 2 :]
        self._left -= len(pairs)
        # The caller is the low byte; which of the two is the row doesn't matter to a sum.
        begin, self._begin = self._begin, b""
        ended = b"\0" * self._odd if not self._left and len(pairs) else b""
        mixed: bytes = _MIX[pairs].tobytes()
        return begin + mixed + ended
