"""AXYB: what each field does, and each code that bind, unbind and query can answer."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.api.bench import AXYB, AXYB_NUMBERS, A, B, Bench, C

WHOLE = {"origNum": A, "areaCode": "0755", "callDirection": 0, "duration": 3600, "ybDuration": 600,
         "recordFlag": "true", "recordHintTone": "w.wav", "preVoiceX": "w.wav", "userData": "u"}  # fmt: skip


async def axyb(bench: Bench, method: str, **values: Any) -> tuple[int, dict[str, Any]]:
    query = {"app_key": values.pop("app_key", "axyb")}
    if method == "POST":
        return await bench.ask(method, AXYB, "axyb", params=query, json=values)
    return await bench.ask(method, AXYB, "axyb", params=query | values)


async def code(bench: Bench, method: str, **values: Any) -> tuple[int, str]:
    status, body = await axyb(bench, method, **values)
    return status, body["resultcode"]


async def rows(bench: Bench, **where: Any) -> list[dict[str, Any]]:
    _, found = await axyb(bench, "GET", **where)
    listed: list[dict[str, Any]] = found["xyRelationNumList"]
    return listed


async def test_an_x_and_then_a_y(bench: Bench) -> None:
    status, made = await axyb(bench, "POST", **WHOLE)
    assert status == 200
    name, x = made["subscriptionId"], made["relationNumber"]
    assert x in AXYB_NUMBERS
    status, related = await axyb(bench, "POST", subscriptionId=name, origNum=B, ybDuration=120, preVoiceY="w.wav")
    assert (status, related["subscriptionId"]) == (200, name)
    y = related["relationNumber"]
    assert y in AXYB_NUMBERS
    assert y != x
    for where in ({"subscriptionId": name}, {"relationNum": x}):
        (row,) = await rows(bench, **where)
        assert row.pop("subscribeTime")
        assert row == {"bindId": name, "numA": A, "numX": x, "numY": y, "numB": B, "recordFlag": "true",
                       "recordHintTone": "w.wav", "callDirection": 0, "duration": "3600", "ybDuration": "120",
                       "preVoiceX": "w.wav", "preVoiceY": "w.wav", "userData": "u"}  # fmt: skip


async def test_standard_lives(bench: Bench) -> None:
    _, made = await axyb(bench, "POST", origNum=A, areaCode="0755")
    (row,) = await rows(bench, subscriptionId=made["subscriptionId"])
    assert (row["duration"], row["ybDuration"]) == ("7200", "0")
    assert "numY" not in row
    bench.later = timedelta(seconds=7201)
    assert await code(bench, "GET", subscriptionId=made["subscriptionId"]) == (403, "1016001")
    _, made = await axyb(bench, "POST", origNum=A, areaCode="0755", duration=0)
    bench.later = timedelta(hours=20)
    assert await code(bench, "GET", subscriptionId=made["subscriptionId"]) == (200, "0")


@pytest.mark.parametrize(
    ("changed", "hint"),
    [
        ({"origNum": ""}, "origNum is required."),
        ({"areaCode": None}, "areaCode is required."),
        ({"duration": 59}, "duration is invalid."),
        ({"duration": 7776001}, "duration is invalid."),
        ({"ybDuration": 1}, "ybDuration is invalid."),
        ({"callDirection": 3}, "callDirection is invalid."),
        ({"preVoiceX": "no.wav"}, "no.wav does not exist."),
        ({"app_key": ""}, "app_key is required."),
    ],
)
async def test_wrong_fields(bench: Bench, changed: dict[str, Any], hint: str) -> None:
    status, body = await axyb(bench, "POST", **{**WHOLE, **changed})
    assert (status, body["resultcode"], body["resultdesc"]) == (403, "1010002", "Invalid request." + hint)


async def test_codes(bench: Bench) -> None:
    assert await code(bench, "POST", **{**WHOLE, "app_key": "axb"}) == (403, "1010003")
    assert await code(bench, "POST", **{**WHOLE, "areaCode": "010"}) == (403, "1012008")
    assert await code(bench, "POST", **{**WHOLE, "areaCode": "010", "areaMatchMode": "1"}) == (200, "0")
    for _ in range(4):
        assert await code(bench, "POST", **WHOLE) == (200, "0")
    assert await code(bench, "POST", **WHOLE) == (403, "1011003")
    assert await code(bench, "POST", subscriptionId="none", origNum=B) == (403, "1016001")
    assert await code(bench, "GET") == (403, "1010002")
    assert await code(bench, "DELETE") == (403, "1010002")


async def test_unbind_a_relation_or_all(bench: Bench) -> None:
    _, made = await axyb(bench, "POST", **WHOLE)
    name = made["subscriptionId"]
    ys = [(await axyb(bench, "POST", subscriptionId=name, origNum=b))[1]["relationNumber"] for b in (B, C)]
    assert await code(bench, "POST", subscriptionId=name, origNum=A) == (403, "1010002")
    assert await code(bench, "DELETE", subscriptionId=name, yNum=ys[0], bNum=C) == (200, "0")
    assert [row["numB"] for row in await rows(bench, subscriptionId=name)] == [C]
    assert await code(bench, "DELETE", subscriptionId=name, bNum=B) == (403, "1016001")
    assert await code(bench, "DELETE", subscriptionId=name) == (200, "0")
    assert await code(bench, "DELETE", subscriptionId=name) == (403, "1016001")
