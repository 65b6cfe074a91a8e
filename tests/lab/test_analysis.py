from __future__ import annotations

import numpy as np
import pytest

from gateway.lab.analysis import FLOOR, MEANINGS, ToneWatch, decibels, dominant, level, rms, seconds_of
from gateway.lab.audio import RATE, SILENCE, decode, tone


def test_levels_in_decibels_of_full_scale() -> None:
    samples = np.sin(2 * np.pi * 700 * np.arange(RATE) / RATE)
    assert level(samples, 700) == pytest.approx(0, abs=0.01)
    assert rms(samples) == pytest.approx(0, abs=0.01)
    assert level(samples / 10, 700) == pytest.approx(-20, abs=0.01)
    assert level(samples, 1300) < -90
    assert level(samples[:0], 700) == rms(samples[:0]) == decibels(0) == FLOOR


@pytest.mark.parametrize("hertz", MEANINGS)
def test_each_tone_is_told_from_the_others(hertz: int) -> None:
    for block in (800, 8000):
        assert dominant(decode(tone(hertz)[:block])) == hertz


def test_silence_and_noise_are_no_tone() -> None:
    assert dominant(decode(bytes([SILENCE[8]]) * 800)) is None
    assert dominant(np.random.default_rng(1).normal(0, 0.1, 800)) is None


def test_how_long_a_tone_is_heard() -> None:
    samples = decode(tone(620) + tone(None) + tone(620)[:4000])
    assert seconds_of(samples, 620) == pytest.approx(1.5, abs=0.11)
    assert seconds_of(samples, 950) == 0


def test_the_watch_says_when_tones_start_and_stop() -> None:
    audio = tone(620) + tone(None) + tone(950) + tone(1300) + tone(None)
    watch = ToneWatch()
    changes = []
    for start in range(0, len(audio), 160):
        changes += watch.feed(start / RATE, audio[start : start + 160])
    assert [(change.hertz, change.started) for change in changes] == [
        (620, True), (620, False), (950, True), (950, False), (1300, True), (1300, False),
    ]  # fmt: skip
    assert [change.meaning for change in changes[::2]] == ["waiting tone", "recording notice", "B's voice"]
    assert all(change.lasted == pytest.approx(0.9, abs=0.15) for change in changes[1::2])
    assert changes[2].at == pytest.approx(2.1, abs=0.1)


def test_a_short_gap_breaks_no_tone_and_time_alone_ends_it() -> None:
    audio = tone(620) + tone(None)[:3200] + tone(620)
    watch = ToneWatch()
    changes = []
    for start in range(0, len(audio), 160):
        changes += watch.feed(start / RATE, audio[start : start + 160])
    assert [change.started for change in changes] == [True]
    assert watch.tone == 620
    assert watch.quiet(2.5) == []
    assert [change.started for change in watch.quiet(3.2)] == [False]
    assert watch.tone is None
