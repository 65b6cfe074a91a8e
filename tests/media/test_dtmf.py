"""Digits in sound, to the limits of ITU-T Q.24, and what speech must not make of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gateway.lab.audio import KEYS, PCMU, RATE, Samples, encode
from media.dtmf import Detector
from media.recording import wav

ALL = "123A456B789C*0#D"
SOUNDS = Path(__file__).parents[2] / "media" / "sounds"
FULL = 32256 / 32768
"""Amplitude of a sine of 3.14 dBm0."""


def amplitude(dbm0: float) -> float:
    return float(FULL * 10 ** ((dbm0 - 3.14) / 20))


def keys(
    digits: str,
    *,
    tone: float = 0.04,
    pause: float = 0.04,
    level: float = -10,
    twist: float = 0,
    astray: float = 0,
    offset: int = 0,
) -> Samples:
    """Digits with the low group at ``level`` dBm0, the high group ``twist`` dB above, frequencies ``astray`` off."""
    time = np.arange(round(tone * RATE)) / RATE
    rest = np.zeros(round(pause * RATE))
    parts: list[Samples] = [np.zeros(400 + offset)]
    for digit in digits:
        low, high = (hertz * (1 + astray) for hertz in KEYS[digit])
        parts.append(amplitude(level) * np.sin(2 * np.pi * low * time))
        parts[-1] = parts[-1] + amplitude(level + twist) * np.sin(2 * np.pi * high * time)
        parts.append(rest)
    return np.concatenate([*parts, np.zeros(800)])


def heard(samples: Samples, packet: int = 160, codec: int = 8) -> str:
    detector, codes, found = Detector(), encode(np.clip(samples, -1, 1), codec), ""
    for start in range(0, len(codes), packet):
        found += detector.receive(start, codes[start : start + packet], codec)
    return found


@pytest.mark.parametrize("packet", [80, 160, 240, 480])
@pytest.mark.parametrize("offset", range(0, 102, 17))
def test_every_digit_of_forty_milliseconds_is_heard_once(packet: int, offset: int) -> None:
    assert heard(keys(ALL, offset=offset), packet) == ALL


def test_mu_law() -> None:
    assert heard(keys(ALL), codec=PCMU) == ALL


@pytest.mark.parametrize("level", [0, -5, -15, -25])
def test_levels(level: int) -> None:
    assert heard(keys(ALL, level=level)) == ALL


def test_what_is_too_weak_is_none() -> None:
    assert heard(keys(ALL, level=-38)) == ""


@pytest.mark.parametrize("twist", [-8, -4, 4])
def test_twist(twist: int) -> None:
    assert heard(keys(ALL, twist=twist)) == ALL


@pytest.mark.parametrize("twist", [-12, 9])
def test_too_much_twist_is_no_digit(twist: int) -> None:
    assert heard(keys(ALL, twist=twist)) == ""


@pytest.mark.parametrize("astray", [-0.015, 0.015])
def test_frequencies_a_little_off(astray: float) -> None:
    assert heard(keys(ALL, astray=astray)) == ALL


@pytest.mark.parametrize("astray", [-0.035, 0.035])
def test_frequencies_far_off_are_none(astray: float) -> None:
    assert heard(keys(ALL, astray=astray, tone=0.1)) == ""


@pytest.mark.parametrize("offset", range(0, 102, 17))
def test_less_than_twenty_milliseconds_are_none(offset: int) -> None:
    assert heard(keys(ALL, tone=0.02, offset=offset)) == ""


def test_a_long_digit_is_one_and_a_short_gap_does_not_part_it() -> None:
    assert heard(keys("5", tone=2.0)) == "5"
    whole = keys("5", tone=0.3)
    whole[400 + 1000 : 400 + 1080] = 0
    assert heard(whole) == "5"


def test_the_same_digit_twice() -> None:
    assert heard(keys("5566600")) == "5566600"


@pytest.mark.parametrize("seed", range(5))
def test_noise_fifteen_decibels_below(seed: int) -> None:
    samples = keys(ALL, tone=0.05, pause=0.05)
    noise = np.random.default_rng(seed).normal(0, amplitude(-10) / np.sqrt(2) * 10 ** (-15 / 20), len(samples))
    assert heard(samples + noise) == ALL


@pytest.mark.parametrize("seed", range(3))
def test_a_minute_of_noise_presses_no_key(seed: int) -> None:
    assert heard(np.random.default_rng(seed).normal(0, 0.2, 60 * RATE)) == ""


def test_speech_presses_no_key() -> None:
    for path in sorted(SOUNDS.glob("*.wav")):
        (codes,) = wav.parse(path.read_bytes())
        for pitch in (0.9, 1.0, 1.1):
            speech = wav.decode(codes)
            at = np.arange(0, len(speech) - 1, pitch)
            assert heard(np.interp(at, np.arange(len(speech)), speech)) == "", path.name


@pytest.mark.parametrize(
    ("pitch", "harmonics", "key"),
    [(154.4, {2: 0.5, 3: 0.5, 5: 1.0, 8: 0.8}, "4"), (233.0, {2: 0.4, 3: 1.0, 4: 0.5, 7: 0.8}, "A")],
)
def test_a_voice_whose_harmonics_lie_on_two_tones_presses_no_key(
    pitch: float, harmonics: dict[int, float], key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    time = np.arange(2 * RATE) / RATE
    voice = sum(
        (
            amplitude(-10) * part * np.sin(2 * np.pi * number * pitch * time + number)
            for number, part in harmonics.items()
        ),
        np.zeros(len(time)),
    )
    assert heard(voice) == ""
    monkeypatch.setattr("media.dtmf._ALONE", 0.0)
    assert set(heard(voice)) == {key}, "window by window it can't be told from the key"


def test_digits_over_the_echo_of_a_prompt() -> None:
    (codes,) = wav.parse((SOUNDS / "notice.wav").read_bytes())
    digits = keys(ALL, tone=0.07, pause=0.07)
    echo = np.resize(wav.decode(codes), len(digits))
    echo *= amplitude(-25) / np.sqrt(2 * np.mean(echo**2))
    assert heard(digits + echo) == ALL


def test_a_lost_packet_parts_no_digit_and_a_long_gap_does() -> None:
    codes = encode(keys("5", tone=0.2))
    detector, found = Detector(), ""
    for start in range(0, len(codes), 160):
        if start != 1120:
            found += detector.receive(start, codes[start : start + 160], 8)
    assert found == "5"
    tone = codes[480 : 480 + 800]
    detector = Detector()
    assert detector.receive(0, tone, 8) + detector.receive(800 + 4000, tone, 8) == "55"


def test_deaf_ears_hear_nothing() -> None:
    detector = Detector()
    detector.deafen()
    assert detector.receive(0, encode(keys("123")), 8) == ""
