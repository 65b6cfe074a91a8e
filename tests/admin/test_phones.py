"""``/v1/phones``: made, given another password, forgotten, by the operator alone; the password is told once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.phones.sheet import PhoneServer
from gateway.sip.hop import Hop
from tests.admin.bench import A, B, Bench

SERVER = PhoneServer("192.0.2.1", (Hop("udp", "0.0.0.0", 5060), Hop("tls", "0.0.0.0", 5061)), "gw", True)


@pytest.fixture
async def bench(tmp_path: Path, database_url: str) -> AsyncIterator[Bench]:
    made = await Bench().up(database_url, tmp_path / "tones", phones=SERVER)
    yield made
    await made.down()


async def test_made_changed_and_forgotten(bench: Bench) -> None:
    made = await bench.ok("operator", "POST", "/phones", {"number": "13800000021"})
    assert {name: made[name] for name in made if name != "password"} == {
        "number": A, "server": "192.0.2.1", "ways": ["udp 5060", "tls 5061"], "user": A[1:], "realm": "gw"}  # fmt: skip
    assert await bench.refused("operator", "POST", "/phones", {"number": A}) == (409, "conflict", "number")
    other = await bench.ok("operator", "POST", "/phones/password", {"number": A})
    assert other["password"] != made["password"]
    (seen,) = (await bench.ok("operator", "GET", "/phones"))["items"]
    assert (seen["number"], seen["realm"], seen["registered"]) == (A, "gw", [])
    assert other["password"] not in repr(seen)
    assert await bench.ok("operator", "POST", "/phones/remove", {"number": A}) is None
    assert (await bench.ok("operator", "GET", "/phones"))["items"] == []
    for path in ("/phones/remove", "/phones/password"):
        assert await bench.refused("operator", "POST", path, {"number": A}) == (404, "not_found", "number")


async def test_written_down_without_number_and_password(bench: Bench) -> None:
    made = await bench.ok("operator", "POST", "/phones", {"number": A})
    await bench.ok("operator", "POST", "/phones/password", {"number": A})
    await bench.ok("operator", "POST", "/phones/remove", {"number": A})
    for action in ("phone.add", "phone.password", "phone.remove"):
        (entry,) = await bench.audited(action)
        assert entry["subject"] == "phone/+8613*******21"
        assert made["password"] not in repr(entry)


@pytest.mark.parametrize("who", ["tenant", "reviewer", "auditor"])
async def test_nobody_else_may(bench: Bench, who: str) -> None:
    assert (await bench.refused(who, "GET", "/phones"))[0] == 403
    for path in ("/phones", "/phones/password", "/phones/remove"):
        assert (await bench.refused(who, "POST", path, {"number": B}))[0] == 403


async def test_what_is_no_number(bench: Bench) -> None:
    assert await bench.refused("operator", "POST", "/phones", {"number": "x"}) == (400, "invalid", "number")


async def test_a_node_without_phones(tmp_path: Path, database_url: str) -> None:
    bench = await Bench().up(database_url, tmp_path / "tones")
    try:
        assert (await bench.refused("operator", "POST", "/phones", {"number": A}))[0] == 503
    finally:
        await bench.down()
