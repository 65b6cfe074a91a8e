"""Telephone audio for the scripted phones: G.711 as tables, tones as looping A-law or µ-law (ITU-T G.711).

A-law code: sign, 3 bits of segment, 4 of mantissa, all even bits inverted (XOR 0x55). Decoded samples are floats,
1.0 being full scale. Silence is 0xD5 in A-law and 0xFF in µ-law.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

RATE = 8000
PCMU = 0
PCMA = 8
SILENCE = {PCMA: 0xD5, PCMU: 0xFF}

Samples = npt.NDArray[np.float64]


def _alaw_table() -> Samples:
    code = np.arange(256) ^ 0x55
    mantissa, segment = code & 0x0F, (code >> 4) & 0x07
    magnitude = np.where(segment == 0, mantissa * 16 + 8, (mantissa * 16 + 264) << np.maximum(segment - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude) / 32768.0


def _ulaw_table() -> Samples:
    code = ~np.arange(256) & 0xFF
    mantissa, segment = code & 0x0F, (code >> 4) & 0x07
    magnitude = (((mantissa << 3) + 132) << segment) - 132
    return np.where(code & 0x80, -magnitude, magnitude) / 32768.0


_DECODED = {PCMA: _alaw_table(), PCMU: _ulaw_table()}


def decode(data: bytes, codec: int = PCMA) -> Samples:
    """Samples of raw G.711 codes; ``codec`` is the RTP payload type."""
    return _DECODED[codec][np.frombuffer(data, np.uint8)]


def encode(samples: Samples, codec: int = PCMA) -> bytes:
    """The nearest G.711 code of each sample."""
    order = np.argsort(_DECODED[codec], kind="stable")
    levels = _DECODED[codec][order]
    middles = (levels[1:] + levels[:-1]) / 2
    return order[np.searchsorted(middles, samples)].astype(np.uint8).tobytes()


@lru_cache(maxsize=64)
def tone(hertz: float | None, codec: int = PCMA, amplitude: float = 0.3) -> bytes:
    """One second of a sine, which loops without a click when ``hertz`` is whole; silence for None."""
    if hertz is None:
        return bytes([SILENCE[codec]]) * RATE
    return encode(amplitude * np.sin(2 * np.pi * hertz * np.arange(RATE) / RATE), codec)


KEYS = {
    key: (low, high)
    for row, low in zip(("123A", "456B", "789C", "*0#D"), (697, 770, 852, 941), strict=True)
    for key, high in zip(row, (1209, 1336, 1477, 1633), strict=True)
}


def dtmf(keys: str, seconds: float = 0.08, pause: float = 0.08, amplitude: float = 0.2) -> bytes:
    """A-law of keys as a phone sends them in its sound (ITU-T Q.23): two sines each, a pause behind."""
    time = np.arange(round(seconds * RATE)) / RATE
    rest = np.zeros(round(pause * RATE))
    parts = [rest]
    for key in keys:
        low, high = (np.sin(2 * np.pi * hertz * time) for hertz in KEYS[key])
        parts += [amplitude * (low + high), rest]
    return encode(np.concatenate(parts))


def alaw(data: bytes, codec: int) -> bytes:
    """Raw codes of either law as A-law."""
    return data if codec == PCMA else encode(decode(data, codec), PCMA)
