"""[IO] What stands before the customer's server in the lab of a real node: sees each request and passes it on as it is.

Without a server behind it, it takes everything and answers questions with what the scenario says.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

import aiohttp
from aiohttp import web

from gateway.scenarios.played import Push

# These are a connection's own; all others are the message's.
_OWN = frozenset({"host", "content-length", "connection", "transfer-encoding"})
SECONDS = 10.0


class Relay:
    """``saw`` is called for each request, once it has its answer. ``start()`` gives the address for the node."""

    def __init__(self, host: str, webhook: str, answers: Sequence[dict[str, Any]], saw: Callable[[Push], None]) -> None:
        self._host = host
        self._webhook = webhook
        self._answers = list(answers)
        self._saw = saw
        self._runner: web.AppRunner | None = None
        self._http: aiohttp.ClientSession | None = None

    async def start(self) -> str:
        """Listen."""
        application = web.Application()
        application.router.add_post("/{path:.*}", self._receive)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, 0).start()
        self._http = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=SECONDS), skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding")
        )
        return f"http://{self._host}:{self._runner.addresses[0][1]}/"

    async def stop(self) -> None:
        """No longer."""
        if self._runner is not None:
            await self._runner.cleanup()
        if self._http is not None:
            await self._http.close()

    async def _receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _OWN}
        at = asyncio.get_running_loop().time()
        status, answer, error = await self._answer(headers, body)
        url = self._webhook or str(request.url)
        self._saw(Push(at, url, headers, body, status, error, answer[:256].decode("utf-8", "replace")))
        return web.Response(status=status or 502, body=answer, content_type="application/json")

    async def _answer(self, headers: dict[str, str], body: bytes) -> tuple[int | None, bytes, str]:
        if not self._webhook:
            asked = next(Push(0.0, "", headers, body, 200).events()).asked
            return 200, json.dumps(self._answers.pop(0)).encode() if asked and self._answers else b"", ""
        assert self._http is not None
        try:
            async with self._http.post(self._webhook, data=body, headers=headers, allow_redirects=False) as response:
                return response.status, await response.read(), ""
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return None, b"", type(error).__name__
