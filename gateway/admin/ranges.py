"""A part of what is served, by bytes (RFC 9110 section 14): without it a browser can't go to a place in a sound.

One range is served. Several, or what is none, may be ignored (§14.2); one that begins behind the end can't be
satisfied.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

_ONE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})", re.ASCII).fullmatch


class Unsatisfiable(ValueError):
    """It begins behind the end, or asks for the last 0 bytes: 416."""


def part_of(size: int, header: str | None) -> tuple[int, int] | None:
    """First and last byte of ``size`` that a Range header wants; None: all. Unsatisfiable."""
    found = _ONE((header or "").strip())
    if found is None or found[0] == "bytes=-":
        return None
    first, last = found[1], found[2]
    if not first:
        if not int(last) or not size:
            raise Unsatisfiable
        return max(0, size - int(last)), size - 1
    if last and int(last) < int(first):
        return None
    if int(first) >= size:
        raise Unsatisfiable
    return int(first), min(int(last), size - 1) if last else size - 1


async def cut(pieces: AsyncIterator[bytes], first: int, last: int) -> AsyncIterator[bytes]:
    """Only those bytes; what comes behind them is not read."""
    at = 0
    async for piece in pieces:
        begin, end = max(first - at, 0), last + 1 - at
        if begin < len(piece):
            yield piece[begin:end]
        at += len(piece)
        if at > last:
            return
