"""AX: what each field does, and each code that bind, unbind, modify, query and the temporary callee can answer."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from gateway.database import reading
from gateway.schema import temporary_callee
from tests.api.bench import AX, AX_NUMBERS, BAD_AX, CALLEE, A, B, Bench, C, X

X1, X2, X3 = AX_NUMBERS[:3]
WHOLE = {"origNum": A, "privateNum": X1, "calleeNumDisplay": "1", "recordFlag": "true", "recordHintTone": "w.wav",
         "privateSms": "false", "preVoice": {"callerHintTone": "w.wav", "calleeHintTone": "w.wav"}, "maxDuration": 60,
         "lastMinVoice": "w.wav", "callDirection": 2, "turnFlag": "off", "userData": "driver-7"}  # fmt: skip


async def bound(bench: Bench, **values: Any) -> str:
    status, made = await bench.ask("POST", AX, "ax", json={"origNum": A, "privateNum": X1, **values})
    assert (status, made["resultcode"]) == (200, "0")
    name: str = made["subscriptionId"]
    return name


async def rows(bench: Bench, **where: Any) -> list[dict[str, Any]]:
    status, found = await bench.ask("GET", AX, "ax", params=where)
    assert status == 200
    listed: list[dict[str, Any]] = found["privateNumList"]
    return listed


async def callee(bench: Bench, **values: Any) -> tuple[int, str]:
    return await bench.code("PUT", CALLEE, "ax", json=values)


async def test_every_field_comes_back(bench: Bench) -> None:
    status, made = await bench.ask("POST", AX, "ax", json=WHOLE)
    assert status == 200
    name = made["subscriptionId"]
    assert made == {"resultcode": "0", "resultdesc": "Success", "origNum": A, "privateNum": X1, "subscriptionId": name,
                    "userData": "driver-7"}  # fmt: skip
    (row,) = await rows(bench, subscriptionId=name)
    assert row.pop("subscribeTime")[:2] == "20"
    assert row == {**WHOLE, "subscriptionId": name, "privateNumType": "mobile-virtual"}


async def test_a_modify_changes_what_it_names_and_nothing_else(bench: Bench) -> None:
    await bound(bench, **WHOLE)
    (before,) = await rows(bench, privateNum=X1)
    changes = {"privateSms": "true", "calleeNumDisplay": "0", "callDirection": 0, "turnFlag": "on", "userData": "new"}
    assert await bench.ax("PUT", privateNum=X1, origNum=A, **changes) == (200, "0")
    assert await rows(bench, privateNum=X1) == [{**before, **changes}]


async def test_a_last_minute_needs_a_limit_whenever_it_is_set(bench: Bench) -> None:
    assert await bench.ax("POST", origNum=A, privateNum=X1, lastMinVoice="w.wav") == (403, "1010002")
    name = await bound(bench)
    status, body = await bench.ask("PUT", AX, "ax", json={"subscriptionId": name, "lastMinVoice": "w.wav"})
    assert (status, body["resultdesc"]) == (403, "Invalid request.lastMinVoice needs maxDuration.")
    assert await bench.ax("PUT", subscriptionId=name, maxDuration=30) == (200, "0")
    assert await bench.ax("PUT", subscriptionId=name, lastMinVoice="w.wav") == (200, "0")
    assert await bench.ax("PUT", subscriptionId=name, lastMinVoice="w.wav", maxDuration=0) == (403, "1010002")


async def test_numbers_that_can_t_be_had(bench: Bench) -> None:
    await bound(bench)
    assert await bench.ax("POST", origNum=A, privateNum=X1) == (403, "1016002")
    assert await bench.ax("POST", origNum=B, privateNum=X1) == (403, "1011005")
    assert await bench.ax("POST", origNum=A, privateNum=X) == (403, "1011001")
    assert await bench.ax("POST", origNum=A, privateNum="+8619900000000") == (403, "1011001")
    assert await bench.ax("POST", origNum=A, privateNum=BAD_AX) == (403, "1012102")
    area = {"areaCode": "0755", "privateNumType": "mobile-virtual"}
    assert await bench.ax("POST", origNum=B, **area) == (403, "1011002")
    assert await bench.ax("POST", origNum=B, **area, areaMatchMode="1") == (200, "0")
    # The number wins over the city.
    assert await bench.ax("POST", origNum=C, privateNum=X3, **area) == (200, "0")


async def test_one_person_has_at_most_five_numbers(bench: Bench) -> None:
    for x in AX_NUMBERS[:5]:
        await bound(bench, privateNum=x)
    assert await bench.ax("POST", origNum=A, privateNum=AX_NUMBERS[5]) == (403, "1011003")
    assert await bench.ax("DELETE", privateNum=X1) == (200, "0")
    assert await bench.ax("POST", origNum=A, privateNum=AX_NUMBERS[5]) == (200, "0")


@pytest.mark.parametrize("x", [X2, X, BAD_AX, "+8619900000000"], ids=["free", "foreign", "suspended", "unknown"])
async def test_an_x_that_isn_t_bound_here_is_1011004(bench: Bench, x: str) -> None:
    """Unknown or not bound for this application: section 2.2 has one code for both, unlike the bind's 1011001."""
    await bound(bench)
    await bench.axb("POST", callerNum=A, calleeNum=B, relationNum=X)
    assert await bench.ax("DELETE", privateNum=x) == (403, "1011004")
    assert await bench.ax("PUT", privateNum=x, maxDuration=5) == (403, "1011004")
    assert await callee(bench, privateNum=x, calleeNum=B) == (403, "1011004")
    assert await bench.ax("GET", privateNum=x) == (403, "1016001")
    assert await bench.axb("GET", relationNum=X) == (200, "0")


async def test_an_id_that_isn_t_there_is_1016001(bench: Bench) -> None:
    await bound(bench)
    # The id wins over the number.
    where = {"subscriptionId": "none", "privateNum": X1}
    assert await bench.ax("DELETE", **where) == (403, "1016001")
    assert await bench.ax("PUT", **where, maxDuration=5) == (403, "1016001")
    assert await callee(bench, **where, calleeNum=B) == (403, "1016001")
    assert await bench.ax("GET", **where) == (403, "1016001")
    assert await bench.ax("GET", origNum=B) == (403, "1016001")
    assert len(await rows(bench, privateNum=X1)) == 1


async def test_orig_num_beside_a_locator_must_be_its_a(bench: Bench) -> None:
    name = await bound(bench)
    assert await bench.ax("PUT", subscriptionId=name, origNum=B, maxDuration=5) == (403, "1016001")
    assert await bench.ax("PUT", privateNum=X1, origNum=B, maxDuration=5) == (403, "1011004")
    assert await callee(bench, privateNum=X1, origNum=B, calleeNum=C) == (403, "1011004")
    assert await callee(bench, privateNum=X1, origNum=A, calleeNum=C) == (200, "0")


async def test_queries_by_each_locator(bench: Bench) -> None:
    first, second = await bound(bench), await bound(bench, privateNum=X2)
    await bound(bench, origNum=B, privateNum=X3)
    assert [row["subscriptionId"] for row in await rows(bench, origNum=A)] == [first, second]
    assert [row["subscriptionId"] for row in await rows(bench, privateNum=X2)] == [second]
    # subscriptionId > origNum > privateNum.
    assert [row["origNum"] for row in await rows(bench, origNum=B, privateNum=X2)] == [B]
    assert [row["privateNum"] for row in await rows(bench, subscriptionId=first, origNum=B)] == [X1]


async def test_a_new_temporary_callee_takes_the_place_of_the_old(bench: Bench) -> None:
    name = await bound(bench)
    assert await callee(bench, privateNum=X1, calleeNum=B, duration=259200) == (200, "0")
    bench.later = timedelta(seconds=10)
    assert await callee(bench, subscriptionId=name, calleeNum="+864008001234", userData="u") == (200, "0")
    async with reading(bench.engine) as connection:
        (row,) = (await connection.execute(select(temporary_callee))).all()
    assert (row.callee, row.user_data) == ("+864008001234", "u")
    assert 0 <= bench.clock().timestamp() + 60 - row.expires_at < 60
    assert await bench.ax("DELETE", subscriptionId=name) == (200, "0")
    async with reading(bench.engine) as connection:
        assert (await connection.execute(select(temporary_callee))).all() == []


FAULTS: list[tuple[str, str, dict[str, Any], str]] = [
    ("POST", AX, {"privateNum": X1}, "origNum is required."),
    ("POST", AX, {"origNum": A}, "privateNum or areaCode is required."),
    ("POST", AX, {"origNum": A, "areaCode": "0755"}, "privateNumType is required."),
    ("POST", AX, {"origNum": A, "areaCode": "0755", "privateNumType": "fixed"}, "privateNumType is invalid."),
    ("POST", AX, {"origNum": A, "privateNum": A}, "origNum, privateNum and calleeNum must differ."),
    ("POST", AX, {"origNum": A, "privateNum": X1, "turnFlag": "maybe"}, "turnFlag is invalid."),
    ("POST", AX, {"origNum": A, "privateNum": X1, "calleeNumDisplay": 2}, "calleeNumDisplay is invalid."),
    ("POST", AX, {"origNum": A, "privateNum": X1, "recordHintTone": "n.wav"}, "n.wav does not exist."),
    ("PUT", AX, {"origNum": A}, "subscriptionId or privateNum is required."),
    ("PUT", AX, {"privateNum": X1, "maxDuration": -1}, "maxDuration is invalid."),
    ("DELETE", AX, {"origNum": A}, "subscriptionId or privateNum is required."),
    ("GET", AX, {}, "subscriptionId, origNum or privateNum is required."),
    ("PUT", CALLEE, {"privateNum": X1}, "calleeNum is required."),
    ("PUT", CALLEE, {"calleeNum": B}, "subscriptionId or privateNum is required."),
    ("PUT", CALLEE, {"privateNum": X1, "calleeNum": B, "duration": 259201}, "duration is invalid."),
]  # fmt: skip


async def test_what_is_wrong_is_named(bench: Bench) -> None:
    for method, path, values, hint in FAULTS:
        where = {"json": values} if method in ("POST", "PUT") else {"params": values}
        answer = await bench.ask(method, path, "ax", **where)
        assert answer == (403, {"resultcode": "1010002", "resultdesc": "Invalid request." + hint})
