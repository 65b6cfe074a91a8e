"""Enterprises: the states, who moves them, and what they do to calls."""

from __future__ import annotations

import pytest

from tests.admin.bench import Bench

NEW = {"id": "fresh", "name": "Fresh Fish Ltd", "details": {"industry": "delivery", "sms": True}}


async def make(bench: Bench, enterprise: str, **settings: object) -> str:
    body = {"mode": "AXB", "enterprise": enterprise, **settings}
    return str((await bench.ok("operator", "POST", "/applications", body))["key"])


async def suspended(bench: Bench, key: str) -> bool:
    found = await bench.store.application(key)
    assert found is not None
    return found.suspended


async def test_review_and_approval(bench: Bench) -> None:
    made = await bench.ok("operator", "POST", "/enterprises", NEW)
    assert (made["state"], made["details"]["industry"], made["max_applications"]) == ("review", "delivery", 5)
    key = await make(bench, "fresh")
    assert await suspended(bench, key)
    assert (await bench.ok("reviewer", "POST", "/enterprises/fresh/approve"))["state"] == "approved"
    assert not await suspended(bench, key)
    assert [one["action"] for one in await bench.audited("enterprise")] == ["enterprise.approved", "enterprise.create"]


async def test_rejected_with_a_reason_and_submitted_again(bench: Bench) -> None:
    await bench.ok("operator", "POST", "/enterprises", NEW)
    rejected = await bench.ok("reviewer", "POST", "/enterprises/fresh/reject", {"reason": "The licence is missing."})
    assert (rejected["state"], rejected["reason"]) == ("rejected", "The licence is missing.")
    token = await bench.ok("operator", "POST", "/tokens", {"name": "f", "role": "tenant", "enterprise": "fresh"})
    again = await bench.ok(token["token"], "PATCH", "/enterprises/fresh", {"details": {"licence": "123"}})
    assert (again["state"], again["reason"], again["details"]["licence"]) == ("review", "", "123")
    refused = await bench.refused(token["token"], "PATCH", "/enterprises/fresh", {"name": "Other"})
    assert refused == (409, "conflict", "state")


async def test_a_suspension_stops_the_applications_and_ends(bench: Bench) -> None:
    key, other = await make(bench, "shop"), await make(bench, "other")
    await bench.ok("operator", "POST", "/enterprises/shop/suspend", {"reason": "Arrears."})
    assert (await suspended(bench, key), await suspended(bench, other)) == (True, False)
    assert await bench.refused("reviewer", "POST", "/enterprises/shop/approve") == (409, "conflict", "state")
    late = await make(bench, "shop")
    assert await suspended(bench, late)
    await bench.ok("operator", "POST", "/enterprises/shop/resume")
    assert not await suspended(bench, key)
    assert not await suspended(bench, late)


@pytest.mark.parametrize(
    ("before", "verb"),
    [("approve", "approve"), ("approve", "reject"), ("approve", "resume"), ("", "suspend"), ("", "resume"),
     ("reject", "approve"), ("reject", "reject"), ("suspend", "suspend"), ("suspend", "reject")],
)  # fmt: skip
async def test_moves_that_are_none(bench: Bench, before: str, verb: str) -> None:
    await bench.ok("operator", "POST", "/enterprises", NEW)
    for step in {"": [], "suspend": ["approve", "suspend"]}.get(before, [before]):
        await bench.ok("operator", "POST", f"/enterprises/fresh/{step}", {"reason": "r"})
    refused = await bench.refused("operator", "POST", f"/enterprises/fresh/{verb}", {"reason": "r"})
    assert refused == (409, "conflict", "state")


async def test_a_tenant_sees_its_own(bench: Bench) -> None:
    assert [row["id"] for row in (await bench.ok("tenant", "GET", "/enterprises"))["items"]] == ["shop"]
    assert await bench.refused("tenant", "GET", "/enterprises/other") == (404, "not_found", "enterprise")
    assert await bench.refused("tenant", "PATCH", "/enterprises/other", {"name": "x"}) == (
        404,
        "not_found",
        "enterprise",
    )
    for who in ("operator", "reviewer", "auditor"):
        assert [row["id"] for row in (await bench.ok(who, "GET", "/enterprises"))["items"]] == ["other", "shop"]


async def test_what_can_t_be(bench: Bench) -> None:
    assert await bench.refused("operator", "POST", "/enterprises", NEW | {"id": "shop"}) == (409, "conflict", "id")
    assert await bench.refused("operator", "POST", "/enterprises", NEW | {"id": "a b"}) == (400, "invalid", "id")
    assert await bench.refused("operator", "GET", "/enterprises/nobody") == (404, "not_found", "enterprise")
    for who in ("tenant", "reviewer", "auditor"):
        assert await bench.refused(who, "POST", "/enterprises", NEW) == (403, "forbidden", None)
        assert await bench.refused(who, "POST", "/enterprises/shop/suspend", {"reason": "r"}) == (
            403,
            "forbidden",
            None,
        )
