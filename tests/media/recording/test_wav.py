from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from media.recording import wav


def test_silence_is_d5_and_every_code_survives() -> None:
    codes = np.arange(256, dtype=np.uint8)
    assert (wav.encode(wav.decode(codes)) == codes).all()
    assert wav.encode(np.zeros(1))[0] == wav.SILENCE
    assert wav.FROM_MULAW[0xFF] == wav.SILENCE


@pytest.mark.parametrize(("channels", "frames"), [(1, 801), (1, 800), (2, 801), (2, 0)])
def test_a_file_is_read_back_and_other_programs_agree(channels: int, frames: int) -> None:
    random = np.random.default_rng(7)
    codes = tuple(random.integers(0, 256, frames).astype(np.uint8) for _ in range(channels))
    raw = wav.build(codes)
    assert len(raw) % 2 == 0
    assert all((a == b).all() for a, b in zip(wav.parse(raw), codes, strict=True))
    sound, rate = soundfile.read(io.BytesIO(raw), always_2d=True)
    info = soundfile.info(io.BytesIO(raw))
    assert (rate, info.subtype, info.channels, info.frames) == (8000, "ALAW", channels, frames)
    for number in range(channels):
        assert np.abs(sound[:, number] - wav.decode(codes[number])).max(initial=0) < 1e-9


def test_mulaw_is_converted_to_the_nearest_level() -> None:
    tone = 0.5 * np.sin(np.arange(8000) * 2 * np.pi * 700 / 8000)
    raw = io.BytesIO()
    soundfile.write(raw, tone, 8000, format="WAV", subtype="ULAW")
    codes = np.frombuffer(raw.getvalue()[-8000:], np.uint8)
    assert np.abs(wav.decode(wav.FROM_MULAW[codes]) - tone).max() < 0.03


def test_what_is_no_alaw_file_is_refused() -> None:
    raw = wav.build((np.zeros(10, np.uint8),))
    pcm = io.BytesIO()
    soundfile.write(pcm, np.zeros(10), 8000, format="WAV", subtype="PCM_16")
    for bad in (b"", raw[:-1], raw[:20], b"RIFX" + raw[4:], pcm.getvalue()):
        with pytest.raises(ValueError, match=r"."):
            wav.parse(bad)
    with pytest.raises(ValueError, match="equal length"):
        wav.build((np.zeros(1, np.uint8), np.zeros(2, np.uint8)))
