"""The audit log: every change has its entry, no entry is without its change, and who may read it."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from gateway.admin.audit import changing
from gateway.admin.tables import admin_token
from gateway.database import reading
from tests.admin.bench import BY, Bench


async def test_what_an_entry_tells(bench: Bench) -> None:
    made = await bench.ok("operator", "POST", "/tokens", {"name": "shop's", "role": "tenant", "enterprise": "shop"})
    (entry,) = await bench.audited("token.create")
    assert entry["subject"] == f"token/{made['id']}"
    assert (entry["actor"], entry["role"], entry["source"]) == ("operator", "operator", "127.0.0.1")
    assert (entry["enterprise"], entry["detail"]["name"]) == ("shop", "shop's")


async def test_filters(bench: Bench) -> None:
    id = (await bench.ok("operator", "POST", "/tokens", {"name": "n", "role": "reviewer"}))["id"]
    await bench.ok("operator", "DELETE", f"/tokens/{id}")
    for query, count in (
        ({"action": "token"}, 2), ({"action": "token.revoke"}, 1), ({"action": "tok"}, 0), ({"action": "%"}, 0),
        ({"subject": f"token/{id}"}, 2), ({"token": "nobody"}, 0),
        ({"since": "2020-01-01T00:00:00Z"}, 3), ({"before": "2020-01-01T00:00:00Z"}, 0), ({"enterprise": "shop"}, 0),
    ):  # fmt: skip
        assert len((await bench.ok("auditor", "GET", "/audit", **query))["items"]) == count, query


@pytest.mark.parametrize("who", ["tenant", "reviewer"])
async def test_who_may_not_read_it(bench: Bench, who: str) -> None:
    assert await bench.refused(who, "GET", "/audit") == (403, "forbidden", None)


async def change_without_a_word(bench: Bench) -> None:
    async with changing(bench.engine, BY, bench.clock()) as change:
        await change.connection.execute(admin_token.delete())


async def test_a_change_without_an_entry_is_undone(bench: Bench) -> None:
    with pytest.raises(AssertionError):
        await change_without_a_word(bench)
    async with reading(bench.engine) as connection:
        assert len((await connection.execute(select(admin_token))).all()) == 5
