"""A part of a sound, by bytes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gateway.admin.ranges import Unsatisfiable, cut, part_of

DATA = bytes(range(100))


async def pieces(size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(DATA), size):
        yield DATA[start : start + size]


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("bytes=0-", (0, 99)), ("bytes=40-49", (40, 49)), ("bytes=90-1000", (90, 99)), ("bytes=-10", (90, 99)),
        ("bytes=-1000", (0, 99)), ("bytes=99-99", (99, 99)), (None, None), ("", None), ("bytes=-", None),
        ("bytes=5-4", None), ("bytes=0-1,5-6", None), ("lines=0-4", None), ("bytes=\u0661-2", None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("size", [1, 7, 100])
async def test_one_range_is_cut_out(header: str | None, part: tuple[int, int] | None, size: int) -> None:
    assert part_of(len(DATA), header) == part
    first, last = part or (0, 99)
    assert b"".join([piece async for piece in cut(pieces(size), first, last)]) == DATA[first : last + 1]


@pytest.mark.parametrize(("size", "header"), [(100, "bytes=100-"), (100, "bytes=-0"), (0, "bytes=0-"), (0, "bytes=-5")])
def test_what_begins_behind_the_end_can_not_be_had(size: int, header: str) -> None:
    with pytest.raises(Unsatisfiable):
        part_of(size, header)
