"""Reads a WAV file of raw codes as a customer's program would: RIFF chunks, nothing assumed about their order."""

from __future__ import annotations

import struct
from dataclasses import dataclass

ALAW = 6


@dataclass(frozen=True, slots=True)
class Wave:
    """``format`` is the WAVE format code (6 is A-law); ``data`` holds interleaved frames of one byte a channel."""

    format: int
    channels: int
    rate: int
    bits: int
    data: bytes

    @classmethod
    def parse(cls, raw: bytes) -> Wave:
        """Raises ValueError for what is no WAV file, or one whose sizes are wrong (a recording that was cut off)."""
        if len(raw) < 12 or raw[:4] != b"RIFF" or raw[8:12] != b"WAVE":
            raise ValueError("no WAV file")
        if struct.unpack_from("<I", raw, 4)[0] + 8 != len(raw):
            raise ValueError(f"the header's size doesn't fit the file's {len(raw)} bytes")
        chunks: dict[bytes, bytes] = {}
        position = 12
        while position + 8 <= len(raw):
            name, size = struct.unpack_from("<4sI", raw, position)
            if position + 8 + size > len(raw):
                raise ValueError("a chunk is longer than the file")
            chunks.setdefault(name, raw[position + 8 : position + 8 + size])
            position += 8 + size + size % 2
        if len(chunks.get(b"fmt ", b"")) < 16 or b"data" not in chunks:
            raise ValueError("fmt or data is missing")
        code, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", chunks[b"fmt "])
        if channels == 0 or rate == 0:
            raise ValueError("no channels or no rate")
        return cls(code, channels, rate, bits, chunks[b"data"])

    @property
    def seconds(self) -> float:
        return len(self.data) // self.channels / self.rate

    def channel(self, number: int) -> bytes:
        """The codes of one channel, 0 the first. Right for one byte a sample."""
        return self.data[number :: self.channels]

    def __str__(self) -> str:
        name = "A-law" if self.format == ALAW else f"format {self.format}"
        return f"{name}, {self.rate} Hz, {self.bits} bit, {self.channels} channels"
