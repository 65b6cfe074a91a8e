from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp

from gateway.console.feed import PACE
from gateway.standing import StandingCall
from tests.admin.bench import A, B, X
from tests.console.conftest import ConsoleBench
from tests.console.test_app import sign_in


def standing(session: str, application: str = "file", state: str = "ringing") -> StandingCall:
    return StandingCall(
        session=session, application=application, mode="AXB", state=state, direction=1, x=X, caller=A, callee=B,
        trunk="demo", binding="b", started=1.7e9, answered=None, recorded=False,
    )  # fmt: skip


async def event(answer: aiohttp.ClientResponse) -> Any:
    """The next event's data; comments that keep the line alive are passed over."""
    async with asyncio.timeout(30):
        async for line in answer.content:
            if line.startswith(b"data: "):
                return json.loads(line[6:])
    raise AssertionError("the feed ended")


async def test_a_call_comes_and_goes(bench: ConsoleBench) -> None:
    async with bench.browser() as browser:
        await sign_in(browser, bench.tokens["operator"])
        async with browser.get("/console/feed") as answer:
            assert answer.headers["Content-Type"].startswith("text/event-stream")
            assert await event(answer) == []
            bench.calls = [standing("s1")]
            (call,) = await event(answer)
            assert (call["session"], call["state"]) == ("s1", "ringing")
            assert A not in str(call)
            bench.calls = [standing("s1", state="talking")]
            assert (await event(answer))[0]["state"] == "talking"
            bench.calls = []
            assert await event(answer) == []
            bench.calls = None
            assert await event(answer) is None


def test_a_call_is_told_of_within_a_second() -> None:
    """The node is asked so often; the rest is a question and an answer on one machine."""
    assert PACE <= 0.5


async def test_a_tenant_is_told_of_his_own_calls_only(bench: ConsoleBench) -> None:
    made = await bench.ok("operator", "POST", "/applications", {"mode": "AXB", "enterprise": "shop"})
    bench.calls = [standing("others"), standing("mine", made["key"])]
    async with bench.browser() as browser:
        await sign_in(browser, bench.tokens["tenant"])
        async with browser.get("/console/feed") as answer:
            while [call["session"] for call in await event(answer)] != ["mine"]:
                pass


async def test_nobody_is_told_anything_without_a_session(bench: ConsoleBench) -> None:
    async with bench.http.get("/console/feed") as answer:
        assert answer.status == 401
