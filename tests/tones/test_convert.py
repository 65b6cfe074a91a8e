"""Any sound becomes A-law at 8000 Hz: same pitch, same level, same length; and what is no sound costs nothing."""

from __future__ import annotations

import io
import random
import struct
import tracemalloc
from contextlib import suppress

import numpy as np
import pytest
import soundfile

from gateway.tones.convert import LONGEST, SoundError, convert
from media.recording import wav
from media.tones import parse_tone


def sine(
    rate: int, seconds: float = 2.0, *, hertz: float = 1000.0, level: float = 0.3, channels: int = 1
) -> np.ndarray:
    one = level * np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate)
    return np.stack([one] * channels, axis=1)


def file(samples: np.ndarray, rate: int, form: str = "WAV", subtype: str | None = None) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, samples, rate, format=form, subtype=subtype)
    return out.getvalue()


def heard(raw: bytes) -> np.ndarray:
    (codes,) = wav.parse(convert(raw).wav)
    return wav.decode(codes)


def level(samples: np.ndarray, hertz: float) -> float:
    """Amplitude of a tone in the middle second."""
    middle = samples[len(samples) // 2 - 4000 : len(samples) // 2 + 4000]
    return 2 * abs(np.dot(middle, np.exp(-2j * np.pi * hertz * np.arange(8000) / 8000))) / 8000


@pytest.mark.parametrize("rate", [4000, 8000, 11025, 16000, 22050, 44100, 48000, 96000, 192000])
@pytest.mark.parametrize("seconds", [1.5, 4.0, 7.3])
def test_pitch_level_and_length_stay(rate: int, seconds: float) -> None:
    samples = heard(file(sine(rate, seconds), rate))
    assert abs(len(samples) - 8000 * seconds) <= 1
    assert level(samples, 1000) == pytest.approx(0.3, rel=0.02)
    # No seam between blocks: what is not the tone is the noise of A-law.
    ideal = 0.3 * np.sin(2 * np.pi * 1000 * np.arange(len(samples)) / 8000)
    error = (samples - ideal)[800:-800]
    assert float(np.sqrt(np.mean(error**2))) < 0.01


KINDS = [("WAV", "PCM_16"), ("WAV", "PCM_24"), ("WAV", "FLOAT"), ("WAV", "ULAW"), ("WAV", "IMA_ADPCM"), ("FLAC", None),
         ("OGG", "VORBIS"), ("OGG", "OPUS"), ("AIFF", None), ("MP3", None), ("AU", None), ("CAF", None)]  # fmt: skip


@pytest.mark.parametrize(("form", "subtype"), KINDS)
def test_every_kind_of_file(form: str, subtype: str | None) -> None:
    samples = heard(file(sine(16000), 16000, form, subtype))
    assert level(samples, 1000) == pytest.approx(0.3, rel=0.1)


def test_channels_become_their_mean() -> None:
    left, right = sine(8000, hertz=500), sine(8000, hertz=1500)
    samples = heard(file(np.concatenate([left, right], axis=1), 8000))
    assert level(samples, 500) == pytest.approx(0.15, rel=0.05)
    assert level(samples, 1500) == pytest.approx(0.15, rel=0.05)


@pytest.mark.parametrize("hertz", [4300, 5000, 7000, 15000])
def test_what_a_telephone_can_t_carry_does_not_come_back_as_another_tone(hertz: float) -> None:
    samples = heard(file(sine(48000, hertz=hertz), 48000))
    assert float(np.max(np.abs(samples[800:-800]))) < 0.01


def test_too_loud_is_brought_down_and_not_cut() -> None:
    samples = heard(file(sine(16000, level=2.0), 16000, "WAV", "FLOAT"))
    assert level(samples, 1000) == pytest.approx(1.0, rel=0.05)
    assert level(samples, 3000) < 0.02


def test_the_exact_form_is_kept_byte_for_byte() -> None:
    raw = wav.build((wav.encode(sine(8000)[:, 0]),)) + b"LIST\x04\0\0\0abcd"
    sound = convert(raw)
    assert (sound.wav, sound.seconds, sound.converted) == (raw, 2.0, False)
    assert convert(file(sine(8000), 8000)).converted


def test_the_result_is_what_the_player_reads() -> None:
    assert len(parse_tone(convert(file(sine(44100), 44100)).wav)) == 16000


@pytest.mark.parametrize(
    "raw",
    [b"", b"RIFF", b"hello, world" * 100, b"RIFF\xff\xff\xff\xffWAVE", b"\0" * 5000, b"fLaC" + b"\0" * 50, b"OggS" * 30,
     b"ID3\x03\0\0\0\0\0\0"],
)  # fmt: skip
def test_what_is_no_sound(raw: bytes) -> None:
    with pytest.raises(SoundError):
        convert(raw)


def test_too_long_too_short_not_a_number() -> None:
    with pytest.raises(SoundError, match="longer than"):
        convert(file(np.zeros((4000 * (round(LONGEST) + 2), 1)), 4000))
    with pytest.raises(SoundError, match=r"shorter than 0\.1 s"):
        convert(file(sine(8000, 0.05), 8000))
    with pytest.raises(SoundError, match="empty"):
        convert(wav.build((np.zeros(0, np.uint8),)))
    wrong = sine(8000)
    wrong[5000] = np.nan
    with pytest.raises(SoundError, match="no sound"):
        convert(file(wrong, 8000, "WAV", "FLOAT"))


def test_a_bomb_of_silence_costs_little() -> None:
    """Half an hour of silence in 8 channels is a small FLAC file."""
    out = io.BytesIO()
    with soundfile.SoundFile(out, "w", 8000, 8, format="FLAC") as made:
        for _ in range(180):
            made.write(np.zeros((8000 * 10, 8), np.int16))
    raw = out.getvalue()
    assert len(raw) < 200_000
    tracemalloc.start()
    with pytest.raises(SoundError, match="longer than"):
        convert(raw)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 60_000_000


def test_a_head_that_lies_about_the_length() -> None:
    raw = bytearray(file(sine(16000), 16000))
    struct.pack_into("<I", raw, raw.index(b"data") + 4, 0xFFFFFFF0)
    assert convert(bytes(raw)).seconds == pytest.approx(2.0, abs=0.01)
    lying = bytearray(wav.build((wav.encode(sine(8000)[:, 0]),)))
    struct.pack_into("<I", lying, lying.index(b"data") + 4, 0x7FFFFFF0)
    assert convert(bytes(lying)).seconds == pytest.approx(2.0, abs=0.01)


def test_any_damage_is_an_error_or_a_sound() -> None:
    generator = random.Random(20261124)
    good = [file(sine(16000, 0.5), 16000, form) for form in ("WAV", "FLAC", "OGG", "AIFF")]
    taken = 0
    for _ in range(300):
        raw = bytearray(generator.choice(good))
        for _ in range(generator.randint(1, 8)):
            raw[generator.randrange(min(len(raw), 400))] = generator.randrange(256)
        with suppress(SoundError):
            taken += convert(bytes(raw[: generator.randint(20, len(raw))])).seconds > 0
    assert 0 < taken < 300
