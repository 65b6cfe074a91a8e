"""The ledger by HTTP: whose rows, who sees the numbers, and replays that reach no stranger's rows."""

from __future__ import annotations

import json

from sqlalchemy import insert, select

from gateway.database import reading, writing
from gateway.schema import attempt, outbox
from tests.admin.bench import A, Bench


async def fill(bench: Bench) -> str:
    key = str((await bench.ok("operator", "POST", "/applications", {"mode": "AXB", "enterprise": "shop"}))["key"])
    now = bench.clock().timestamp()
    rows = [
        {"id": f"{session}.{seq}", "application": owner, "session": session, "seq": seq, "kind": kind, "tries": 7,
         "payload": json.dumps({"kind": kind, "session": session, "caller": A}), "created_at": now + seq, "due_at": now,
         "state": state}
        for owner, session, seq, kind, state in (
            (key, "s1", 0, "callin", "done"), (key, "s1", 91, "fee", "dead"), ("file", "s2", 91, "fee", "dead"),
            (key, "s3", 0, "callin", "waiting"))
    ]  # fmt: skip
    async with writing(bench.engine) as connection:
        await connection.execute(insert(outbox), rows)
        await connection.execute(
            insert(attempt).values(outbox="s1.91", at=now, status=500, seconds=0.25, answer=f"no {A}")
        )
    return key


async def states(bench: Bench) -> dict[str, str]:
    async with reading(bench.engine) as connection:
        return {row.id: row.state for row in await connection.execute(select(outbox))}


async def test_searched_and_read(bench: Bench) -> None:
    key = await fill(bench)
    ids = [row["id"] for row in (await bench.ok("tenant", "GET", "/ledger"))["items"]]
    assert sorted(ids) == ["s1.0", "s1.91", "s3.0"]
    assert [row["id"] for row in (await bench.ok("tenant", "GET", "/ledger", state="dead"))["items"]] == ["s1.91"]
    one = await bench.ok("tenant", "GET", "/ledger/s1.91")
    assert one["payload"]["caller"] == A
    assert [(row["status"], row["seconds"], row["answer"]) for row in one["attempts"]] == [(500, 0.25, f"no {A}")]
    assert A not in str(await bench.ok("auditor", "GET", "/ledger/s1.91"))
    assert A not in str(await bench.ok("auditor", "GET", "/ledger"))
    assert await bench.refused("tenant", "GET", "/ledger/s2.91") == (404, "not_found", "id")
    assert await bench.refused("reviewer", "GET", "/ledger") == (403, "forbidden", None)
    dead = await bench.ok("operator", "GET", "/ledger/dead")
    assert {row["application"]: row["kinds"] for row in dead} == {key: {"fee": 1}, "file": {"fee": 1}}
    assert [row["application"] for row in await bench.ok("tenant", "GET", "/ledger/dead")] == [key]


async def test_replayed(bench: Bench) -> None:
    key = await fill(bench)
    assert await bench.ok("rival", "POST", "/ledger/replay", {"ids": ["s1.91", "s1.0"]}) == {"count": 0}
    assert await bench.ok("tenant", "POST", "/ledger/replay", {"since": "2020-01-01T00:00:00Z"}) == {"count": 1}
    assert await states(bench) == {"s1.0": "done", "s1.91": "waiting", "s2.91": "dead", "s3.0": "waiting"}
    assert await bench.ok("operator", "POST", "/ledger/replay", {"ids": ["s1.0", "s2.91"]}) == {"count": 2}
    assert bench.woken == 3
    assert (await bench.audited("ledger.replay"))[0]["detail"] == {"ids": ["s1.0", "s2.91"]}
    assert await bench.refused("operator", "POST", "/ledger/replay", {}) == (400, "invalid", "ids")
    assert await bench.refused("operator", "POST", "/ledger/replay", {"kind": "fee"}) == (400, "invalid", "ids")
    assert await bench.refused("auditor", "POST", "/ledger/replay", {"application": key}) == (403, "forbidden", None)
