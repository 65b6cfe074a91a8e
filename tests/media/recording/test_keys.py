"""Digits that were pressed in a call are not in what is kept of it; everything else is, to the last code."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.lab.audio import KEYS, PCMA, encode
from media.dtmf import RATE, Detector
from media.recording.keys import without_keys
from media.recording.wav import SILENCE

Codes = NDArray[np.uint8]
NUMBER = "6225*01#"


def codes_of(sound: NDArray[np.float64]) -> Codes:
    return np.frombuffer(encode(np.clip(sound, -1, 1), PCMA), dtype=np.uint8)


def voice(seconds: float, hertz: float = 700.0) -> NDArray[np.float64]:
    return 0.3 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)


def key(digit: str, seconds: float) -> NDArray[np.float64]:
    time = np.arange(round(seconds * RATE)) / RATE
    return sum(0.2 * np.sin(2 * np.pi * hertz * time) for hertz in KEYS[digit])  # type: ignore[return-value]


def heard(codes: Codes) -> str:
    detector, raw = Detector(), codes.tobytes()
    return "".join(detector.receive(at, raw[at : at + 160], PCMA) for at in range(0, len(raw), 160))


@pytest.mark.parametrize("tone", [0.05, 0.1, 0.4])
@pytest.mark.parametrize("offset", [0, 11, 33, 97])
def test_keys_become_silence_and_the_voice_stays(tone: float, offset: int) -> None:
    parts = [voice(1.0), np.zeros(800 + offset)]
    spans = []
    for digit in NUMBER:
        begin = sum(map(len, parts))
        parts += [key(digit, tone), np.zeros(800)]
        spans.append((begin, begin + round(tone * RATE)))
    parts.append(voice(1.0))
    codes = codes_of(np.concatenate(parts))
    assert heard(codes) == NUMBER
    kept = without_keys(codes)
    assert heard(kept) == ""
    for begin, end in spans:
        # A window that began before the tone may keep a trace of its first milliseconds, in which nobody hears a key.
        assert (kept[begin + 80 : end] == SILENCE).all()
    assert (kept[:8000] == codes[:8000]).all()
    assert (kept[-8000:] == codes[-8000:]).all()


def test_what_has_no_keys_is_given_back_as_it_is() -> None:
    codes = codes_of(np.concatenate((voice(2.0), voice(2.0, 1300.0))))
    assert without_keys(codes) is codes
