from __future__ import annotations

from typing import Any

import pytest

from gateway.bindings.models import Mode
from tests.admin.bench import A, B, Bench, X

OURS = "+8617000000777"


async def make(bench: Bench, mode: Mode = Mode.AXB) -> str:
    made = await bench.ok("operator", "POST", "/applications", {"mode": mode, "enterprise": "shop"})
    body = {"application": made["key"], "numbers": [{"x": OURS, "area_code": "0755"}]}
    await bench.ok("operator", "POST", "/numbers/import", body)
    return str(made["key"])


@pytest.mark.parametrize(
    ("mode", "more", "shown"),
    [
        (Mode.AXB, {"b": B}, {"b": B, "extension": ""}),
        (Mode.AX, {}, {"b": None, "extension": ""}),
        (Mode.AXE, {"extension": "1234"}, {"b": None, "extension": "1234"}),
    ],
)
async def test_bound_by_hand_seen_and_ended(bench: Bench, mode: Mode, more: Any, shown: Any) -> None:
    key = await make(bench, mode)
    made = await bench.ok("tenant", "POST", "/bindings", {"application": key, "a": A, "x": OURS, **more})
    assert {name: made[name] for name in ("application", "mode", "x", "a", *shown)} == {
        "application": key, "mode": mode, "x": OURS, "a": A, **shown}  # fmt: skip
    (row,) = (await bench.ok("tenant", "GET", "/bindings", number=A))["items"]
    assert row["id"] == made["id"]
    assert (await bench.ok("rival", "GET", "/bindings"))["items"] == []
    (masked,) = (await bench.ok("auditor", "GET", "/bindings", x=OURS))["items"]
    assert A not in str(masked)
    assert (await bench.refused("auditor", "GET", "/bindings", number=A))[0] == 403
    assert (await bench.refused("rival", "DELETE", f"/bindings/{made['id']}"))[0] == 404
    await bench.ok("tenant", "DELETE", f"/bindings/{made['id']}")
    assert (await bench.ok("tenant", "GET", "/bindings"))["items"] == []
    assert [row["subject"] for row in await bench.audited("binding.end")] == [f"binding/{made['id']}"]
    assert A not in str(await bench.audited("binding.make"))


async def test_what_can_not_be_bound(bench: Bench) -> None:
    key = await make(bench)
    body = {"application": key, "a": A, "b": B, "x": OURS}
    await bench.ok("tenant", "POST", "/bindings", body)
    assert (await bench.refused("tenant", "POST", "/bindings", body))[0] == 409
    assert (await bench.refused("tenant", "POST", "/bindings", body | {"x": X}))[0] == 409
    assert (await bench.refused("tenant", "POST", "/bindings", {"application": key, "a": A, "x": OURS}))[2] == "b"
    assert (await bench.refused("tenant", "POST", "/bindings", body | {"a": "x"}))[0] == 400
    assert (await bench.refused("rival", "POST", "/bindings", body))[0] == 404
    assert (await bench.refused("reviewer", "POST", "/bindings", body))[0] == 403


async def test_a_binding_of_a_limited_time(bench: Bench) -> None:
    key = await make(bench)
    made = await bench.ok("tenant", "POST", "/bindings", {"application": key, "a": A, "b": B, "minutes": 5})
    assert made["expires_at"] is not None
    assert made["x"] == OURS
