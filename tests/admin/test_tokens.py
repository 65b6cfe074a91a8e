"""Tokens: who is let in, what is told to whom is not, and that the secret is nowhere but in one answer."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from gateway.admin.roles import GRANTED, Permission, Role
from gateway.admin.tables import admin_token, audit_entry
from gateway.database import reading
from tests.admin.bench import Bench


async def test_a_token_is_made_used_and_revoked(bench: Bench) -> None:
    made = await bench.ok("operator", "POST", "/tokens", {"name": "nightly export", "role": "auditor"})
    assert made["token"].startswith(f"mkl_{made['id']}_")
    me = await bench.ok(made["token"], "GET", "/me")
    assert me == {"name": "nightly export", "role": "auditor", "enterprise": None,
                  "permissions": ["audit", "read", "records"]}  # fmt: skip
    (listed,) = [one for one in (await bench.ok("operator", "GET", "/tokens"))["items"] if one["id"] == made["id"]]
    assert (listed["created_by"], listed["revoked_at"]) == ("operator", None)
    assert await bench.ask("operator", "DELETE", f"/tokens/{made['id']}") == (204, None)
    assert await bench.refused(made["token"], "GET", "/me") == (401, "unauthenticated", None)
    assert await bench.refused("operator", "DELETE", f"/tokens/{made['id']}") == (404, "not_found", "id")
    assert [one["action"] for one in await bench.audited("token")] == ["token.revoke", "token.create"]


async def test_the_secret_is_in_no_table(bench: Bench) -> None:
    made = await bench.ok("operator", "POST", "/tokens", {"name": "n", "role": "reviewer"})
    secret = made["token"].rpartition("_")[2]
    async with reading(bench.engine) as connection:
        for table in (admin_token, audit_entry):
            for row in await connection.execute(select(table)):
                assert secret not in str(row)


async def test_a_token_expires(bench: Bench) -> None:
    ends = bench.clock() + timedelta(hours=1)
    body = {"name": "n", "role": "reviewer", "expires_at": ends.isoformat()}
    token = (await bench.ok("operator", "POST", "/tokens", body))["token"]
    assert (await bench.ask(token, "GET", "/me"))[0] == 200
    bench.later = timedelta(hours=1, seconds=1)
    assert await bench.refused(token, "GET", "/me") == (401, "unauthenticated", None)


@pytest.mark.parametrize("wrong", ["", "mkl", "mkl_1_2", "mkl__", "x" * 5000, "mkl_" + "0" * 12 + "_" + "0" * 48])
async def test_what_is_no_token(bench: Bench, wrong: str) -> None:
    assert await bench.refused(wrong, "GET", "/me") == (401, "unauthenticated", None)


async def test_another_token_s_secret_opens_nothing(bench: Bench) -> None:
    ids, secrets = zip(
        *(bench.tokens[who].removeprefix("mkl_").split("_") for who in ("operator", "auditor")), strict=True
    )
    assert await bench.refused(f"mkl_{ids[0]}_{secrets[1]}", "GET", "/me") == (401, "unauthenticated", None)


async def test_ten_wrong_tokens_lock_the_source(bench: Bench) -> None:
    for _ in range(10):
        assert (await bench.ask("mkl_a_b", "GET", "/me"))[0] == 401
    assert await bench.refused("operator", "GET", "/me") == (429, "locked_out", None)


async def test_what_a_new_token_must_say(bench: Bench) -> None:
    for body, field in (
        ({"name": "", "role": "operator"}, "name"),
        ({"name": "n", "role": "king"}, "role"),
        ({"name": "n", "role": "tenant"}, "enterprise"),
        ({"name": "n", "role": "tenant", "enterprise": "nobody"}, "enterprise"),
        ({"name": "n", "role": "operator", "enterprise": "shop"}, "enterprise"),
        ({"name": "n", "role": "operator", "expires_at": "2030-01-01T00:00:00"}, "expires_at"),
        ({"name": "n", "role": "operator", "more": 1}, "more"),
        ([], None),
    ):
        assert await bench.refused("operator", "POST", "/tokens", body) == (400, "invalid", field)


@pytest.mark.parametrize("who", ["tenant", "reviewer", "auditor"])
async def test_only_operators_keep_tokens(bench: Bench, who: str) -> None:
    for method, path, body in (
        ("GET", "/tokens", None),
        ("POST", "/tokens", {"name": "n", "role": "operator"}),
        ("DELETE", "/tokens/x", None),
    ):
        assert await bench.refused(who, method, path, body) == (403, "forbidden", None)


def test_no_role_but_the_operator_s_holds_everything() -> None:
    assert GRANTED[Role.OPERATOR] == set(Permission)
    assert all(granted < set(Permission) for role, granted in GRANTED.items() if role is not Role.OPERATOR)
    assert not GRANTED[Role.AUDITOR] & {Permission.REVEAL, Permission.MANAGE, Permission.OPERATE, Permission.REVIEW}


async def test_every_route_refuses_who_has_no_token(bench: Bench) -> None:
    """Each method of each path of the OpenAPI page."""
    tried = 0
    for path, methods in (await (await bench.http.get("/openapi.json")).json())["paths"].items():
        for method in methods:
            real = path.replace("{", "").replace("}", "")
            async with bench.http.request(method.upper(), real) as response:
                assert (response.status, response.headers["WWW-Authenticate"]) == (401, "Bearer"), (method, path)
            tried += 1
    assert tried >= 5


async def test_errors_have_one_shape(bench: Bench) -> None:
    assert await bench.refused("operator", "GET", "/nowhere") == (404, "not_found", None)
    assert await bench.refused("operator", "PATCH", "/tokens") == (405, "not_allowed", None)
    assert await bench.refused("operator", "GET", "/tokens", limit=0) == (400, "invalid", "limit")
    async with bench.http.post(
        "/tokens", data=b"{", headers={"Authorization": f"Bearer {bench.tokens['operator']}"}
    ) as response:
        assert (response.status, (await response.json())["error"]["code"]) == (400, "invalid")


async def test_a_database_that_fails_is_our_fault_and_told_so(bench: Bench, tmp_path: Path) -> None:
    async with bench.engine.begin() as connection:
        await connection.exec_driver_sql("ALTER TABLE audit_entry RENAME TO gone")
    assert await bench.refused("auditor", "GET", "/audit") == (500, "internal", None)
