from __future__ import annotations

import numpy as np
import pytest

from gateway.lab.audio import PCMA, PCMU, SILENCE, alaw, decode, encode, tone


@pytest.mark.parametrize(
    ("codec", "code", "value"),
    [
        (PCMA, 0xD5, 8),
        (PCMA, 0x55, -8),
        (PCMA, 0xAA, 32256),
        (PCMA, 0x2A, -32256),
        (PCMU, 0xFF, 0),
        (PCMU, 0x80, 32124),
        (PCMU, 0x00, -32124),
    ],
)
def test_known_codes(codec: int, code: int, value: int) -> None:
    assert decode(bytes([code]), codec)[0] * 32768 == value


@pytest.mark.parametrize("codec", [PCMA, PCMU])
def test_every_code_comes_back(codec: int) -> None:
    codes = bytes(range(256))
    assert np.array_equal(decode(encode(decode(codes, codec), codec), codec), decode(codes, codec))


def test_a_tone_is_a_second_long_and_none_is_silence() -> None:
    assert len(tone(700)) == 8000
    assert tone(None, PCMU) == bytes([SILENCE[PCMU]]) * 8000
    assert abs(np.max(decode(tone(700))) - 0.3) < 0.01


def test_either_law_as_a_law() -> None:
    assert alaw(b"\xd5\x80", PCMA) == b"\xd5\x80"
    assert np.max(np.abs(decode(alaw(tone(700, PCMU), PCMU)) - decode(tone(700)))) < 0.02
