"""Any sound that libsndfile reads, as the one form that calls play: WAV, A-law, 8000 Hz, mono (section 11).

A file in that form is kept byte for byte. Others are read in blocks of a few seconds, so that memory does not grow with
the rate, the channels or the length of what somebody uploads; a length that the head claims is not believed.

    channels    their mean
    rate        the spectrum is cut at 3900 Hz (softly, from 3600 Hz) and brought to 8000 Hz, block by block with a
                margin on both sides, whose samples are thrown away
    level       kept; brought down when it would clip
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import soundfile

from media.recording.wav import RATE, Samples, build, encode
from media.tones import ToneError, parse_tone

LARGEST = 2_000_000
LONGEST = 240.0
UPLOAD_LIMIT = 32_000_000
_BLOCK, _MARGIN = 4, 1
_RATES = range(4_000, 192_001)
_CHANNELS = 16
_CUT, _SOFT = 3900.0, 300.0


class _Bytes(io.BytesIO):
    """libsndfile seeks before the beginning when a head says so; an exception there would be printed, not raised."""

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self.tell()}.get(whence, self.getbuffer().nbytes)
        return super().seek(max(0, start + offset))


class SoundError(ValueError):
    """A sound that can't be taken, and why, in words for who uploaded it."""


@dataclass(frozen=True, slots=True)
class Sound:
    """A WAV file of the one form. ``converted``: it was not that already."""

    wav: bytes
    seconds: float
    converted: bool


def convert(raw: bytes) -> Sound:
    """The sound in the one form. SoundError."""
    if len(raw) > UPLOAD_LIMIT:
        raise SoundError(f"the file is larger than {UPLOAD_LIMIT // 1_000_000} MB")
    try:
        with soundfile.SoundFile(_Bytes(raw)) as file:
            form = (file.format, file.subtype, file.samplerate, file.channels)
            if form == ("WAV", "ALAW", RATE, 1):
                return _kept(raw)
            return _converted(file)
    except soundfile.LibsndfileError:
        raise SoundError("this is no sound file that can be read") from None


def _kept(raw: bytes) -> Sound:
    if len(raw) > LARGEST:
        raise SoundError(f"the file is larger than {LARGEST // 1_000_000} MB")
    try:
        samples = parse_tone(raw)
    except ToneError as error:
        raise SoundError(str(error)) from None
    return _checked(Sound(raw, len(samples) / RATE, False))


def _converted(file: soundfile.SoundFile) -> Sound:
    if file.samplerate not in _RATES or not 1 <= file.channels <= _CHANNELS:
        raise SoundError(f"{file.samplerate} Hz and {file.channels} channels can't be converted")
    parts = list(_resampled(_mono(file), file.samplerate))
    samples = np.concatenate(parts) if parts else np.zeros(0)
    peak = float(np.max(np.abs(samples), initial=0.0))
    if peak > 1.0:
        samples = samples / peak
    return _checked(Sound(build((encode(samples),)), len(samples) / RATE, True))


def _checked(sound: Sound) -> Sound:
    if sound.seconds < 0.1:
        raise SoundError("the sound is empty, or shorter than 0.1 s")
    if sound.seconds > LONGEST:
        raise SoundError(f"the sound is longer than {LONGEST:.0f} s")
    return sound


def _mono(file: soundfile.SoundFile) -> Iterator[Samples]:
    """One second after the other, the last one short."""
    read = 0
    for block in _blocks(file):
        read += len(block)
        if read > LONGEST * file.samplerate:
            raise SoundError(f"the sound is longer than {LONGEST:.0f} s")
        if not np.isfinite(block).all():
            raise SoundError("the file holds values that are no sound")
        yield block.mean(axis=1, dtype=np.float64)


def _blocks(file: soundfile.SoundFile) -> Iterator[npt.NDArray[np.float32]]:
    """A second of all channels after the other."""
    rate = file.samplerate
    if file.format == "MP3":
        # soundfile seeks after each read, and an MP3 decoder that is sent somewhere begins with silence.
        whole = file.read(round((LONGEST + 1) * rate), dtype="float32", always_2d=True)
        yield from (whole[start : start + rate] for start in range(0, len(whole), rate))
        return
    while len(block := file.read(rate, dtype="float32", always_2d=True)):
        yield block


def _resampled(seconds: Iterator[Samples], rate: int) -> Iterator[Samples]:
    """Blocks of ``_BLOCK`` seconds at 8000 Hz, each worked out with its neighbours' last and first second."""
    held = [np.zeros(rate * _MARGIN)]
    total = 0
    for second in seconds:
        total += len(second)
        held.append(second)
        if len(held) == _MARGIN + _BLOCK + _MARGIN:
            yield _block(np.concatenate(held), rate)
            held = held[_BLOCK:]
    last = np.concatenate(held)
    left = len(last) - rate * _MARGIN
    if left > 0:
        padded = np.concatenate([last, np.zeros(rate * (2 * _BLOCK + 2 * _MARGIN) - len(last))])
        whole = np.concatenate([_block(padded[start : start + rate * (_BLOCK + 2 * _MARGIN)], rate)
                                for start in (0, rate * _BLOCK)])  # fmt: skip
        yield whole[: round(left * RATE / rate)]


def _block(samples: Samples, rate: int) -> Samples:
    """``_BLOCK`` seconds out of the middle, at 8000 Hz."""
    count = len(samples) * RATE // rate
    spectrum = np.fft.rfft(samples)[: count // 2 + 1]
    spectrum = np.pad(spectrum, (0, count // 2 + 1 - len(spectrum)))
    hertz = np.arange(len(spectrum)) * RATE / count
    spectrum *= np.clip((_CUT - hertz) / _SOFT, 0.0, 1.0)
    out = np.fft.irfft(spectrum, count) * (count / len(samples))
    return out[RATE * _MARGIN : RATE * (_MARGIN + _BLOCK)]
