"""The fixtures as a customer's tests have them: found by pytest itself, in virtual time and on a real node."""

from __future__ import annotations

import pytest

import gateway.scenarios.handles  # numpy can't be imported twice, and a run within this one forgets what it imported

assert gateway.scenarios.handles
pytest_plugins = ["pytester"]
HOW = ("-q", "-p", "no:cacheprovider", "-o", "asyncio_default_fixture_loop_scope=function")

VIRTUAL = """
import http.server, json, threading
import pytest
from aiohttp import web

BIND = {"api": "AXB", "body": {"callerNum": "A", "calleeNum": "B", "relationNum": "X"}}
CALL = {"from": "A", "to": "X", "callee": {"hang_up_after": 2}}


def test_a_call(maskline_lab):
    played = maskline_lab.play({"request": [BIND], "call": [CALL | {"expect": {"reached": "B", "cause": 0}}]})
    call = played.calls[0]
    assert call.kinds == ["callin", "callout", "alerting", "answer", "disconnect", "fee"]
    assert call.cdr["fwdDstNum"] == "+8613800000023"
    assert played.pushes[0].headers["X-WSSE"].startswith('UsernameToken Username="lab"')


def test_what_fails_says_why(maskline_lab):
    tree = {"name": "nobody is bound", "call": [CALL | {"expect": {"reached": "B"}}]}
    with pytest.raises(AssertionError, match="(?s)nobody is bound.*reached: B: nobody.*404 Not Found"):
        maskline_lab.play(tree)
    assert not maskline_lab.play(tree, check=False).passed


def test_a_wrong_key_is_named(maskline_lab):
    with pytest.raises(Exception, match="call.0..calle: is no key here"):
        maskline_lab.play({"call": [CALL | {"calle": {}}]})


def test_my_server_gets_it(maskline_lab):
    got = []

    class Mine(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["eventType"])
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Mine) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        maskline_lab.play({"request": [BIND], "call": [CALL]}, webhook=f"http://127.0.0.1:{server.server_port}/events")
        server.shutdown()
    assert got == ["callin", "callout", "alerting", "answer", "disconnect", "fee"]


@pytest.mark.asyncio
async def test_a_coroutine_that_is_the_server(maskline_lab):
    # The server runs on the test's own loop: were that blocked, it would take nothing.
    got = []

    async def mine(request):
        got.append((await request.json())["eventType"])
        return web.Response()

    app = web.Application()
    app.router.add_post("/events", mine)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/events"
    played = await maskline_lab.play_async({"request": [BIND], "call": [CALL]}, webhook=url)
    await runner.cleanup()
    assert got == played.calls[0].kinds == ["callin", "callout", "alerting", "answer", "disconnect", "fee"]
    with pytest.raises(AssertionError, match="cause: nothing, expected 0"):
        await maskline_lab.play_async({"call": [CALL | {"to": "C", "expect": {"cause": 0}}]})
"""
REAL = """
import asyncio
import urllib.request
import pytest


@pytest.fixture(scope="session")
def maskline_scenario():
    return {"numbers": {"X2": "+8617000000007"}, "config": {"calls": {"ring_seconds": 5}}}


def test_a_bound_pair(maskline_node):
    assert maskline_node.request("AXB", {"callerNum": "A", "calleeNum": "B", "relationNum": "X2"})["resultcode"] == "0"
    call = maskline_node.call(from_="A", to="X2", callee={"hang_up_after": 0.5, "answers_after": 0.3},
                              expect={"reached": "B", "cause": 0})
    assert call.kinds == ["callin", "callout", "alerting", "answer", "disconnect", "fee"]
    assert urllib.request.urlopen(maskline_node.url + "/healthz").status == 200
    with pytest.raises(AssertionError, match="cause: 8102, expected 0"):
        maskline_node.call(from_="A", to="X2", callee={"refuses": 486, "refuses_after": 0.1}, expect={"cause": 0})


@pytest.mark.asyncio
async def test_a_coroutine(maskline_node):
    # The test's own loop goes on meanwhile.
    ticks = []

    async def tick():
        while True:
            ticks.append(1)
            await asyncio.sleep(0.02)

    ticking = asyncio.create_task(tick())
    call = await maskline_node.call_async(from_="A", to="X2", callee={"refuses": 486, "refuses_after": 0.3},
                                          expect={"cause": 8102, "reached": "B"})
    ticking.cancel()
    assert call.kinds[-1] == "fee"
    assert len(ticks) >= 5
"""


def test_in_virtual_time(pytester: pytest.Pytester) -> None:
    pytester.makeconftest('pytest_plugins = ["maskline.pytest"]')  # found by the entry point, it may be named as well
    pytester.makepyfile(VIRTUAL)
    pytester.runpytest_inprocess(*HOW).assert_outcomes(passed=5)


def test_on_a_real_node(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(REAL)
    pytester.runpytest_inprocess(*HOW).assert_outcomes(passed=2)
