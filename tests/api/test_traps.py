"""The traps of privatenumber.md section 15, by their numbers, as bytes on a socket where the trap is one of bytes.

Elsewhere: 6, TLS (test_tls.py); 11 to 13, what receivers of callbacks do (test_outbox.py); 9, the spelling of Location
(test_recordings.py).
"""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.lab.client import signature
from tests.api.bench import AX, AX_NUMBERS, AXB, AXYB, STOP, A, B, Bench, C, X

BODY = {"callerNum": A, "calleeNum": B, "relationNum": X}


async def raw(bench: Bench, head: str, body: bytes = b"", *, version: str = "1.1", **headers: str) -> tuple[bytes, Any]:
    """A request written by hand: the answer's head, and its JSON."""
    signed = {"Host": "gw", "Connection": "close", **bench.headers("axb"), **headers}
    if body:
        signed["Content-Length"] = str(len(body))
    lines = [f"{head} HTTP/{version}", *(f"{name}: {value}" for name, value in signed.items()), "", ""]
    reader, writer = await asyncio.open_connection("127.0.0.1", bench.port)
    writer.write("\r\n".join(lines).encode("latin-1") + body)
    answer = await reader.read()
    writer.close()
    first, _, rest = answer.partition(b"\r\n\r\n")
    return first, json.loads(rest)


async def test_1_a_raw_plus_in_a_query(bench: Bench) -> None:
    await bench.axb("POST", **BODY)
    _, answer = await raw(bench, f"GET {AXB}?relationNum={X}")
    assert (answer["resultcode"], len(answer["relationNumList"])) == ("0", 1)


async def test_2_a_get_with_a_body_and_a_delete_with_json(bench: Bench) -> None:
    made = (await bench.ask("POST", AXB, json=BODY))[1]
    _, answer = await raw(bench, f"GET {AXB}?relationNum=%2B{X[1:]}", b"relationNum=nonsense")
    assert answer["resultcode"] == "0"
    _, answer = await raw(bench, f"DELETE {AXB}", json.dumps({"subscriptionId": made["subscriptionId"]}).encode())
    assert answer["resultcode"] == "0"


@pytest.mark.parametrize("values", [
    {"recordFlag": True, "maxDuration": 30, "callDirection": 0}, {"recordFlag": "true", "maxDuration": "30"},
    {"recordFlag": "1", "maxDuration": 30.0}, {"recordFlag": "TRUE", "maxDuration": "30.0", "userData": None},
    {"recordFlag": True, "maxDuration": 30, "preVoice": [], "lastMinVoice": "", "areaCode": ""},
])  # fmt: skip
async def test_3_booleans_integers_and_what_is_absent(bench: Bench, values: dict[str, Any]) -> None:
    assert await bench.axb("POST", **BODY, **values) == (200, "0")
    (row,) = (await bench.ask("GET", AXB, params={"relationNum": X}))[1]["relationNumList"]
    assert (row["recordFlag"], row["maxDuration"]) == ("true", 30)
    assert "userData" not in row


@pytest.mark.parametrize(
    ("head", "status"),
    [(f"GET {AXB}?subscriptionId=nobody", 403), ("GET /nowhere", 404), (f"PATCH {AXB}", 405), (f"POST {AXB}", 403)],
)
async def test_4_every_failure_has_its_json(bench: Bench, head: str, status: int) -> None:
    first, answer = await raw(bench, head)
    assert first.startswith(f"HTTP/1.1 {status} ".encode())
    assert set(answer) == {"resultcode", "resultdesc"}
    assert f"Content-Length: {len(json.dumps(answer, separators=(',', ':')))}".encode() in first


async def test_5_http_1_0(bench: Bench) -> None:
    first, answer = await raw(bench, f"POST {AXB}", json.dumps(BODY).encode(), version="1.0")
    assert answer["resultcode"] == "0"
    assert b"Content-Length: " in first
    assert b"hunked" not in first


async def test_7_bytes_that_are_no_utf_8(bench: Bench) -> None:
    body = json.dumps(BODY | {"userData": "?"}).encode().replace(b'"?"', b'"\xb6\xa9\xb5\xa5"')
    _, answer = await raw(bench, f"POST {AXB}", body)
    assert answer["resultcode"] == "0"


@pytest.mark.parametrize("hours", [8, -8])
async def test_8_local_time_with_a_z_and_dsl(bench: Bench, hours: int) -> None:
    created = (datetime.now(UTC) + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")
    headers = signature("axb", "s", nonce="66C92B11", created=created)
    headers["Authorization"] = 'WSSE realm="SDP", profile="UsernameToken", dsl="Appkey"'
    async with bench.http.post(AXB, json=BODY, headers=headers) as response:
        assert (await response.json(content_type=None))["resultcode"] == "0"


async def test_10_names_that_differ_by_a_letter(bench: Bench) -> None:
    assert await bench.code("POST", STOP, json={"sessionid": "live", "signal": "call_stop"}) == (200, "0")
    assert await bench.code("POST", STOP, json={"sessionId": "live", "signal": "call_stop"}) == (403, "1010002")
    made = (await bench.ask("POST", AXYB, "axyb", params={"app_key": "axyb"}, json={"origNum": A, "areaCode": "0755"}))[
        1
    ]
    assert "relationNumber" in made
    assert "relationNum" not in made


async def test_14_one_code_with_two_meanings_and_a_number_in_a_text(bench: Bench) -> None:
    assert await bench.code("POST", AXB, secret="wrong", json=BODY) == (401, "1010010")
    await bench.axb("POST", **BODY)
    status, answer = await bench.ask("POST", AXB, json=BODY | {"calleeNum": C})
    assert (status, answer["resultcode"], answer["resultdesc"]) == (
        403, "1012010", f"The number {A} has been bound.")  # fmt: skip


async def test_15_the_same_bind_again_is_an_error(bench: Bench) -> None:
    assert await bench.axb("POST", **BODY) == (200, "0")
    assert await bench.axb("POST", **BODY) == (403, "1012010")
    assert len((await bench.ask("GET", AXB, params={"relationNum": X}))[1]["relationNumList"]) == 1


async def test_16_the_hint_follows_the_full_stop_without_a_blank(bench: Bench) -> None:
    _, answer = await bench.ask(
        "POST", AX, "ax", json={"origNum": A, "privateNum": AX_NUMBERS[0], "recordHintTone": "no.wav"}
    )
    assert answer == {"resultcode": "1010002", "resultdesc": "Invalid request.no.wav does not exist."}
