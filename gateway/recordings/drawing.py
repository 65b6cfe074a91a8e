"""A recording as a picture: the two channels' waveform in the terminal, or as a PNG (extra ``plot``); and what is to be
heard on each."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from media.recording.wav import LEVELS, RATE, SILENCE, Codes

_BLOCKS = " ▁▂▃▄▅▆▇█"
_FLOOR = 60.0  # dB below full scale: nothing is drawn
_NAMES = ("caller", "callee")
_TALKING = 0.01  # of full scale, -40 dB


@dataclass(frozen=True, slots=True)
class Heard:
    """One channel: its level while somebody talks (dBFS, None: nobody ever does), its peak, seconds with sound, and
    seconds in which nothing came at all (gaps, mute, DTX)."""

    level: float | None
    peak: float
    talking: float
    silent: float


def heard(codes: Codes) -> Heard:
    """What a channel is like, in windows of 20 ms."""
    levels = LEVELS[codes]
    whole = levels[: len(levels) // 160 * 160].reshape(-1, 160)
    loud = np.sqrt((whole**2).mean(axis=1)) if len(whole) else np.zeros(0)
    talks = loud >= _TALKING
    silent = (codes[: len(whole) * 160].reshape(-1, 160) == SILENCE).all(axis=1) if len(whole) else np.zeros(0, bool)
    level = 20 * float(np.log10(np.sqrt((loud[talks] ** 2).mean()))) if talks.any() else None
    peak = float(np.abs(levels).max(initial=0.0))
    return Heard(level, 20 * float(np.log10(max(peak, 1e-3))), float(talks.sum()) / 50, float(silent.sum()) / 50)


def wave_line(codes: Codes, width: int) -> str:
    """One line of blocks, the loudest sample of each column on a scale of decibels."""
    if not len(codes):
        return " " * width
    edges = np.linspace(0, len(codes), width + 1).astype(int)
    columns = [np.abs(LEVELS[codes[a : max(b, a + 1)]]).max(initial=0.0) for a, b in pairwise(edges.tolist())]
    steps = [round((20 * np.log10(max(column, 1e-6)) + _FLOOR) / _FLOOR * 8) for column in columns]
    return "".join(_BLOCKS[min(8, max(0, step))] for step in steps)


def scale_line(seconds: float, width: int) -> str:
    """Times below the columns."""
    line = [" "] * width
    for part in range(0, 5):
        text = clock(seconds * part / 4)
        at = min(width - len(text), round((width - 1) * part / 4))
        line[max(0, at) : max(0, at) + len(text)] = text
    return "".join(line)[:width]


def clock(seconds: float) -> str:
    """``1:02:03``, ``2:03``."""
    whole = round(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def write_png(path: Path, channels: tuple[Codes, ...], title: str, notices: list[Any] | None = None) -> None:
    """Both channels, one above the other, with the notice shaded. ImportError without the extra ``plot``."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 5), layout="constrained")
    FigureCanvasAgg(figure)
    for number, codes in enumerate(channels):
        axes = figure.add_subplot(len(channels), 1, number + 1)
        edges = np.linspace(0, len(codes), min(len(codes), 2400) + 1).astype(int)[:-1]
        levels = LEVELS[codes]
        if len(edges):
            low, high = np.minimum.reduceat(levels, edges), np.maximum.reduceat(levels, edges)
            axes.fill_between(edges / RATE, low, high, color=("#1f6f8b", "#b5543a")[number % 2], linewidth=0.3)
        span = notices[number] if notices and number < len(notices) else None
        if span:
            axes.axvspan(max(0.0, span[0]), max(0.0, span[1]), color="#e6c229", alpha=0.3, label="notice")
            axes.legend(loc="upper right")
        axes.set(ylim=(-1, 1), xlim=(0, max(1e-3, len(codes) / RATE)), ylabel=_NAMES[number % 2])
    axes.set_xlabel("seconds")
    figure.suptitle(title)
    figure.savefig(path, format="png")
