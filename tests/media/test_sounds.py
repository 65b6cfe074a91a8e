"""What every sound must be for the gateway to play it and for the demo to know it again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

import media.sounds
from gateway.lab.analysis import seconds_of
from media.recording import wav

FOLDER = Path(next(iter(media.sounds.__path__)))
TONES = {
    "ringback": (450, 0.9, 5.0),
    "waiting": (620, 1.0, 3.0),
    "notice": (950, 0.4, 2.8),
    "no_binding": (350, 0.4, 9.0),
    "no_permission": (350, 0.4, 5.0),
    "failed": (350, 0.4, 7.0),
    "enter_extension": (1100, 0.4, 5.0),
    "wrong_extension": (1100, 0.4, 7.0),
    "wrong_goodbye": (350, 0.4, 7.0),
    "no_extension": (350, 0.4, 7.0),
    "last_minute": (1400, 0.3, 5.0),
}


def test_every_file_is_known_and_there() -> None:
    assert {path.stem for path in FOLDER.glob("*.wav")} == set(TONES)


@pytest.mark.parametrize("name", TONES)
def test_a_sound_has_its_format_its_tone_and_its_length(name: str) -> None:
    hertz, at_least, longest = TONES[name]
    path = FOLDER / f"{name}.wav"
    info = soundfile.info(path)
    assert (info.format, info.subtype, info.samplerate, info.channels) == ("WAV", "ALAW", 8000, 1)
    (codes,) = wav.parse(path.read_bytes())
    samples = wav.decode(codes)
    assert len(samples) / 8000 <= longest
    assert 0.25 <= np.abs(samples).max() <= 0.55
    assert seconds_of(samples, hertz) >= at_least
    foreign = {other for other, *_ in TONES.values()} - {hertz} | {700, 1300}
    assert {other: seconds for other in foreign if (seconds := seconds_of(samples, other)) > 0.05} == {}


@pytest.mark.parametrize("name", [name for name in TONES if name not in ("ringback", "waiting")])
def test_a_notice_also_speaks(name: str) -> None:
    (codes,) = wav.parse((FOLDER / f"{name}.wav").read_bytes())
    assert np.abs(wav.decode(codes[8000:])).max() > 0.3
