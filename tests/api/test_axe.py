"""AXE: what each field does, and each code that bind, unbind, modify and query can answer."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.api.bench import AXE, AXE_NUMBERS, A, B, Bench, C, D, X

X1, X2 = AXE_NUMBERS
WHOLE = {"bindNum": A, "virtualNum": X1, "extendNum": "1234", "displayNumMode": 1, "recordFlag": "true",
         "recordHintTone": "w.wav", "callbackTone": "w.wav", "timeUnit": "1", "bindExpiredTime": 90,
         "callbackExpiredTime": 30, "userData": "driver-7"}  # fmt: skip


async def axe(bench: Bench, method: str, **values: Any) -> tuple[int, dict[str, Any]]:
    where = "json" if method in ("POST", "PUT") else "params"
    return await bench.ask(method, AXE, "axe", **{where: values})


async def code(bench: Bench, method: str, **values: Any) -> tuple[int, str]:
    status, body = await axe(bench, method, **values)
    return status, body["resultcode"]


async def test_every_field_comes_back(bench: Bench) -> None:
    status, made = await axe(bench, "POST", **WHOLE)
    assert status == 200
    name = made["subscriptionId"]
    assert made == {"resultcode": "0", "resultdesc": "Success", "subscriptionId": name, "virtualNum": X1,
                    "extendNum": "1234", "bindExpiredTime": 90, "callbackExpiredTime": 30,
                    "userData": "driver-7"}  # fmt: skip
    for where in ({"subscriptionId": name}, {"virtualNum": X1, "extendNum": "1234", "subscriptionId": ""}):
        _, row = await axe(bench, "GET", **where)
        expected = {**WHOLE, "displayNumMode": "1", "subscriptionId": name, "resultcode": "0", "resultdesc": "Success"}
        assert row == expected


async def test_the_least(bench: Bench) -> None:
    _, made = await axe(bench, "POST", bindNum=A, areaCode="0755")
    assert made["virtualNum"] in AXE_NUMBERS
    assert (made["extendNum"], made["bindExpiredTime"], made["callbackExpiredTime"]) == ("0001", 0, 0)
    _, row = await axe(bench, "GET", subscriptionId=made["subscriptionId"])
    assert row["displayNumMode"] == "0"
    assert "callbackTone" not in row
    assert "callbackNum" not in row


@pytest.mark.parametrize(
    ("changed", "hint"),
    [
        ({"bindNum": None}, "bindNum is required."),
        ({"virtualNum": ""}, "virtualNum or areaCode is required."),
        ({"extendNum": "12345"}, "extendNum is invalid."),
        ({"extendNum": "12a"}, "extendNum is invalid."),
        ({"displayNumMode": "2"}, "displayNumMode is invalid."),
        ({"callbackNum": B}, "callbackTone and callbackNum exclude each other."),
        ({"callbackTone": "no.wav"}, "no.wav does not exist."),
        ({"recordHintTone": "no.wav"}, "no.wav does not exist."),
        ({"timeUnit": "2"}, "timeUnit is invalid."),
        ({"bindExpiredTime": 43201}, "bindExpiredTime is invalid."),
        ({"timeUnit": "0", "bindExpiredTime": 721}, "bindExpiredTime is invalid."),
        ({"callbackExpiredTime": 91}, "callbackExpiredTime must not be longer than bindExpiredTime."),
        ({"bindNum": X1}, "bindNum and virtualNum must differ."),
        ({"userData": "{"}, "userData is invalid."),
    ],
)
async def test_wrong_fields(bench: Bench, changed: dict[str, Any], hint: str) -> None:
    status, body = await axe(bench, "POST", **{**WHOLE, **changed})
    assert (status, body["resultcode"], body["resultdesc"]) == (403, "1010002", "Invalid request." + hint)


async def test_numbers_and_extensions_that_can_t_be_had(bench: Bench) -> None:
    assert await code(bench, "POST", **WHOLE) == (200, "0")
    assert await code(bench, "POST", **WHOLE) == (403, "1016002")
    assert await code(bench, "POST", bindNum=B, virtualNum=X1, extendNum="1234") == (403, "1020167")
    assert await code(bench, "POST", bindNum=B, virtualNum=X) == (403, "1012001")
    assert await code(bench, "POST", bindNum=B, areaCode="010") == (403, "1012008")
    assert await code(bench, "POST", bindNum=B, areaCode="010", areaMatchMode="1") == (200, "0")
    assert await bench.code("POST", AXE, "axb", json=WHOLE) == (403, "1010040")


async def test_unbind(bench: Bench) -> None:
    await axe(bench, "POST", **WHOLE)
    assert await code(bench, "DELETE", virtualNum=X1, extendNum="9", subscriptionId="") == (403, "1016001")
    assert await code(bench, "DELETE", virtualNum=X1) == (403, "1010002")
    assert await code(bench, "DELETE", virtualNum=X, extendNum="1234") == (403, "1012001")
    assert await code(bench, "DELETE", virtualNum=X1, extendNum="1234") == (200, "0")
    assert await code(bench, "GET", virtualNum=X1, extendNum="1234") == (403, "1016001")
    _, made = await axe(bench, "POST", **WHOLE)
    assert await code(bench, "DELETE", subscriptionId=made["subscriptionId"], virtualNum="", extendNum="") == (200, "0")


async def test_modify_shows_the_times_of_the_bind_and_restarts_the_clock(bench: Bench) -> None:
    _, made = await axe(bench, "POST", **WHOLE)
    name = made["subscriptionId"]
    bench.later = timedelta(minutes=60)
    changes = {"callbackNum": B, "displayNumMode": "0", "bindExpiredTime": 2, "timeUnit": "0", "userData": "new"}
    assert await code(bench, "PUT", subscriptionId=name, **changes) == (200, "0")
    _, row = await axe(bench, "GET", subscriptionId=name)
    assert (row["callbackNum"], row["displayNumMode"], row["userData"]) == (B, "0", "new")
    assert "callbackTone" not in row
    assert (row["timeUnit"], row["bindExpiredTime"]) == ("1", 90)
    bench.later = timedelta(minutes=179)
    assert await code(bench, "GET", subscriptionId=name) == (200, "0")
    bench.later = timedelta(minutes=181)
    assert await code(bench, "GET", subscriptionId=name) == (403, "1016001")
    assert await code(bench, "PUT", subscriptionId=name, userData="x") == (403, "1016001")


async def test_fields_of_other_modes_do_nothing(bench: Bench) -> None:
    more = {"maxDuration": 1, "lastMinVoice": "none.wav", "preVoice": {"callerHintTone": "none.wav"}}
    _, made = await axe(bench, "POST", **WHOLE, **more)
    _, row = await axe(bench, "GET", subscriptionId=made["subscriptionId"])
    assert not set(more) & set(row)


async def test_a_number_in_two_bindings(bench: Bench) -> None:
    for bound in (C, D):
        assert await code(bench, "POST", bindNum=bound, virtualNum=X2) == (200, "0")
