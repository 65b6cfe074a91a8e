"""Digits in INFO bodies, as phones write them and as they should not."""

from __future__ import annotations

import pytest

from gateway.calls.info_digits import info_digit

RELAY = "application/dtmf-relay"


@pytest.mark.parametrize(
    ("kind", "body", "digit"),
    [
        (RELAY, b"Signal=5\r\nDuration=160\r\n", "5"),
        (RELAY, b"Signal= 5\nDuration= 160", "5"),
        (RELAY, b"Duration=160\r\nsignal = * \r\n", "*"),
        (RELAY, b"Signal=11\r\n", "#"),
        (RELAY, b"Signal=10\r\n", "*"),
        (RELAY, b"Signal=d\r\n", "D"),
        ("Application/DTMF-Relay; charset=x", b"Signal=0", "0"),
        ("application/dtmf", b"7\r\n", "7"),
        ("application/dtmf", b"12", "A"),
        ("application/dtmf", b"", ""),
        ("application/dtmf", b"\xff\xfe", ""),
        (RELAY, b"", ""),
        (RELAY, b"Signal=16", ""),
        (RELAY, b"Signal=123", ""),
        (RELAY, b"NoSignal=5", ""),
        (RELAY, b"x" * 100_000 + b"\nSignal=5", ""),
        ("text/plain", b"Signal=5", ""),
        ("", b"5", ""),
    ],
)
def test_info_digits(kind: str, body: bytes, digit: str) -> None:
    assert info_digit(kind, body) == digit
