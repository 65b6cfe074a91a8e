"""Sound files in, A-law out; the tables of the two laws; the pace of a player."""

from __future__ import annotations

from struct import pack

import pytest

from media.g711 import ALAW_TO_ULAW, ULAW_TO_ALAW, alaw_level, to_alaw, ulaw_level
from media.player import Player
from media.tones import ToneError, parse_tone


def wav(body: bytes, *, code: int = 6, channels: int = 1, rate: int = 8000, bits: int = 8, size: int = -1) -> bytes:
    form = b"fmt " + pack("<IHHIIHH", 16, code, channels, rate, rate, 1, bits)
    extra = b"LIST" + pack("<I", 3) + b"abc\0"
    data = b"data" + pack("<I", len(body) if size < 0 else size) + body
    return b"RIFF" + pack("<I", 4 + len(form + extra + data)) + b"WAVE" + form + extra + data


def test_alaw_as_it_is_and_mulaw_converted() -> None:
    codes = bytes(range(256))
    assert parse_tone(wav(codes)) == codes
    assert parse_tone(wav(codes, code=7)) == codes.translate(ULAW_TO_ALAW)


def test_16_bit_samples_become_the_nearest_code() -> None:
    levels = [*range(-32768, 32768, 7), 32767, -32768, 0, -1, 1, 8, -8]
    codes = parse_tone(wav(pack(f"<{len(levels)}h", *levels), code=1, bits=16))
    assert codes == bytes(to_alaw(level) for level in levels)
    for level, code in zip(levels, codes, strict=True):
        assert abs(alaw_level(code) - level) <= max(16, abs(level) / 16)


def test_every_code_comes_back_from_its_level() -> None:
    for code in range(256):
        assert to_alaw(alaw_level(code)) == code


def test_conversion_keeps_sign_and_level() -> None:
    for code in range(256):
        alaw, ulaw = alaw_level(code), ulaw_level(ALAW_TO_ULAW[code])
        assert abs(alaw - ulaw) <= max(16, abs(alaw) / 24)
        assert abs(ulaw_level(code) - alaw_level(ULAW_TO_ALAW[code])) <= max(16, abs(ulaw_level(code)) / 16)


def test_a_size_that_lies_is_cut() -> None:
    assert parse_tone(wav(b"\x55" * 10, size=0xFFFFFFF0)) == b"\x55" * 10


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"RIFF",
        wav(b"")[:44],
        wav(b"", size=0),
        wav(b"12", channels=2),
        wav(b"12", rate=44100),
        wav(b"12", code=2),
        wav(b"12", code=1, bits=24),
        b"RIFF\0\0\0\0WAVEdata\x02\0\0\0ab",
    ],
)
def test_what_cant_be_played_says_why(raw: bytes) -> None:
    with pytest.raises(ToneError, match=r"\w+"):
        parse_tone(raw)


def test_cut_anywhere_it_is_a_shorter_tone_or_an_error() -> None:
    whole = wav(b"\x55" * 400)
    for cut in range(len(whole)):
        try:
            assert len(parse_tone(whole[:cut])) <= 400
        except ToneError:
            continue


def test_a_player_keeps_its_pace_by_the_clock() -> None:
    player = Player("p", [b"\x11" * 400, b"\x22" * 160], loop=True, ptime=20, now=5.0)
    assert player.started == 0.0
    chunks, late = [], 0.0
    for index in range(8):
        late = 0.01 if index % 3 else 0.0
        chunks.append(player.next(player.deadline + late))
    assert player.deadline == pytest.approx(5.16)
    assert player.started == 5.0
    assert chunks[:2] == [b"\x11" * 160] * 2
    assert chunks[2] == b"\x11" * 80 + b"\xd5" * 80
    assert chunks[3:] == [b"\x22" * 160] * 5


def test_after_a_standstill_no_burst() -> None:
    player = Player("p", [b"\x11" * 8000], loop=False, ptime=20, now=0.0)
    player.next(0.0)
    player.next(3.0)
    assert player.deadline == pytest.approx(3.02)
