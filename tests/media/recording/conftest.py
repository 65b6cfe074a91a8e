from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np
import pytest

from media.recording import wav

Packets = list[tuple[float, bytes]]


def rtp(sequence: int, stamp: int, payload: bytes, *, kind: int = 8, source: int = 0x1234, first: int = 0x80) -> bytes:
    return struct.pack(">BBHII", first, kind, sequence & 0xFFFF, stamp & 0xFFFFFFFF, source) + payload


def tone(hertz: float, samples: int) -> bytes:
    return wav.encode(0.3 * np.sin(2 * np.pi * hertz * np.arange(samples) / 8000)).tobytes()


def stream(
    hertz: float, seconds: float, *, begin: float = 100.0, jitter: float = 0.0, seed: int = 1, ppm: float = 0.0
) -> Packets:
    """20 ms packets of a tone; each arrives up to ``jitter`` seconds late. ``ppm``: the sender's clock is this fast."""
    random = np.random.default_rng(seed)
    count = round(seconds * 50)
    audio = tone(hertz, count * 160)
    packets = [
        (
            begin + number * 0.02 / (1 + ppm * 1e-6) + jitter * random.random(),
            rtp(65000 + number, 0xFFFFF000 + number * 160, audio[number * 160 : number * 160 + 160]),
        )
        for number in range(count)
    ]
    return sorted(packets)


@pytest.fixture
def make_rtp() -> Callable[..., bytes]:
    return rtp


@pytest.fixture
def make_stream() -> Callable[..., Packets]:
    return stream


@pytest.fixture
def make_tone() -> Callable[[float, int], bytes]:
    return tone
