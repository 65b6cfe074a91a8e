"""A-law and mu-law (ITU-T G.711): one 256-byte table each way, for ``bytes.translate``.

A table maps each code to the code of the other law whose level is nearest (RFC 3551 §4.5.14).
"""

from __future__ import annotations

PCMU = 0
PCMA = 8
SILENCE = {PCMA: 0xD5, PCMU: 0xFF}


def alaw_level(code: int) -> int:
    """The 13-bit level of an A-law code, in the scale of 16-bit samples."""
    code ^= 0x55
    exponent, mantissa = (code >> 4) & 7, code & 15
    level = (mantissa << 4) + 8
    if exponent:
        level = (level + 256) << (exponent - 1)
    return level if code & 0x80 else -level


def ulaw_level(code: int) -> int:
    """The 14-bit level of a mu-law code, in the scale of 16-bit samples."""
    code = ~code & 0xFF
    level = ((((code & 15) << 3) + 132) << ((code >> 4) & 7)) - 132
    return -level if code & 0x80 else level


def _table(source: list[int], target: list[int]) -> bytes:
    """Of two codes equally near the higher level counts: silence (mu-law 0xFF, +0) stays silence (A-law 0xD5)."""
    return bytes(
        min(range(256), key=lambda code: (abs(target[code] - level), -target[code], -code)) for level in source
    )


_ALAW = [alaw_level(code) for code in range(256)]
ALAW_LEVELS = tuple(_ALAW)
"""The level of each A-law code."""
_ULAW = [ulaw_level(code) for code in range(256)]
ALAW_TO_ULAW = _table(_ALAW, _ULAW)
ULAW_TO_ALAW = _table(_ULAW, _ALAW)


def to_alaw(level: int) -> int:
    """The A-law code nearest to a 16-bit sample."""
    sign = 0x80 if level >= 0 else 0
    size = min(abs(level), 32767) >> 4
    exponent = max(size.bit_length() - 4, 0)
    mantissa = (size >> (exponent - 1 if exponent else 0)) & 15
    return (sign | (exponent << 4) | mantissa) ^ 0x55
