from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from media.recording import wav
from media.recording.forms import Mixer, from_flac, to_flac


def noise(frames: int, seed: int) -> wav.Codes:
    return np.random.default_rng(seed).integers(0, 256, frames, np.uint8)


@pytest.mark.parametrize("frames", [1, 2, 8001])
def test_flac_gives_back_the_same_wav(frames: int) -> None:
    both = (noise(frames, 1), noise(frames, 2))
    assert b"".join(from_flac(to_flac(np.stack(both, axis=1)))) == wav.build(both)


def test_every_code_survives_and_other_programs_hear_the_same() -> None:
    codes = np.arange(256, dtype=np.uint8)
    flac = to_flac(np.stack((codes, codes[::-1]), axis=1))
    assert b"".join(from_flac(flac)) == wav.build((codes, codes[::-1]))
    heard, rate = soundfile.read(io.BytesIO(flac), always_2d=True)
    assert (rate, heard.shape) == (8000, (256, 2))
    assert np.allclose(heard[:, 0], wav.decode(codes))


def test_flac_is_smaller_where_one_listens() -> None:
    talk = wav.encode(0.2 * np.sin(np.arange(80_000) / 3) * np.random.default_rng(1).random(80_000))
    silent = np.full(80_000, wav.SILENCE, np.uint8)
    one = np.stack((np.concatenate((talk, silent)), np.concatenate((silent, talk))), axis=1)
    assert len(to_flac(one)) < 0.75 * one.size


@pytest.mark.parametrize("raw", [b"", b"fLaC", b"RIFF" + bytes(100)])
def test_what_is_no_flac_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match="can't be read"):
        list(from_flac(raw))


@pytest.mark.parametrize("piece", [1, 7, 58, 4096])
@pytest.mark.parametrize("frames", [0, 1, 1000, 1001])
def test_the_mix_is_the_sum_of_both(piece: int, frames: int) -> None:
    both = (noise(frames, 3), noise(frames, 4))
    stereo = wav.build(both)
    mixer = Mixer(len(stereo))
    mono = b"".join(mixer.feed(stereo[start : start + piece]) for start in range(0, len(stereo), piece))
    assert len(mono) == mixer.size
    (mixed,) = wav.parse(mono)
    wanted = np.clip(wav.decode(both[0]) + wav.decode(both[1]), -1.0, 1.0)
    assert np.array_equal(mixed, wav.encode(wanted))


def test_silence_leaves_the_other_as_it_was() -> None:
    voice = noise(5000, 5)
    stereo = wav.build((voice, np.full(5000, wav.SILENCE, np.uint8)))
    (mixed,) = wav.parse(Mixer(len(stereo)).feed(stereo))
    # Silence is the smallest code, not nothing: it may move a sample to the next code, a 32nd of it away.
    voice_level = np.abs(wav.decode(voice))
    assert np.abs(wav.decode(mixed) - wav.decode(voice)).max() <= 16 / 32768 + voice_level.max() / 32
