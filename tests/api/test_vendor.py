"""The vendor's paths as a customer's client sees them: the usual course of each mode, and its codes."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from tests.api.bench import AX, AX_NUMBERS, AXB, CALLEE, STOP, A, B, Bench, C, X


async def test_axb_from_bind_to_unbind(bench: Bench) -> None:
    body = {"callerNum": A, "calleeNum": B, "relationNum": X, "duration": "86400", "maxDuration": 30.0,
            "recordFlag": "true", "preVoice": {"callerHintTone": "w.wav"}, "userData": "u"}  # fmt: skip
    status, made = await bench.ask("POST", AXB, json=body)
    assert status == 200
    name = made.pop("subscriptionId")
    assert made == {"resultcode": "0", "resultdesc": "Success", "relationNum": X, "callDirection": 0, "duration": 86400,
                    "maxDuration": 30, "userData": "u"}  # fmt: skip
    status, again = await bench.ask("POST", AXB, json=body)
    assert (status, again) == (403, {"resultcode": "1012010", "resultdesc": f"The number {A} has been bound."})
    assert await bench.code("PUT", AXB, json={"subscriptionId": name, "calleeNum": C, "maxDuration": 0}) == (200, "0")
    _, found = await bench.ask("GET", AXB, params={"subscriptionId": name})
    (row,) = found["relationNumList"]
    assert (row["callerNum"], row["calleeNum"], row["relationNum"], row["maxDuration"]) == (A, C, X, 0)
    assert not any(isinstance(value, list) for value in row.values())
    # A hand-made query with a raw +, and a DELETE that carries its parameter in a body.
    raw = f"{AXB}?relationNum={X}&callerNum={A}&pageSize=1"
    async with bench.http.get(aiohttp.client.URL(raw, encoded=True), headers=bench.headers("axb")) as response:
        assert (await response.json(content_type=None))["pagedetail"]["totalRows"] == 1
    assert await bench.code("DELETE", AXB, json={"subscriptionId": name}) == (200, "0")
    assert await bench.code("DELETE", AXB, params={"subscriptionId": name}) == (403, "1016001")
    assert await bench.code("GET", AXB, params={"relationNum": X}) == (403, "1012007")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"callerNum": A, "calleeNum": B, "relationNum": AX_NUMBERS[0]}, "1012001"),
        ({"callerNum": A, "relationNum": X}, "1010002"),
        ({"callerNum": "13800000021", "calleeNum": B}, "1010002"),
        ({"callerNum": A, "calleeNum": A, "relationNum": X}, "1010002"),
        ({"callerNum": A, "calleeNum": B, "areaCode": "0755"}, "1012008"),
        ({"callerNum": A, "calleeNum": B, "maxDuration": 1441}, "1010002"),
        ({"callerNum": A, "calleeNum": B, "userData": "{x}"}, "1010002"),
        ({"callerNum": A, "calleeNum": B, "recordHintTone": "absent.wav"}, "1010002"),
        ({"callerNum": A, "calleeNum": B, "lastMinVoice": "w.wav"}, "1010002"),
    ],
)
async def test_axb_bind_refusals(bench: Bench, body: dict[str, Any], code: str) -> None:
    status, answer = await bench.ask("POST", AXB, json=body)
    assert (status, answer["resultcode"]) == (403, code)
    assert A not in answer["resultdesc"]


async def test_a_missing_tone_is_named_behind_the_full_stop(bench: Bench) -> None:
    body = {"callerNum": A, "calleeNum": B, "recordHintTone": "absent.wav"}
    _, answer = await bench.ask("POST", AXB, json=body)
    assert answer["resultdesc"] == "Invalid request.absent.wav does not exist."


async def test_ax_from_bind_to_unbind(bench: Bench) -> None:
    first = AX_NUMBERS[0]
    status, made = await bench.ask("POST", AX, "ax", json={"origNum": A, "privateNum": first, "calleeNumDisplay": "0"})
    assert (status, made["origNum"], made["privateNum"]) == (200, A, first)
    where = {"origNum": A, "privateNum": first}
    assert await bench.code("POST", AX, "ax", json=where) == (403, "1016002")
    assert await bench.code("POST", AX, "ax", json={"origNum": B, "privateNum": first}) == (403, "1011005")
    assert await bench.code("POST", AX, "ax", json={"origNum": B, "privateNum": X}) == (403, "1011001")
    for number in AX_NUMBERS[1:5]:
        assert await bench.code("POST", AX, "ax", json={"origNum": A, "privateNum": number}) == (200, "0")
    assert await bench.code("POST", AX, "ax", json={"origNum": A, "privateNum": AX_NUMBERS[5]}) == (403, "1011003")
    changes = {"subscriptionId": made["subscriptionId"], "maxDuration": 30, "turnFlag": "off"}
    assert await bench.code("PUT", AX, "ax", json=changes) == (200, "0")
    _, found = await bench.ask("GET", AX, "ax", params={"origNum": A})
    assert len(found["privateNumList"]) == 5
    row = found["privateNumList"][0]
    assert (row["maxDuration"], row["turnFlag"], row["calleeNumDisplay"]) == (30, "off", "0")
    assert await bench.code("PUT", CALLEE, "ax", json={"privateNum": first, "calleeNum": B}) == (200, "0")
    assert await bench.code("PUT", CALLEE, "ax", json={"privateNum": first, "calleeNum": A}) == (403, "1010002")
    assert await bench.code("PUT", CALLEE, "ax", json={"privateNum": AX_NUMBERS[7], "calleeNum": B}) == (403, "1011004")
    assert await bench.code("DELETE", AX, "ax", params={"privateNum": first}) == (200, "0")
    assert await bench.code("DELETE", AX, "ax", params={"privateNum": first}) == (403, "1011004")
    assert await bench.code("GET", AX, "ax", params={"privateNum": first}) == (403, "1016001")


async def test_who_may_call(bench: Bench) -> None:
    body = {"callerNum": A, "calleeNum": B}
    async with bench.http.post(AXB, json=body) as response:
        assert (response.status, (await response.json())["resultcode"]) == (400, "1023006")
    assert await bench.code("POST", AXB, "nobody", json=body) == (403, "1010003")
    assert await bench.code("POST", AXB, "ax", json=body) == (403, "1010040")
    assert await bench.code("POST", AXB, "off", json=body) == (403, "1010008")
    assert await bench.code("POST", AXB, "walled", json=body) == (403, "1020166")
    for _ in range(9):
        assert await bench.code("POST", AXB, secret="wrong", json=body) == (401, "1010010")
    assert await bench.code("POST", AXB, json=body) == (403, "1020176")


async def test_stopping_a_call(bench: Bench) -> None:
    assert await bench.code("POST", STOP, json={"sessionid": "live", "signal": "call_stop"}) == (200, "0")
    assert await bench.code("POST", STOP, json={"sessionid": "gone", "signal": "call_stop"}) == (403, "1016001")
    assert await bench.code("POST", STOP, json={"sessionid": "live"}) == (403, "1010002")
    assert bench.stopped == [("axb", "live"), ("axb", "gone")]


async def test_every_failure_is_json(bench: Bench) -> None:
    assert await bench.code("GET", "/rest/nowhere") == (404, "1010002")
    assert await bench.code("GET", STOP + "/") == (404, "1010002")
    assert await bench.code("PATCH", AXB) == (405, "1010002")
    assert await bench.code("POST", AXB, data=b"{nonsense") == (403, "1010002")
    assert await bench.code("POST", AXB, data=b"x" * 70000) == (413, "1010002")
    bench.fault = RuntimeError(A)
    assert await bench.code("POST", STOP, json={"sessionid": "live", "signal": "call_stop"}) == (500, "1010001")
