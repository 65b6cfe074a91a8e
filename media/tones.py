"""Sound files that can be played: WAV, 8000 Hz, mono, A-law; mu-law and 16-bit PCM are converted on loading."""

from __future__ import annotations

from functools import cache
from struct import unpack_from

from media.g711 import ULAW_TO_ALAW, to_alaw

LIMIT = 8000 * 60 * 10


class ToneError(Exception):
    """A file that can't be played, and why."""


def parse_tone(raw: bytes) -> bytes:
    """The A-law samples of a WAV file. Sizes that lie are cut to what is there. ToneError."""
    if len(raw) < 12 or raw[:4] != b"RIFF" or raw[8:12] != b"WAVE":
        raise ToneError("not a WAV file")
    position, form = 12, None
    while position + 8 <= len(raw):
        name, size = raw[position : position + 4], int.from_bytes(raw[position + 4 : position + 8], "little")
        body = raw[position + 8 : position + 8 + size]
        if name == b"fmt " and len(body) >= 16:
            form = unpack_from("<HHIIHH", body)
        elif name == b"data":
            if form is None:
                break
            return _samples(form, body)
        position += 8 + size + size % 2
    raise ToneError("no samples in it")


@cache
def _alaw_codes() -> bytes:
    """The A-law code of each 16-bit sample, by its unsigned value: minutes of sound are converted while calls wait."""
    return bytes(to_alaw(level - 0x10000 if level >= 0x8000 else level) for level in range(0x10000))


def _samples(form: tuple[int, ...], body: bytes) -> bytes:
    code, channels, rate, _, _, bits = form
    if rate != 8000 or channels != 1:
        raise ToneError(f"{rate} Hz and {channels} channels, not 8000 Hz mono")
    match code, bits:
        case (6, 8):
            samples = body
        case (7, 8):
            samples = body.translate(ULAW_TO_ALAW)
        case (1, 16):
            even = body[: len(body) // 2 * 2]
            samples = bytes(map(_alaw_codes().__getitem__, memoryview(even).cast("H")))
        case _:
            raise ToneError("neither A-law, mu-law nor 16-bit PCM")
    if not samples or len(samples) > LIMIT:
        raise ToneError("empty, or longer than ten minutes")
    return samples
