from __future__ import annotations

import re
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from gateway.lab.client import BIND_AXB, RECORDING, ApiError, CustomerClient


class Platform:
    """A platform that answers what the test wants, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[web.Request] = []
        self.bind = web.json_response({"resultcode": "0", "resultdesc": "Success", "subscriptionId": "1"})
        self.found = True

    async def binding(self, request: web.Request) -> web.Response:
        self.asked.append(request)
        return self.bind

    async def recording(self, request: web.Request) -> web.Response:
        self.asked.append(request)
        if not self.found:
            return web.json_response({"resultcode": "1012007"}, status=403)
        return web.Response(status=301, headers={"Location": f"http://{request.host}/file.wav"})

    async def file(self, request: web.Request) -> web.Response:
        self.asked.append(request)
        return web.Response(body=b"RIFF") if self.found else web.Response(status=404)


@pytest.fixture
async def platform() -> AsyncIterator[tuple[Platform, CustomerClient]]:
    platform = Platform()
    application = web.Application()
    application.router.add_post(BIND_AXB, platform.binding)
    application.router.add_get(RECORDING, platform.recording)
    application.router.add_get("/file.wav", platform.file)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession() as http:
        yield platform, CustomerClient(http, f"http://127.0.0.1:{runner.addresses[0][1]}", "k1", "s1")
    await runner.cleanup()


async def test_bind_is_signed(platform: tuple[Platform, CustomerClient]) -> None:
    server, client = platform
    assert (await client.bind({"callerNum": "+8613800000021"}))["subscriptionId"] == "1"
    headers = server.asked[0].headers
    assert headers["Authorization"] == 'WSSE realm="SDP",profile="UsernameToken",type="Appkey"'
    assert re.fullmatch(
        r'UsernameToken Username="k1",PasswordDigest="[^"]{44}",Nonce="[0-9a-f]{32}",Created="[-0-9T:]{19}Z"',
        headers["X-WSSE"],
    )


@pytest.mark.parametrize(("status", "code"), [(403, "1012010"), (200, "1012010")])
async def test_a_refused_bind_is_an_error(platform: tuple[Platform, CustomerClient], status: int, code: str) -> None:
    server, client = platform
    server.bind = web.json_response({"resultcode": code}, status=status)
    with pytest.raises(ApiError, match=code):
        await client.bind({})


async def test_a_recording_is_fetched_from_the_address_given(platform: tuple[Platform, CustomerClient]) -> None:
    server, client = platform
    download = await client.recording("a b.wav", "rec.example")
    assert download.content == b"RIFF"
    assert download.location.endswith("/file.wav")
    assert dict(server.asked[0].query) == {"fileName": "a b.wav", "recordDomain": "rec.example"}
    assert "X-WSSE" not in server.asked[1].headers
    server.found = False
    with pytest.raises(ApiError, match="1012007"):
        await client.recording("a.wav", "rec.example")
