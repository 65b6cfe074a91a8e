from __future__ import annotations

import struct

import pytest

from gateway.lab.wave import Wave


def wav(data: bytes, *, code: int = 6, channels: int = 2, rate: int = 8000, extra: bytes = b"") -> bytes:
    fmt = struct.pack("<HHIIHHH", code, channels, rate, rate * channels, channels, 8, 0)
    body = b"WAVE" + b"fmt " + struct.pack("<I", len(fmt)) + fmt + extra
    body += b"data" + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def test_frames_and_channels() -> None:
    wave = Wave.parse(wav(bytes(range(8)) * 2000, extra=b"fact" + struct.pack("<II", 4, 8000)))
    assert str(wave) == "A-law, 8000 Hz, 8 bit, 2 channels"
    assert wave.seconds == 1.0
    assert wave.channel(0)[:4] == b"\0\2\4\6"
    assert wave.channel(1)[:4] == b"\1\3\5\7"


@pytest.mark.parametrize(
    "raw",
    [b"", b"RIFF", wav(b"ab")[:-1], wav(b"ab") + b"x", wav(b"ab", channels=0), b"RIFF\x04\0\0\0WAVE"],
)
def test_what_is_no_recording(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Wave.parse(raw)


def test_a_chunk_longer_than_the_file() -> None:
    raw = bytearray(wav(b"ab"))
    raw[-6] = 99
    with pytest.raises(ValueError, match="longer"):
        Wave.parse(bytes(raw))


def test_another_format_is_named() -> None:
    assert str(Wave.parse(wav(b"ab", code=1, channels=1))).startswith("format 1")
