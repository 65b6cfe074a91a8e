"""The list of recordings: by time, by state, those that are held; each enterprise its own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert

from gateway.calls.record import recording_name
from gateway.database import writing
from gateway.schema import recording
from tests.admin.bench import Bench

HOURS = (10, 11, 12)


async def fill(bench: Bench) -> list[str]:
    key = str((await bench.ok("operator", "POST", "/applications", {"mode": "AXB", "enterprise": "shop"}))["key"])
    begun = [datetime(2026, 11, 23, hour, 30, tzinfo=UTC) for hour in HOURS]
    names = [recording_name(at, lambda at=at: f"seed {at}") for at in begun]  # type: ignore[misc]
    rows: list[dict[str, Any]] = [
        {"name": name, "session": f"call {place}", "application": owner, "spool": "", "state": state, "object": name,
         "created_at": at.timestamp(), "answered_at": at.timestamp(), "seconds": 12.5, "size": 1000,
         "hold": '{"by": "me", "why": "case 7", "at": 1.0}' if place == 1 else None}
        for place, (name, at, owner, state) in enumerate(
            zip(names, begun, (key, key, "file"), ("ready", "ready", "erased"), strict=True))
    ]  # fmt: skip
    async with writing(bench.engine) as connection:
        await connection.execute(insert(recording), rows)
    return names


async def found(bench: Bench, who: str, query: str = "") -> list[str]:
    return [row["session"] for row in (await bench.ok(who, "GET", f"/recordings{query}"))["items"]]


async def test_by_time_state_and_hold(bench: Bench) -> None:
    await fill(bench)
    assert await found(bench, "operator") == ["call 2", "call 1", "call 0"]
    assert await found(bench, "operator", "?since=2026-11-23T11:00:00Z") == ["call 2", "call 1"]
    assert await found(bench, "operator", "?since=2026-11-23T19:00:00%2B08:00&before=2026-11-23T12:30:00Z") == [
        "call 1"
    ]
    assert await found(bench, "operator", "?state=erased") == ["call 2"]
    assert await found(bench, "auditor", "?held=true") == ["call 1"]
    assert (await bench.refused("operator", "GET", "/recordings?since=2026-11-23T11:00:00"))[0] == 400


async def test_what_is_said_of_one_and_to_whom(bench: Bench) -> None:
    names = await fill(bench)
    (row,) = (await bench.ok("tenant", "GET", "/recordings?held=true"))["items"]
    assert (row["name"], row["begun"], row["seconds"], row["held"]) == (names[1], "2026-11-23T11:30:00Z", 12.5, True)
    assert await found(bench, "tenant") == ["call 1", "call 0"]
    assert await found(bench, "rival") == []
    assert (await bench.refused("reviewer", "GET", "/recordings"))[0] == 403
