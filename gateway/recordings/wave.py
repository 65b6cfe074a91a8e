"""A recording's outline, for people to look at: how loud each channel is, in equal steps of time."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import soundfile

BLOCK = 1 << 16


def outline(wav: bytes, points: int) -> tuple[float, list[list[float]]]:
    """Seconds, and for each channel the peak (0..1) of each of ``points`` steps. OSError for what is no sound file."""
    try:
        with soundfile.SoundFile(io.BytesIO(wav)) as file:
            frames, rate = file.frames, file.samplerate
            peaks = np.zeros((points, file.channels), dtype=np.float32)
            at = 0
            for block in file.blocks(BLOCK, dtype="float32", always_2d=True):
                _note(peaks, block, at, frames)
                at += len(block)
    except soundfile.SoundFileError as error:
        raise OSError(str(error)) from None
    return frames / rate, [[round(float(one), 3) for one in channel] for channel in peaks.T]


def _note(peaks: Any, block: Any, at: int, frames: int) -> None:
    steps = (np.arange(at, at + len(block)) * len(peaks)) // max(1, frames)
    np.maximum.at(peaks, np.minimum(steps, len(peaks) - 1), np.abs(block))
