"""Orders of X numbers, from the wish to the table of numbers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.admin.bench import Bench


def x(index: int) -> str:
    return f"+8617000001{index:03d}"


async def stock(bench: Bench, count: int, area_code: str = "0755", first: int = 0, *, sms: bool = True) -> None:
    numbers = [{"x": x(index), "area_code": area_code, "sms": sms} for index in range(first, first + count)]
    await bench.ok("operator", "POST", "/numbers/import", {"numbers": numbers})


async def order(bench: Bench, count: int = 3, **more: Any) -> Any:
    application = await bench.ok("operator", "POST", "/applications", {"mode": "AXB", "enterprise": "shop"})
    body = {"application": application["key"], "area_code": "0755", "count": count, **more}
    return await bench.ok("tenant", "POST", "/orders", body)


async def test_ordered_approved_filled(bench: Bench) -> None:
    await stock(bench, 5)
    await stock(bench, 5, "010", first=50)
    made = await order(bench)
    assert (made["state"], made["enterprise"], made["filled"]) == ("review", "shop", 0)
    path = f"/orders/{made['id']}"
    assert (await bench.ok("reviewer", "POST", f"{path}/approve"))["state"] == "processing"
    part = await bench.ok("operator", "POST", f"{path}/fill", {"numbers": [x(4)]})
    assert (part["state"], part["filled"]) == ("processing", 1)
    done = await bench.ok("operator", "POST", f"{path}/fill", {})
    assert (done["state"], done["filled"]) == ("done", 3)
    rows = (await bench.ok("tenant", "GET", "/numbers"))["items"]
    assert [(row["x"], row["sms"]) for row in rows] == [(x(0), False), (x(1), False), (x(4), False)]
    headers = {"Authorization": f"Bearer {bench.tokens['tenant']}"}
    async with bench.http.get(f"{path}/numbers.csv", headers=headers) as response:
        assert (await response.text()).splitlines() == ["x,area_code", *(f"{one},0755" for one in (x(0), x(1), x(4)))]
    assert [one["action"] for one in await bench.audited("order")] == [
        "order.done", "order.fill", "order.fill", "order.processing", "order.create"]  # fmt: skip


async def test_rejected_and_submitted_again(bench: Bench) -> None:
    path = f"/orders/{(await order(bench, 5000))['id']}"
    rejected = await bench.ok("reviewer", "POST", f"{path}/reject", {"reason": "Too many."})
    assert (rejected["state"], rejected["reason"]) == ("rejected", "Too many.")
    again = await bench.ok("tenant", "PATCH", path, {"count": 5})
    assert (again["state"], again["reason"], again["count"], again["decided_at"]) == ("review", "", 5, None)


async def test_numbers_that_carry_short_messages(bench: Bench) -> None:
    await stock(bench, 2, sms=False)
    await stock(bench, 1, first=10)
    path = f"/orders/{(await order(bench, 2, sms=True))['id']}"
    await bench.ok("reviewer", "POST", f"{path}/approve")
    assert (await bench.ok("operator", "POST", f"{path}/fill", {}))["filled"] == 1
    assert [(row["x"], row["sms"]) for row in (await bench.ok("tenant", "GET", "/numbers"))["items"]] == [(x(10), True)]
    assert await bench.refused("operator", "POST", f"{path}/fill", {}) == (409, "conflict", "numbers")


@pytest.mark.parametrize("wanted", [[x(0), x(1), x(2), x(3)], [x(0), "+8617000009999"], None])
async def test_what_can_t_be_filled_is_left_whole(bench: Bench, wanted: list[str] | None) -> None:
    if wanted is not None:
        await stock(bench, 4)
    path = f"/orders/{(await order(bench))['id']}"
    await bench.ok("reviewer", "POST", f"{path}/approve")
    assert await bench.refused("operator", "POST", f"{path}/fill", {"numbers": wanted}) == (409, "conflict", "numbers")
    assert (await bench.ok("tenant", "GET", path))["filled"] == 0
    assert len((await bench.ok("operator", "GET", "/stock"))["items"]) == (4 if wanted else 0)


async def test_two_who_fill_at_once_fill_it_once(bench: Bench) -> None:
    await stock(bench, 20)
    path = f"/orders/{(await order(bench, 5))['id']}"
    await bench.ok("reviewer", "POST", f"{path}/approve")
    answers = await asyncio.gather(*(bench.ask("operator", "POST", f"{path}/fill", {}) for _ in range(4)))
    assert sorted(status for status, _ in answers) == [200, 409, 409, 409]
    assert len((await bench.ok("operator", "GET", "/stock"))["items"]) == 15


async def test_moves_that_are_none(bench: Bench) -> None:
    path = f"/orders/{(await order(bench))['id']}"
    assert await bench.refused("operator", "POST", f"{path}/fill", {}) == (409, "conflict", "state")
    await bench.ok("reviewer", "POST", f"{path}/approve")
    for who, method, verb, body in (
        ("reviewer", "POST", "/approve", None), ("reviewer", "POST", "/reject", {"reason": "r"}),
        ("tenant", "PATCH", "", {}),
    ):  # fmt: skip
        assert await bench.refused(who, method, path + verb, body) == (409, "conflict", "state")


async def test_who_may(bench: Bench) -> None:
    made = await order(bench)
    path = f"/orders/{made['id']}"
    assert await bench.refused("rival", "GET", path) == (404, "not_found", "order")
    assert await bench.refused("rival", "PATCH", path, {}) == (404, "not_found", "order")
    assert await bench.refused("tenant", "POST", f"{path}/approve") == (403, "forbidden", None)
    assert await bench.refused("reviewer", "POST", f"{path}/fill", {}) == (403, "forbidden", None)
    assert (await bench.ok("rival", "GET", "/orders"))["items"] == []
    body = {"application": made["application"], "count": 1}
    assert await bench.refused("rival", "POST", "/orders", body) == (404, "not_found", "application")
    for wrong, field in (({"count": 0}, "count"), ({"count": 5001}, "count"), ({"contact": "nobody"}, "contact")):
        assert await bench.refused("tenant", "POST", "/orders", body | wrong) == (400, "invalid", field)
    body = {"application": "file", "count": 1}
    assert await bench.refused("operator", "POST", "/orders", body) == (409, "conflict", "application")
