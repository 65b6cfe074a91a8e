"""Who is let in, and what is told to whom is not."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from gateway.api.auth import aksk_digest
from tests.api.bench import AXB, STOP, A, B, Bench, X

BODY = {"callerNum": A, "calleeNum": B, "relationNum": X}


async def test_a_source_not_listed_can_t_tell_a_known_key_from_an_unknown_one(bench: Bench) -> None:
    known = await bench.ask("POST", AXB, "walled", secret="wrong", json=BODY)
    assert known == await bench.ask("POST", AXB, "nobody", secret="wrong", json=BODY)
    assert known[1]["resultcode"] == "1010003"
    # Who has signed rightly is told what is wrong.
    assert await bench.code("POST", AXB, "walled", json=BODY) == (403, "1020166")
    # A source that is listed is told that its digest is wrong, and may call with the right one.
    assert await bench.code("POST", AXB, "home", secret="wrong", json=BODY) == (401, "1010010")
    assert await bench.code("GET", AXB, "home", params={"relationNum": X}) == (403, "1012007")


@pytest.mark.parametrize("key", ["walled", "nobody", "axb"])
async def test_ten_wrong_signatures_lock_a_source(bench: Bench, key: str) -> None:
    answers = {await bench.code("POST", AXB, key, secret="wrong", json=BODY) for _ in range(10)}
    assert answers == {(401, "1010010") if key == "axb" else (403, "1010003")}
    for other in ("walled", "nobody", "axb"):
        status, body = await bench.ask("POST", AXB, other, json=BODY)
        assert (status, body["resultcode"]) == (403, "1020176")
        assert body["resultdesc"] == "Authentication failed, try again later"


async def test_an_empty_secret_signs_for_no_unknown_key(bench: Bench) -> None:
    assert await bench.code("POST", AXB, "nobody", secret="", json=BODY) == (403, "1010003")


async def test_states_of_an_application(bench: Bench) -> None:
    assert await bench.code("POST", AXB, "off", json=BODY) == (403, "1010008")
    assert await bench.code("POST", AXB, "frozen", json=BODY) == (403, "1010029")
    for key in ("off", "frozen"):
        assert await bench.code("POST", AXB, key, secret="wrong", json=BODY) == (401, "1010010")


@pytest.mark.parametrize("hours", [-25, 25])
async def test_created_too_far_away(bench: Bench, hours: int) -> None:
    bench.later = timedelta(hours=hours)
    assert await bench.code("GET", AXB, params={"relationNum": X}) == (401, "1010013")
    bench.later = timedelta(hours=hours / 25 * 23)
    assert await bench.code("GET", AXB, params={"relationNum": X}) == (403, "1012007")


async def test_flow_control_is_a_403_and_each_application_s_own(tmp_path: Path, database_url: str) -> None:
    bench = await Bench().up(tmp_path, database_url, requests_per_second=0.01)
    stop = {"sessionid": "live", "signal": "call_stop"}
    try:
        assert await bench.code("POST", STOP, json=stop) == (200, "0")
        status, body = await bench.ask("POST", STOP, json=stop)
        assert (status, body["resultcode"]) == (403, "1010010")
        assert body["resultdesc"] == "The flow control upper limit is reached on the platform."
        assert await bench.code("POST", STOP, "ax", json=stop) == (200, "0")
    finally:
        await bench.down()


async def test_the_new_generation_of_headers(bench: Bench) -> None:
    created = bench.clock().strftime("%Y-%m-%dT%H:%M:%SZ")
    token = f'UsernameToken Username="axb", PasswordDigest="{aksk_digest("n", created, "s")}", Nonce="n"'
    headers = {
        "Authorization": 'AKSK realm="SDP", profile="UsernameToken", dsl="Appkey"',
        "X-AKSK": f'{token}, Created="{created}"',
    }
    async with bench.http.post(AXB, json=BODY, headers=headers) as response:
        assert response.status == 200
    headers["X-AKSK"] = token
    async with bench.http.post(AXB, json=BODY, headers=headers) as response:
        assert (response.status, (await response.json())["resultcode"]) == (400, "1023036")


async def test_one_path_s_methods_are_all_named(bench: Bench) -> None:
    for path, allowed in ((AXB, "DELETE, GET, POST, PUT"), (STOP, "POST"), ("/healthz", "GET, HEAD")):
        async with bench.http.patch(path) as response:
            assert (response.status, response.headers["Allow"]) == (405, allowed)
            assert (await response.json())["resultcode"] == "1010002"
