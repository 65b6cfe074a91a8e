"""Lists and registered numbers by the API, and that calls find them."""

from __future__ import annotations

from gateway.causes import Cause
from gateway.numbers import PhoneNumber
from tests.admin.bench import A, B, Bench, X


async def make(bench: Bench) -> str:
    return str((await bench.ok("operator", "POST", "/applications", {"mode": "AXB", "enterprise": "shop"}))["key"])


async def test_put_on_found_taken_off(bench: Bench) -> None:
    key = await make(bench)
    body = {"application": key, "kind": "black", "party": "caller", "numbers": [A, B, A]}
    assert await bench.ok("tenant", "POST", "/lists", body | {"note": "rude"}) == {"changed": 2, "same": 0}
    assert await bench.ok("tenant", "POST", "/lists", body) == {"changed": 0, "same": 2}
    rows = (await bench.ok("tenant", "GET", "/lists", number=A))["items"]
    assert rows == [{"application": key, "kind": "black", "party": "caller", "number": A, "note": "rude"}]
    assert await bench.ok("tenant", "POST", "/lists/remove", body) == {"changed": 2, "same": 0}
    assert (await bench.ok("tenant", "GET", "/lists"))["items"] == []
    # The audit log counts and names nobody.
    assert A not in str(await bench.audited("list"))


async def test_the_node_s_list_counts_for_a_call(bench: Bench) -> None:
    body = {"kind": "black", "party": "caller", "numbers": [A]}
    await bench.ok("operator", "POST", "/lists", body)
    found = await bench.store.find(PhoneNumber(A), PhoneNumber(X), bench.clock())
    assert await bench.store.listed(found, PhoneNumber(A), None) is Cause.CALLER_BLACKLISTED
    await bench.ok("operator", "POST", "/lists/remove", body)
    found = await bench.store.find(PhoneNumber(A), PhoneNumber(X), bench.clock())
    assert await bench.store.listed(found, PhoneNumber(A), None) is None


async def test_registered_numbers(bench: Bench) -> None:
    key = await make(bench)
    assert await bench.ok("tenant", "POST", "/registered", {"application": key, "numbers": [A, B]}) == {
        "changed": 2, "same": 0}  # fmt: skip
    first = await bench.ok("tenant", "GET", "/registered", limit=1)
    second = await bench.ok("tenant", "GET", "/registered", limit=1, after=first["next"])
    # Where numbers are encrypted they are in the order of their cells.
    assert {row["number"] for page in (first, second) for row in page["items"]} == {A, B}
    assert second["next"] is None
    assert await bench.ok("tenant", "POST", "/registered/remove", {"application": key, "numbers": [A]}) == {
        "changed": 1, "same": 0}  # fmt: skip
    assert [row["number"] for row in (await bench.ok("tenant", "GET", "/registered"))["items"]] == [B]


async def test_who_may(bench: Bench) -> None:
    key = await make(bench)
    await bench.ok("tenant", "POST", "/lists", {"application": key, "kind": "white", "party": "callee", "numbers": [A]})
    await bench.ok("operator", "POST", "/lists", {"kind": "white", "party": "callee", "numbers": [B]})
    assert [row["number"] for row in (await bench.ok("tenant", "GET", "/lists"))["items"]] == [A]
    assert (await bench.ok("rival", "GET", "/lists"))["items"] == []
    for body in ({"application": key}, {"application": "file"}, {}):
        body |= {"kind": "black", "party": "caller", "numbers": [A]}
        for path in ("/lists", "/lists/remove"):
            assert (await bench.refused("rival", "POST", path, body))[:2] == (404, "not_found")
    for who in ("reviewer", "auditor"):
        for path in ("/lists", "/registered"):
            assert await bench.refused(who, "GET", path) == (403, "forbidden", None)


async def test_what_can_t_be(bench: Bench) -> None:
    good = {"application": await make(bench), "kind": "black", "party": "caller", "numbers": [A]}
    for wrong, field in (({"kind": "grey"}, "kind"), ({"party": "both"}, "party"), ({"numbers": ["138"]}, "numbers.0")):
        assert await bench.refused("tenant", "POST", "/lists", good | wrong) == (400, "invalid", field)
