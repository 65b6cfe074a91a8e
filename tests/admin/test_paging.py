"""Pages: every row once, whatever the size of a page and whatever comes or goes meanwhile."""

from __future__ import annotations

import base64

import pytest

from tests.admin.bench import Bench


async def walk(bench: Bench, size: int) -> list[int]:
    ids, after = [], ""
    while True:
        found = await bench.ok("auditor", "GET", "/audit", limit=size, after=after)
        assert len(found["items"]) <= size
        ids += [row["id"] for row in found["items"]]
        if found["next"] is None:
            return ids
        after = found["next"]


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
async def test_every_row_once(bench: Bench, size: int) -> None:
    for number in range(6):
        await bench.ok("operator", "POST", "/tokens", {"name": f"n{number}", "role": "reviewer"})
    assert await walk(bench, size) == [7, 6, 5, 4, 3, 2, 1]


async def test_a_row_that_comes_meanwhile_moves_none(bench: Bench) -> None:
    for number in range(4):
        await bench.ok("operator", "POST", "/tokens", {"name": f"n{number}", "role": "reviewer"})
    first = await bench.ok("auditor", "GET", "/audit", limit=2)
    await bench.ok("operator", "POST", "/tokens", {"name": "late", "role": "reviewer"})
    second = await bench.ok("auditor", "GET", "/audit", limit=2, after=first["next"])
    assert [row["id"] for row in first["items"] + second["items"]] == [5, 4, 3, 2]


async def test_two_columns_sort_together(bench: Bench) -> None:
    """The bench's five tokens were made within one second, and their ids are random."""
    names, after = [], ""
    while after is not None:
        found = await bench.ok("operator", "GET", "/tokens", limit=2, after=after)
        names += [row["name"] for row in found["items"]]
        after = found["next"]
    assert sorted(names) == ["auditor", "operator", "reviewer", "rival", "tenant"]


WRONG = [b"[1, 2]", b'["a"]', b"[" * 300, b"[true]", b"[1e999]"]


@pytest.mark.parametrize("cursor", ["x", "!!", *(base64.b64encode(wrong).decode() for wrong in WRONG)])
async def test_a_cursor_that_is_none(bench: Bench, cursor: str) -> None:
    assert await bench.refused("auditor", "GET", "/audit", after=cursor) == (400, "invalid", "after")
