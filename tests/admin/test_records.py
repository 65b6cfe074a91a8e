"""Searching and exporting calls and messages; statistics; why a past call went as it did; and who sees the numbers."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from typing import Any

import pytest

from gateway.causes import Cause
from tests.admin.bench import Bench
from tests.records.bench import A, B, X, fee, notice, put

OTHER = "+8617000000009"


async def make(bench: Bench) -> str:
    return str((await bench.ok("operator", "POST", "/applications", {"mode": "AXB", "enterprise": "shop"}))["key"])


async def fill(bench: Bench) -> str:
    key, now = await make(bench), bench.clock()
    await put(
        bench.engine,
        [
            fee("s1", key, now - timedelta(minutes=3)),
            fee("s2", key, now - timedelta(minutes=2), cause=Cause.BUSY, x=OTHER),
            fee("s3", "file", now - timedelta(minutes=1), caller=B, callee="+8613800000029", user_data='=cmd("x")'),
            fee("s4", "", now, cause=Cause.NO_BINDING, caller=None, callee=None, binding=None, mode="", forwarded=None),
        ],
        [notice("m1", key, now - timedelta(minutes=1)), notice("m2", "file", now, result=8, receiver=None)],
    )
    return key


async def sessions(bench: Bench, who: str, **query: Any) -> list[str]:
    return [row["session"] for row in (await bench.ok(who, "GET", "/cdrs", **query))["items"]]


async def test_filters(bench: Bench) -> None:
    key = await fill(bench)
    now = bench.clock()
    for query, found in (
        ({}, ["s4", "s3", "s2", "s1"]),
        ({"application": key}, ["s2", "s1"]),
        ({"x": OTHER}, ["s2"]),
        ({"number": A}, ["s2", "s1"]),
        ({"number": B}, ["s3", "s2", "s1"]),
        ({"result": int(Cause.BUSY)}, ["s2"]),
        ({"answered": True}, ["s3", "s1"]),
        ({"since": (now - timedelta(seconds=150)).isoformat()}, ["s4", "s3", "s2"]),
        ({"before": (now - timedelta(seconds=150)).isoformat()}, ["s1"]),
        ({"application": "nobody"}, []),
    ):
        assert await sessions(bench, "operator", **query) == found, query
    first = await bench.ok("operator", "GET", "/cdrs", limit=3)
    assert await sessions(bench, "operator", limit=3, after=first["next"]) == ["s1"]


async def test_each_sees_his_own_as_he_may(bench: Bench) -> None:
    key = await fill(bench)
    assert await sessions(bench, "tenant") == ["s2", "s1"]
    assert await sessions(bench, "tenant", application="file") == []
    assert await sessions(bench, "rival") == []
    own = await bench.ok("tenant", "GET", "/cdrs/s1")
    assert (own["caller"], own["callee"], own["seconds"], own["way"]) == (A, B, 60.0, "out")
    assert await bench.refused("tenant", "GET", "/cdrs/s3") == (404, "not_found", "session")
    assert await bench.refused("reviewer", "GET", "/cdrs") == (403, "forbidden", None)
    assert await bench.refused("auditor", "GET", "/cdrs", number=A) == (403, "forbidden", "number")
    for path in ("/cdrs", "/cdrs/s1", "/messages", "/explain/s1"):
        told = str(await bench.ok("auditor", "GET", path))
        assert A not in told
        assert B not in told
    assert [row["id"] for row in (await bench.ok("tenant", "GET", "/messages"))["items"]] == ["m1"]
    (failed,) = (await bench.ok("operator", "GET", "/messages", result=8, number=A))["items"]
    assert (failed["id"], failed["receiver"], failed["sender"]) == ("m2", None, A)
    assert (await bench.ok("operator", "GET", "/messages", application=key, answered=True))["items"]


async def export(bench: Bench, who: str, path: str, form: str) -> str:
    headers = {"Authorization": f"Bearer {bench.tokens[who]}"}
    async with bench.http.get(path, params={"form": form}, headers=headers) as response:
        assert response.status == 200
        return await response.text()


async def test_exports(bench: Bench) -> None:
    await fill(bench)
    rows = list(csv.DictReader(io.StringIO(await export(bench, "operator", "/cdrs/export", "csv"))))
    assert [row["session"] for row in rows] == ["s4", "s3", "s2", "s1"]
    assert (rows[3]["caller"], rows[3]["seconds"]) == (A, "60.0")
    assert rows[1]["user_data"] == '\'=cmd("x")'
    lines = (await export(bench, "tenant", "/messages/export", "jsonl")).splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["m1"]
    masked = await export(bench, "auditor", "/cdrs/export", "csv") + await export(
        bench, "auditor", "/cdrs/export", "jsonl"
    )
    assert A not in masked
    assert B not in masked


async def test_an_export_of_more_than_a_page(bench: Bench) -> None:
    now = bench.clock()
    await put(bench.engine, [fee(f"s{number}", "file", now - timedelta(seconds=number // 7)) for number in range(2500)])
    lines = (await export(bench, "operator", "/cdrs/export", "jsonl")).splitlines()
    assert len({json.loads(line)["session"] for line in lines}) == len(lines) == 2500


async def test_why_a_past_call_went_as_it_did(bench: Bench) -> None:
    await fill(bench)
    lines = {line["what"]: line["text"] for line in (await bench.ok("tenant", "GET", "/explain/s1"))["lines"]}
    assert lines["caller"] == A
    assert lines["trunk"] == "in in, out out"
    assert lines["rule"] == "A calls X: B is reached."
    assert lines["tones"] == "waiting: w.wav"
    assert lines["callee"].startswith(f"{B}, who saw {X}")
    assert lines["outcome"].startswith("answered, talked for 60.0 s")
    refused = await bench.ok("operator", "GET", "/explain/s4")
    assert refused["lines"][-1]["good"] is False
    assert "8014" in refused["lines"][-1]["text"]


async def test_statistics(bench: Bench) -> None:
    key = await fill(bench)
    today = bench.clock().date()
    days = {"first": (today - timedelta(days=1)).isoformat(), "last": today.isoformat()}
    all_of = await bench.ok("operator", "GET", "/statistics", **days)
    assert all_of["by"] == "day"
    assert sum(one["calls"] for one in all_of["periods"]) == 4
    own = await bench.ok("tenant", "GET", "/statistics", **days)
    assert sum(one["calls"] for one in own["periods"]) == 2
    assert sum(one["messages"] for one in own["periods"]) == 1
    assert sum(one["answered"] for one in own["periods"]) == 1
    other = await bench.ok("operator", "GET", "/statistics", application=key, **days)
    assert other == own
    assert (await bench.ok("operator", "GET", "/statistics", first="2026-01-01", last="2026-02-01"))["by"] == "month"


@pytest.mark.parametrize(
    ("first", "last"), [("2026-02-01", "2026-01-01"), ("2026-01-01", "2026-07-04"), ("x", "2026-01-01")]
)
async def test_spans_that_are_none(bench: Bench, first: str, last: str) -> None:
    status, code, _ = await bench.refused("operator", "GET", "/statistics", first=first, last=last)
    assert (status, code) == (400, "invalid")
