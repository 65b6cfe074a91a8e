"""AXB: what each field does, and each code that bind, unbind, modify and query can answer (section 3)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.api.bench import AX_NUMBERS, AXB, BAD_X, A, B, Bench, C, D, X, Y

WHOLE = {"callerNum": A, "calleeNum": B, "relationNum": X, "callDirection": 1, "duration": 3600, "maxDuration": 60,
         "lastMinVoice": "w.wav", "recordFlag": True, "recordHintTone": "w.wav", "privateSms": "false",
         "preVoice": {"callerHintTone": "w.wav", "calleeHintTone": "w.wav"}, "userData": "order-1"}  # fmt: skip


async def bound(bench: Bench, **values: Any) -> str:
    status, made = await bench.ask("POST", AXB, json={"callerNum": A, "calleeNum": B, "relationNum": X, **values})
    assert (status, made["resultcode"]) == (200, "0")
    name: str = made["subscriptionId"]
    return name


async def rows(bench: Bench, **where: Any) -> list[dict[str, Any]]:
    status, found = await bench.ask("GET", AXB, params=where)
    assert status == 200
    listed: list[dict[str, Any]] = found["relationNumList"]
    return listed


async def test_every_field_comes_back(bench: Bench) -> None:
    name = await bound(bench, **WHOLE)
    (row,) = await rows(bench, subscriptionId=name)
    assert row.pop("subscribeTime")[:2] == "20"
    assert row == {**WHOLE, "subscriptionId": name, "recordFlag": "true"}


async def test_a_modify_changes_what_it_names_and_nothing_else(bench: Bench) -> None:
    name = await bound(bench, **WHOLE)
    (before,) = await rows(bench, subscriptionId=name)
    changes = {"calleeNum": C, "callDirection": "2", "recordFlag": "false", "privateSms": "true", "userData": "order-2",
               "maxDuration": 0, "preVoice": {"callerHintTone": ""}}  # fmt: skip
    assert await bench.axb("PUT", subscriptionId=name, **changes) == (200, "0")
    (after,) = await rows(bench, subscriptionId=name)
    del before["recordHintTone"]  # shown only when recordFlag is true
    assert after == {**before, **changes, "callDirection": 2, "preVoice": before["preVoice"]}


async def test_a_new_duration_starts_the_clock_again(bench: Bench) -> None:
    name = await bound(bench, duration=3600)
    bench.later = timedelta(seconds=3000)
    assert await bench.axb("PUT", subscriptionId=name, duration=1000) == (200, "0")
    bench.later = timedelta(seconds=3900)
    assert [row["duration"] for row in await rows(bench, subscriptionId=name)] == [1000]
    bench.later = timedelta(seconds=4010)
    assert await bench.axb("GET", subscriptionId=name) == (403, "1016001")
    assert await bench.axb("PUT", subscriptionId=name, duration=0) == (403, "1016001")
    assert await bench.axb("DELETE", subscriptionId=name) == (403, "1016001")
    assert await bench.axb("POST", callerNum=A, calleeNum=B, relationNum=X) == (200, "0")


async def test_a_last_minute_needs_a_limit_whenever_it_is_set(bench: Bench) -> None:
    name = await bound(bench)
    status, body = await bench.ask("PUT", AXB, json={"subscriptionId": name, "lastMinVoice": "w.wav"})
    assert (status, body["resultdesc"]) == (403, "Invalid request.lastMinVoice needs maxDuration.")
    wanted = {"subscriptionId": name, "lastMinVoice": "w.wav"}
    assert await bench.axb("PUT", **wanted, maxDuration=0) == (403, "1010002")
    assert "lastMinVoice" not in (await rows(bench, subscriptionId=name))[0]
    assert await bench.axb("PUT", **wanted, maxDuration=5) == (200, "0")
    # The limit that stands counts too; and a limit taken away makes the tone idle, as it was before.
    assert await bench.axb("PUT", **wanted) == (200, "0")
    assert await bench.axb("PUT", subscriptionId=name, maxDuration=0) == (200, "0")
    assert await bench.axb("PUT", **wanted) == (403, "1010002")


async def test_no_number_twice_on_one_x(bench: Bench) -> None:
    await bound(bench)
    for a, b, named in ((A, B, {A}), (C, B, {B}), (A, C, {A}), (B, A, {A, B}), (C, A, {A})):
        status, body = await bench.ask("POST", AXB, json={"callerNum": a, "calleeNum": b, "relationNum": X})
        assert (status, body["resultcode"]) == (403, "1012010")
        assert body["resultdesc"] in {f"The number {number} has been bound." for number in named}
    assert await bench.axb("POST", callerNum=B, calleeNum=A, relationNum=Y) == (200, "0")


async def test_a_modify_to_a_number_that_is_bound(bench: Bench) -> None:
    first = await bound(bench)
    await bound(bench, callerNum=C, calleeNum=D)
    assert await bench.axb("PUT", subscriptionId=first, calleeNum=D) == (403, "1012010")
    assert await bench.axb("PUT", subscriptionId=first, calleeNum=A) == (403, "1010002")
    assert [row["calleeNum"] for row in await rows(bench, subscriptionId=first)] == [B]


async def test_numbers_that_can_t_be_had(bench: Bench) -> None:
    assert await bench.axb("POST", callerNum=A, calleeNum=B, relationNum=AX_NUMBERS[0]) == (403, "1012001")
    assert await bench.axb("POST", callerNum=A, calleeNum=B, relationNum="+8619900000000") == (403, "1012001")
    assert await bench.axb("POST", callerNum=A, calleeNum=B, relationNum=BAD_X) == (403, "1012102")
    assert await bench.axb("POST", callerNum=A, calleeNum=B, areaCode="0755") == (403, "1012008")
    assert await bench.axb("POST", callerNum=A, calleeNum=B, areaCode="0755", areaMatchMode="1") == (200, "0")
    assert await bench.axb("POST", callerNum=A, calleeNum=B) == (200, "0")
    # A and B are on both X now.
    assert await bench.axb("POST", callerNum=A, calleeNum=B) == (403, "1012008")


async def test_unbinding_all_of_an_x(bench: Bench) -> None:
    await bound(bench)
    await bound(bench, callerNum=C, calleeNum=D)
    kept = await bound(bench, relationNum=Y)
    assert await bench.axb("DELETE", relationNum=AX_NUMBERS[0]) == (403, "1012001")
    assert await bench.axb("DELETE", relationNum=X) == (200, "0")
    assert await bench.axb("DELETE", relationNum=X) == (403, "1012007")
    assert await bench.axb("GET", relationNum=X) == (403, "1012007")
    assert [row["subscriptionId"] for row in await rows(bench, relationNum=Y)] == [kept]
    # The id wins over the number.
    assert await bench.axb("DELETE", subscriptionId="none", relationNum=Y) == (403, "1016001")


async def test_another_application_s_binding_is_none(bench: Bench) -> None:
    name = await bound(bench)
    for method, more in (("GET", {}), ("DELETE", {}), ("PUT", {"maxDuration": 5})):
        values = {"subscriptionId": name, **more}
        where = {"json": values} if method == "PUT" else {"params": values}
        assert await bench.code(method, AXB, "home", **where) == (403, "1016001")
    assert len(await rows(bench, subscriptionId=name)) == 1


async def test_queries_by_number_and_by_page(bench: Bench) -> None:
    people = [f"+86139000000{number}" for number in range(10, 34)]
    for a, b in zip(people[::2], people[1::2], strict=True):
        await bound(bench, callerNum=a, calleeNum=b)
    whole = await rows(bench, relationNum=X)
    assert [row["callerNum"] for row in whole] == people[::2]
    first, second = [await rows(bench, relationNum=X, pageSize=10, pageIndex=page) for page in (1, 2)]
    assert (len(first), len(second), first + second) == (10, 2, whole)
    assert await bench.axb("GET", relationNum=X, pageSize=10, pageIndex=3) == (403, "1012007")
    _, found = await bench.ask("GET", AXB, params={"relationNum": X, "pageSize": 10, "pageIndex": 2})
    assert found["pagedetail"] == {"totalRows": 12, "currentPage": 2, "pageSize": 10}
    _, found = await bench.ask("GET", AXB, params={"relationNum": X, "pageSize": 101})
    assert found["pagedetail"]["pageSize"] == 50
    assert await rows(bench, relationNum=X, calleeNum=people[3]) == [whole[1]]
    assert await rows(bench, relationNum=X, callerNum=people[2], calleeNum=people[3]) == [whole[1]]
    assert await bench.axb("GET", relationNum=X, callerNum=people[0], calleeNum=people[3]) == (403, "1012007")


FAULTS: list[tuple[str, dict[str, Any], str]] = [
    ("POST", {"calleeNum": B}, "callerNum is required."),
    ("POST", {"callerNum": A}, "calleeNum is required."),
    ("POST", {"callerNum": A, "calleeNum": "8613800000022"}, "calleeNum is invalid."),
    ("POST", {"callerNum": A, "calleeNum": B, "relationNum": "x"}, "relationNum is invalid."),
    ("POST", {"callerNum": A, "calleeNum": B, "callDirection": 3}, "callDirection is invalid."),
    ("POST", {"callerNum": A, "calleeNum": B, "duration": 7776001}, "duration is invalid."),
    ("POST", {"callerNum": A, "calleeNum": B, "areaMatchMode": "2"}, "areaMatchMode is invalid."),
    ("POST", {"callerNum": A, "calleeNum": B, "recordFlag": "yes"}, "recordFlag is invalid."),
    ("POST", {"callerNum": A, "calleeNum": B, "preVoice": "w.wav"}, "preVoice is invalid."),
    ("POST", {"callerNum": A, "calleeNum": B, "preVoice": {"callerHintTone": "/etc/passwd"}},
     "preVoice.callerHintTone is invalid."),
    ("POST", {"callerNum": A, "calleeNum": B, "userData": "u" * 257}, "userData is invalid."),
    ("PUT", {"maxDuration": 5}, "subscriptionId is required."),
    ("PUT", {"subscriptionId": "s", "lastMinVoice": "none.wav"}, "none.wav does not exist."),
    ("PUT", {"subscriptionId": "s" * 65}, "subscriptionId is invalid."),
    ("DELETE", {}, "subscriptionId or relationNum is required."),
    ("GET", {"callerNum": A}, "subscriptionId or relationNum is required."),
    ("GET", {"relationNum": X, "pageIndex": "one"}, "pageIndex is invalid."),
]  # fmt: skip


async def test_what_is_wrong_is_named(bench: Bench) -> None:
    for method, values, hint in FAULTS:
        where = {"json": values} if method in ("POST", "PUT") else {"params": values}
        answer = await bench.ask(method, AXB, **where)
        assert answer == (403, {"resultcode": "1010002", "resultdesc": "Invalid request." + hint})
