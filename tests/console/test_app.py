from __future__ import annotations

from datetime import timedelta
from http.cookies import Morsel
from typing import Any

import aiohttp
import pytest
from sqlalchemy import select

from gateway.admin.sessions import COOKIE, LIFE_SECONDS, REVEAL_SECONDS
from gateway.admin.tables import console_session
from gateway.console.app import STATIC
from gateway.database import reading
from tests.admin.bench import A
from tests.console.conftest import ConsoleBench

SESSION = "/console/session"


async def sign_in(browser: aiohttp.ClientSession, token: str) -> dict[str, Any]:
    async with browser.post(SESSION, json={"token": token}) as answer:
        assert answer.status == 201
        found: dict[str, Any] = await answer.json()
        return found


def cookie_of(browser: aiohttp.ClientSession) -> Morsel[str]:
    (found,) = [one for one in browser.cookie_jar if one.key == COOKIE]
    return found


async def test_a_token_is_shown_once_and_a_cookie_stands_for_it(bench: ConsoleBench) -> None:
    async with bench.browser() as browser:
        who = await sign_in(browser, bench.tokens["tenant"])
        assert (who["name"], who["role"], who["enterprise"]) == ("tenant", "tenant", "shop")
        assert who["zone"] == str(bench.app.state.context.settings.zone)
        cookie = cookie_of(browser)
        assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "strict", "/")
        assert bench.tokens["tenant"] not in cookie.value
        async with reading(bench.engine) as connection:
            (row,) = (await connection.execute(select(console_session))).all()
        assert cookie.value not in str(row)
        async with browser.get("/me") as answer:
            assert (await answer.json())["name"] == "tenant"
        async with browser.get(SESSION) as answer:
            assert (await answer.json())["csrf"] == who["csrf"]


async def test_what_changes_something_needs_the_page_s_own_word(bench: ConsoleBench) -> None:
    async with bench.browser() as browser:
        who = await sign_in(browser, bench.tokens["operator"])
        body = {"kind": "black", "party": "caller", "numbers": [A]}
        for headers in ({}, {"X-CSRF-Token": "0" * 32}, {"X-CSRF-Token": "\xff"}):
            async with browser.post("/lists", json=body, headers=headers) as answer:
                assert answer.status == 403
        async with browser.post("/lists", json=body, headers={"X-CSRF-Token": who["csrf"]}) as answer:
            assert answer.status == 200
    assert [entry["actor"] for entry in await bench.audited("list.add")] == ["operator"]


async def test_real_numbers_are_masked_until_they_are_asked_for_and_that_is_written_down(bench: ConsoleBench) -> None:
    async with bench.browser() as browser:
        who = await sign_in(browser, bench.tokens["operator"])
        mine = {"X-CSRF-Token": who["csrf"]}
        body = {"kind": "black", "party": "caller", "numbers": [A]}
        async with browser.post("/lists", json=body, headers=mine) as answer:
            assert answer.status == 200

        async def seen() -> str:
            async with browser.get("/lists") as answer:
                return str((await answer.json())["items"])

        assert A not in await seen()
        assert "REVEAL" not in who["may"]
        async with browser.put("/console/session/numbers", json={"shown": True}, headers=mine) as answer:
            assert "REVEAL" in (await answer.json())["may"]
        assert A in await seen()
        bench.later += timedelta(seconds=REVEAL_SECONDS + 1)
        assert A not in await seen()
    assert len(await bench.audited("session.reveal")) == 1


async def test_who_may_not_see_numbers_can_not_ask_for_them(bench: ConsoleBench) -> None:
    async with bench.browser() as browser:
        who = await sign_in(browser, bench.tokens["auditor"])
        assert not who["may_reveal"]
        mine = {"X-CSRF-Token": who["csrf"]}
        async with browser.put("/console/session/numbers", json={"shown": True}, headers=mine) as answer:
            assert answer.status == 403


@pytest.mark.parametrize("how", ["signed out", "too old", "token revoked"])
async def test_a_session_ends(bench: ConsoleBench, how: str) -> None:
    async with bench.browser() as browser:
        who = await sign_in(browser, bench.tokens["reviewer"])
        if how == "signed out":
            async with browser.delete(SESSION, headers={"X-CSRF-Token": who["csrf"]}) as answer:
                assert answer.status == 204
        elif how == "too old":
            bench.later += timedelta(seconds=LIFE_SECONDS + 1)
        else:
            id = bench.tokens["reviewer"].split("_")[1]
            await bench.ok("operator", "DELETE", f"/tokens/{id}")
        async with browser.get("/me") as answer:
            assert answer.status == 401


async def test_wrong_tokens_lock_their_source_out(bench: ConsoleBench) -> None:
    async with bench.browser() as browser:
        for status in (401, 401, 401, 429):
            async with browser.post(SESSION, json={"token": "mkl_aa_bb"}) as answer:
                assert answer.status == status
        async with browser.post(SESSION, json={"token": bench.tokens["operator"]}) as answer:
            assert answer.status == 429


async def test_files_come_with_rules_and_nothing_else_is_one(bench: ConsoleBench) -> None:
    for path in ("/console/", "/console/js/app.js", "/console/console.css", "/console/icon.svg"):
        async with bench.http.get(path) as answer:
            assert answer.status == 200
            rules = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in rules
            assert "unsafe" not in rules
    for path in (
        "/console/app.py",
        "/console/js",
        "/console/%2e%2e/app.py",
        "/console/..%2fapp.py",
        "/console/none.js",
    ):
        async with bench.http.get(path) as answer:
            assert answer.status == 404, path


def test_nothing_is_fetched_from_another_site() -> None:
    for file in STATIC.rglob("*.*"):
        text = file.read_text()
        assert "http:" not in text.replace("http://www.w3.org/", ""), file
        assert "https:" not in text, file
        assert "innerHTML" not in text, file
    page = (STATIC / "index.html").read_text()
    assert "<script>" not in page
    assert "style=" not in page
