"""Callback addresses: at once, or after the operator's delay."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.admin.addresses import apply_due
from tests.admin.bench import Bench


async def make(bench: Bench) -> str:
    body = {"mode": "AXB", "enterprise": "shop", "fee_url": ""}
    return str((await bench.ok("operator", "POST", "/applications", body))["key"])


@pytest.fixture
async def slow(tmp_path: Path, database_url: str) -> AsyncIterator[Bench]:
    made = await Bench().up(database_url, tmp_path / "tones", address_delay=600)
    yield made
    await made.down()


async def test_at_once(bench: Bench) -> None:
    path = f"/applications/{await make(bench)}/addresses"
    shown = await bench.ok(
        "tenant", "PUT", path, {"status_url": "https://a.example/s", "fee_url": "http://a.example:81/f"}
    )
    assert shown["pending"] == []
    assert (shown["acting"]["status_url"], shown["acting"]["fee_url"]) == (
        "https://a.example/s",
        "http://a.example:81/f",
    )
    assert (await bench.ok("tenant", "PUT", path, {"fee_url": ""}))["acting"]["fee_url"] == ""
    assert (await bench.ok("auditor", "GET", path))["acting"]["status_url"] == "https://a.example/s"


async def test_after_the_delay(slow: Bench) -> None:
    key = await make(slow)
    path, context = f"/applications/{key}/addresses", slow.app.state.context
    first = await slow.ok(
        "tenant", "PUT", path, {"status_url": "https://a.example/1", "fee_url": "https://a.example/f"}
    )
    assert (first["acting"]["status_url"], len(first["pending"])) == ("", 2)
    slow.later = timedelta(seconds=300)
    # A second thought takes the first one's place, and its time begins anew.
    await slow.ok("tenant", "PUT", path, {"status_url": "https://a.example/2"})
    slow.later = timedelta(seconds=601)
    assert await apply_due(context) == 1
    shown = await slow.ok("tenant", "GET", path)
    assert (shown["acting"]["fee_url"], shown["acting"]["status_url"]) == ("https://a.example/f", "")
    slow.later = timedelta(seconds=902)
    assert await apply_due(context) == 1
    assert await apply_due(context) == 0
    shown = await slow.ok("tenant", "GET", path)
    assert (shown["acting"]["status_url"], shown["pending"]) == ("https://a.example/2", [])
    assert [one["actor"] for one in await slow.audited("application.addresses-act")] == ["system", "system"]


@pytest.mark.parametrize("url", ["ftp://a/", "http://", "a.example", "javascript:alert(1)"])
async def test_what_is_no_address(bench: Bench, url: str) -> None:
    path = f"/applications/{await make(bench)}/addresses"
    assert await bench.refused("tenant", "PUT", path, {"status_url": url}) == (400, "invalid", "status_url")
