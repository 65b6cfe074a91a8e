"""What stands before the customer's server on a real node: it passes on what comes, and what is answered, as it is."""

from __future__ import annotations

import aiohttp
from aiohttp import web

from gateway.scenarios.played import Push
from gateway.scenarios.relay import Relay

BODY = b'{"eventType":"callin","statusInfo":{"sessionId":"s","notifyMode":"Block"}}'
HEADERS = {
    "Content-Type": "application/json;charset=UTF-8",
    "X-Event-Id": "s.0",
    "X-WSSE": 'UsernameToken Username="k"',
}


async def test_it_passes_on_what_comes_as_it_is() -> None:
    got: list[tuple[dict[str, str], bytes]] = []

    async def receive(request: web.Request) -> web.Response:
        got.append((dict(request.headers), await request.read()))
        return web.Response(status=503, text="later")

    application = web.Application()
    application.router.add_post("/events", receive)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    saw: list[Push] = []
    relay = Relay("127.0.0.1", f"http://127.0.0.1:{runner.addresses[0][1]}/events", [], saw.append)
    own = aiohttp.ClientSession(skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding"))
    async with own as http, http.post(await relay.start(), data=BODY, headers=HEADERS) as answer:
        assert (answer.status, await answer.text()) == (503, "later")
    await relay.stop()
    await runner.cleanup()
    ((headers, body),) = got
    assert body == BODY
    assert {name: value for name, value in headers.items() if name not in ("Host", "Content-Length")} == HEADERS
    assert (saw[0].headers, saw[0].body, saw[0].status, saw[0].answer) == (HEADERS, BODY, 503, "later")


async def test_without_a_server_behind_it() -> None:
    saw: list[Push] = []
    relay = Relay("127.0.0.1", "", [{"operation": "close"}], saw.append)
    url = await relay.start()
    async with aiohttp.ClientSession() as http:
        for expected in ('{"operation": "close"}', ""):
            async with http.post(url, data=BODY, headers=HEADERS) as answer:
                assert (answer.status, await answer.text()) == (200, expected)
    await relay.stop()
    away = Relay("127.0.0.1", "http://127.0.0.1:9/", [], saw.append)
    async with aiohttp.ClientSession() as http, http.post(await away.start(), data=BODY) as answer:
        assert answer.status == 502
    await away.stop()
    assert [push.status for push in saw] == [200, 200, None]
