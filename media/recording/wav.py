"""A-law WAV files: 8000 Hz, one byte a sample, one or two channels, read and written as raw codes.

A file of a format other than PCM has an 18-byte ``fmt`` chunk (cbSize 0) and a ``fact`` chunk with the number of frames
(Multimedia Programming Interface 1.0 and the WAVE_FORMAT registry: A-law is 6, µ-law 7). The levels of codes are
those of media.g711, as arrays.
"""

from __future__ import annotations

import struct

import numpy as np
import numpy.typing as npt

from media.g711 import ULAW_TO_ALAW, alaw_level

ALAW = 6
RATE = 8000
SILENCE = 0xD5

Codes = npt.NDArray[np.uint8]
Samples = npt.NDArray[np.float64]


LEVELS: Samples = np.array([alaw_level(code) for code in range(256)]) / 32768.0
_ORDER = np.argsort(LEVELS, kind="stable")
_MIDDLES = (LEVELS[_ORDER][1:] + LEVELS[_ORDER][:-1]) / 2


def encode(samples: Samples) -> Codes:
    """The nearest A-law code of each sample; 1.0 is full scale, 0 is 0xD5."""
    codes: Codes = _ORDER[np.searchsorted(_MIDDLES, samples, side="right")].astype(np.uint8)
    return codes


def decode(codes: Codes) -> Samples:
    """Samples of A-law codes, 1.0 being full scale."""
    return LEVELS[codes]


FROM_MULAW: Codes = np.frombuffer(ULAW_TO_ALAW, np.uint8)


def head(channels: int, frames: int) -> bytes:
    """All of a file that comes before its samples. An odd number of bytes of samples is followed by one of 0."""
    size = channels * frames
    chunks = b"WAVE" + struct.pack("<4sIHHIIHHH", b"fmt ", 18, ALAW, channels, RATE, RATE * channels, channels, 8, 0)
    chunks += struct.pack("<4sII", b"fact", 4, frames) + struct.pack("<4sI", b"data", size)
    return struct.pack("<4sI", b"RIFF", len(chunks) + size + size % 2) + chunks


def build(channels: tuple[Codes, ...]) -> bytes:
    """The whole file. Channels are of equal length; ValueError when they aren't, or are none."""
    frames = len(channels[0]) if channels else -1
    if any(len(codes) != frames for codes in channels) or frames < 0:
        raise ValueError("channels must be of equal length")
    data = np.stack(channels, axis=1).tobytes()
    return head(len(channels), frames) + data + b"\0" * (len(data) % 2)


def parse(raw: bytes) -> tuple[Codes, ...]:
    """The channels of an A-law, 8000 Hz file. ValueError for anything else, and for one that is cut."""
    if len(raw) < 12 or raw[:4] != b"RIFF" or raw[8:12] != b"WAVE":
        raise ValueError("no WAV file")
    chunks: dict[bytes, bytes] = {}
    position = 12
    while position + 8 <= len(raw):
        name, size = struct.unpack_from("<4sI", raw, position)
        if position + 8 + size > len(raw):
            raise ValueError("a chunk is longer than the file")
        chunks.setdefault(name, raw[position + 8 : position + 8 + size])
        position += 8 + size + size % 2
    form = chunks.get(b"fmt ", b"")
    if len(form) < 16 or b"data" not in chunks:
        raise ValueError("fmt or data is missing")
    code, count, rate, _, _, bits = struct.unpack_from("<HHIIHH", form)
    if (code, rate, bits) != (ALAW, RATE, 8) or count not in (1, 2):
        raise ValueError(f"not A-law at 8000 Hz: format {code}, {rate} Hz, {bits} bit, {count} channels")
    data = np.frombuffer(chunks[b"data"], np.uint8)
    data = data[: len(data) - len(data) % count]
    return tuple(data[number::count].copy() for number in range(count))
