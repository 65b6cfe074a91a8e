"""Recordings held, released and erased, with the proof of each."""

from __future__ import annotations

from typing import Any

from sqlalchemy import insert

from gateway.database import writing
from gateway.schema import recording
from tests.admin.bench import Bench


async def fill(bench: Bench) -> None:
    key = str((await bench.ok("operator", "POST", "/applications", {"mode": "AXB", "enterprise": "shop"}))["key"])
    now = bench.clock().timestamp()
    rows: list[dict[str, Any]] = [
        {"name": name, "session": f"call {name}", "application": owner, "spool": "", "state": state, "object": name,
         "created_at": now + at, "sha256": "ab" * 32, "notice": "[[1.0, 2.0], null]"}
        for at, (name, owner, state) in enumerate(
            (("a.wav", key, "ready"), ("b.wav", key, "erased"), ("c.wav", "file", "ready")))
    ]  # fmt: skip
    async with writing(bench.engine) as connection:
        await connection.execute(insert(recording), rows)


async def names(bench: Bench, who: str) -> list[str]:
    return [row["name"] for row in (await bench.ok(who, "GET", "/holds"))["items"]]


async def test_seen_by_who_may(bench: Bench) -> None:
    await fill(bench)
    for name in ("a.wav", "c.wav"):
        await bench.ok("operator", "PUT", f"/recordings/{name}/hold", {"why": "case 7"})
    assert await names(bench, "operator") == await names(bench, "auditor") == ["c.wav", "a.wav"]
    assert (await names(bench, "tenant"), await names(bench, "rival")) == (["a.wav"], [])
    shown = await bench.ok("tenant", "GET", "/recordings/a.wav/proof")
    assert shown["notice"] == [["1970-01-01T00:00:01Z", "1970-01-01T00:00:02Z"], None]
    assert [entry["kind"] for entry in shown["proof"]] == ["held"]
    assert (await bench.refused("rival", "GET", "/recordings/a.wav/proof"))[0] == 404


async def test_held_released_and_erased_with_proof_and_audit(bench: Bench) -> None:
    await fill(bench)
    why = {"why": "case 7"}
    held = await bench.ok("operator", "PUT", "/recordings/a.wav/hold", why)
    assert held["held"]["why"] == "case 7"
    assert await names(bench, "operator") == ["a.wav"]
    assert (await bench.refused("operator", "POST", "/recordings/a.wav/erase", why))[:2] == (409, "conflict")
    assert (await bench.ok("operator", "POST", "/recordings/a.wav/release", why))["held"] is None
    assert (await bench.refused("operator", "POST", "/recordings/a.wav/release", why))[0] == 409
    assert (await bench.ok("operator", "POST", "/recordings/a.wav/erase", why))["state"] == "erased"
    proof = (await bench.ok("auditor", "GET", "/recordings/a.wav/proof"))["proof"]
    assert [entry["kind"] for entry in proof] == ["held", "released", "erased"]
    assert proof[2]["facts"]["sha256"] == "ab" * 32
    assert proof[2]["previous"] == proof[1]["hash"]
    for verb in ("hold", "release", "erase"):
        (entry,) = await bench.audited(f"recording.{verb}")
        assert entry["subject"] == "recording/a.wav"


async def test_only_the_operator_acts_and_not_without_a_reason(bench: Bench) -> None:
    await fill(bench)
    for who in ("tenant", "auditor", "reviewer"):
        assert (await bench.refused(who, "POST", "/recordings/a.wav/erase", {"why": "x"}))[0] == 403
    assert (await bench.refused("operator", "POST", "/recordings/a.wav/erase", {"why": ""}))[0] == 400
    assert (await bench.refused("operator", "PUT", "/recordings/x.wav/hold", {"why": "x"}))[0] == 404
