"""X numbers: in, out, to and fro; in batches whose wrong ones don't stop the right ones; and who is told."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from sqlalchemy import select

from gateway.api.events import event_body
from gateway.bindings.errors import NumberNotOwned
from gateway.bindings.requests import NewAxb
from gateway.database import reading
from gateway.numbers import PhoneNumber
from gateway.schema import outbox
from tests.admin.bench import A, B, Bench, X


def x(index: int) -> str:
    return f"+8617000001{index:03d}"


async def make(bench: Bench, **body: Any) -> str:
    body = {"mode": "AXB", "enterprise": "shop", **body}
    return str((await bench.ok("operator", "POST", "/applications", body))["key"])


async def bring(bench: Bench, count: int, application: str = "", **more: Any) -> Any:
    numbers = [{"x": x(index), "area_code": "0755", "province": "Guangdong", **more} for index in range(count)]
    return await bench.ok("operator", "POST", "/numbers/import", {"application": application, "numbers": numbers})


async def bind(bench: Bench, key: str, index: int) -> None:
    application = await bench.store.application(key)
    assert application is not None
    wanted = NewAxb(a=PhoneNumber(A), b=PhoneNumber(B), x=PhoneNumber(x(index)))
    await bench.store.bind_axb(application, wanted, bench.clock())


def outcomes(answer: Any) -> dict[str, str]:
    return {row["x"]: row["outcome"] for row in answer["results"]}


async def test_import_into_the_stock_then_give(bench: Bench) -> None:
    key = await make(bench)
    assert (await bring(bench, 3))["state"] == "done"
    assert len((await bench.ok("operator", "GET", "/stock", area_code="0755"))["items"]) == 3
    given = await bench.ok("operator", "POST", "/numbers/give", {"application": key, "numbers": [x(0), x(1), x(9)]})
    assert (given["state"], outcomes(given)) == ("partly done", {x(0): "done", x(1): "done", x(9): "unknown"})
    rows = (await bench.ok("tenant", "GET", "/numbers"))["items"]
    assert [(row["x"], row["status"], row["bindings"], row["remaining"]) for row in rows] == [
        (x(0), "normal", 0, 5000), (x(1), "normal", 0, 5000)]  # fmt: skip
    assert [row["x"] for row in (await bench.ok("operator", "GET", "/stock"))["items"]] == [x(2)]


async def test_import_straight_to_an_application_and_twice(bench: Bench) -> None:
    key = await make(bench)
    assert (await bring(bench, 2, key))["state"] == "done"
    again = await bring(bench, 3, key)
    assert (again["state"], list(outcomes(again).values())) == ("partly done", ["exists", "exists", "done"])
    assert (await bring(bench, 3))["state"] == "failed"
    assert len((await bench.ok("tenant", "GET", "/numbers", application=key, area_code="0755"))["items"]) == 3


async def test_one_number_is_never_given_twice_in_a_race(bench: Bench) -> None:
    keys = [await make(bench), await make(bench)]
    await bring(bench, 20)
    numbers = [x(index) for index in range(20)]
    answers = await asyncio.gather(
        *(bench.ok("operator", "POST", "/numbers/give", {"application": key, "numbers": numbers}) for key in keys)
    )
    done = [[one for one, outcome in outcomes(answer).items() if outcome == "done"] for answer in answers]
    assert sorted(done[0] + done[1]) == numbers


async def test_release_leaves_bound_ones_unless_forced(bench: Bench) -> None:
    key = await make(bench)
    await bring(bench, 3, key)
    await bind(bench, key, 1)
    body = {"numbers": [x(0), x(1), X, x(9)]}
    released = await bench.ok("tenant", "POST", "/numbers/release", body)
    assert outcomes(released) == {x(0): "done", x(1): "bound", X: "unknown", x(9): "unknown"}
    forced = await bench.ok("tenant", "POST", "/numbers/release", {"numbers": [x(1)], "force": True})
    assert forced["state"] == "done"
    assert {row["x"] for row in (await bench.ok("operator", "GET", "/stock"))["items"]} == {x(0), x(1)}
    found = await bench.store.find(PhoneNumber(A), PhoneNumber(x(1)), bench.clock())
    assert found.number is None


async def test_a_released_number_brings_no_binding_to_its_next_owner(bench: Bench) -> None:
    first, second = await make(bench), await make(bench, enterprise="other")
    await bring(bench, 1, first)
    await bind(bench, first, 0)
    await bench.ok("tenant", "POST", "/numbers/release", {"numbers": [x(0)], "force": True})
    await bench.ok("operator", "POST", "/numbers/give", {"application": second, "numbers": [x(0)]})
    found = await bench.store.find(PhoneNumber(A), PhoneNumber(x(0)), bench.clock())
    assert (found.application.key if found.application else None, found.bindings) == (second, ())


async def test_a_bind_that_races_a_release_is_refused_or_makes_the_number_stay(bench: Bench) -> None:
    """Whichever comes first: nobody is bound to a number that is nobody's."""
    key = await make(bench)
    await bring(bench, 12, key)
    binds = [bind(bench, key, index) for index in range(12)]
    body = {"numbers": [x(index) for index in range(12)]}
    released, *bound = await asyncio.gather(
        bench.ok("tenant", "POST", "/numbers/release", body), *binds, return_exceptions=True
    )
    assert isinstance(released, dict)
    for index, outcome in enumerate(bound):
        assert outcomes(released)[x(index)] == ("bound" if outcome is None else "done")
        assert outcome is None or isinstance(outcome, NumberNotOwned)


async def test_transfer_within_the_enterprise(bench: Bench) -> None:
    here, there, far = await make(bench), await make(bench), await make(bench, enterprise="other")
    await bring(bench, 3, here)
    await bind(bench, here, 2)
    moved = await bench.ok("tenant", "POST", "/numbers/transfer", {"application": there, "numbers": [x(0), x(2)]})
    assert outcomes(moved) == {x(0): "done", x(2): "bound"}
    again = await bench.ok("tenant", "POST", "/numbers/transfer", {"application": there, "numbers": [x(0)]})
    assert outcomes(again) == {x(0): "same"}
    body = {"application": far, "numbers": [x(1)]}
    assert await bench.refused("tenant", "POST", "/numbers/transfer", body) == (404, "not_found", "application")
    assert outcomes(await bench.ok("rival", "POST", "/numbers/transfer", body)) == {x(1): "unknown"}
    assert outcomes(await bench.ok("operator", "POST", "/numbers/transfer", body)) == {x(1): "done"}


async def test_the_file_s_numbers_stay(bench: Bench) -> None:
    key = await make(bench)
    for path, more in (("release", {}), ("transfer", {"application": key})):
        answer = await bench.ok("operator", "POST", f"/numbers/{path}", {"numbers": [X], **more})
        assert outcomes(answer) == {X: "file"}


async def notices(bench: Bench) -> list[dict[str, Any]]:
    async with reading(bench.engine) as connection:
        rows = (await connection.execute(select(outbox).order_by(outbox.c.created_at))).all()
    return [event_body(json.loads(row.payload)) for row in rows]


async def test_a_state_is_told_to_who_wants_to_know(bench: Bench) -> None:
    key, silent = await make(bench, push_number_status=True), await make(bench)
    await bring(bench, 1, key)
    numbers = [{"x": x(index)} for index in (5, 6)]
    await bench.ok("operator", "POST", "/numbers/import", {"application": silent, "numbers": numbers})
    changes = (("unavailable", 2), ("unavailable", 2), ("unavailable", 3), ("suspended", None), ("normal", None))
    for status, cause in changes:
        body = {"numbers": [x(0), x(5), x(9)], "status": status, "cause": cause}
        answer = await bench.ok("operator", "POST", "/numbers/status", body)
        assert outcomes(answer)[x(9)] == "unknown"
    assert await notices(bench) == [
        {"eventType": "numStatus", "numInfo": [{"number": x(0), "status": "10", "cause": "2"}]},
        {"eventType": "numStatus", "numInfo": [{"number": x(0), "status": "10", "cause": "3"}]},
        {"eventType": "numStatus", "numInfo": [{"number": x(0), "status": "9"}]},
        {"eventType": "numStatus", "numInfo": [{"number": x(0), "status": "5"}]},
    ]
    assert bench.woken == 5
    body = {"numbers": [x(0)], "status": "normal", "cause": 2}
    assert await bench.refused("operator", "POST", "/numbers/status", body) == (409, "conflict", "cause")


async def test_one_notice_tells_of_a_hundred_at_most(bench: Bench) -> None:
    key = await make(bench, push_number_status=True)
    await bring(bench, 250, key)
    body = {"numbers": [x(index) for index in range(250)], "status": "frozen"}
    await bench.ok("operator", "POST", "/numbers/status", body)
    assert [len(one["numInfo"]) for one in await notices(bench)] == [100, 100, 50]


async def test_short_messages_off_closes_the_bindings_too(bench: Bench) -> None:
    key = await make(bench)
    await bring(bench, 1, key)
    await bind(bench, key, 0)
    answer = await bench.ok("operator", "POST", "/numbers/sms", {"numbers": [x(0), x(1)], "sms": False})
    assert outcomes(answer) == {x(0): "done", x(1): "unknown"}
    found = await bench.store.find(PhoneNumber(A), PhoneNumber(x(0)), bench.clock())
    assert (found.number.sms if found.number else None, found.bindings[0].sms) == (False, False)


async def test_the_table(bench: Bench) -> None:
    key = await make(bench)
    await bring(bench, 2, key)
    headers = {"Authorization": f"Bearer {bench.tokens['tenant']}"}
    async with bench.http.get("/numbers.csv", headers=headers) as response:
        lines = (await response.text()).splitlines()
    assert lines == ["x,application,area_code,province,status,cause,sms,bindings",
                     *(f"{x(index)},{key},0755,Guangdong,normal,,True,0" for index in range(2))]  # fmt: skip


async def test_what_can_t_be(bench: Bench) -> None:
    for body, field in (
        ({"numbers": []}, "numbers"), ({"numbers": [{"x": "17000000001"}]}, "numbers.0.x"),
        ({"numbers": [{"x": x(0), "area_code": "755"}]}, "numbers.0.area_code"), ({}, "numbers"),
        ({"numbers": [{"x": f"+86{number}"} for number in range(17000000000, 17000005001)]}, "numbers"),
    ):  # fmt: skip
        assert await bench.refused("operator", "POST", "/numbers/import", body) == (400, "invalid", field)
    body = {"application": "nobody", "numbers": [{"x": x(0)}]}
    assert await bench.refused("operator", "POST", "/numbers/import", body) == (404, "not_found", "application")
    assert (await bench.ok("operator", "GET", "/stock"))["items"] == []
    for who in ("tenant", "reviewer", "auditor"):
        assert (await bench.refused(who, "POST", "/numbers/import", {"numbers": [{"x": x(0)}]}))[0] == 403
    removed = await bench.ok("operator", "POST", "/numbers/remove", {"numbers": [x(0)]})
    assert outcomes(removed) == {x(0): "unknown"}
