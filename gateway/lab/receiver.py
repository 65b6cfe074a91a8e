"""The customer's server that the node reports to [IO]: takes events and CDRs, checks their signature, keeps them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from gateway.lab.client import digest


@dataclass(frozen=True, slots=True)
class Event:
    """One event as it arrived at ``at`` (loop time). A message of several CDRs gives one Event each."""

    at: float
    kind: str
    fields: dict[str, Any]
    signed: bool


class Receiver:
    """Listens on a free port of ``host``; ``on_event`` is called for each event. ``start()`` gives the base URL.

    ``answer``: the body of the answer to a question (X mode's blocking callin).
    """

    def __init__(self, host: str, key: str, secret: str, on_event: Callable[[Event], None]) -> None:
        self.events: list[Event] = []
        self._host = host
        self._key = key
        self._secret = secret
        self._on_event = on_event
        self._runner: web.AppRunner | None = None
        self._arrived = asyncio.Event()
        self.answer: dict[str, Any] = {}

    async def start(self) -> str:
        application = web.Application()
        application.router.add_post("/{path:status|fee|sms|control}", self._receive)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, 0)
        await site.start()
        return f"http://{self._host}:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def wait_for(self, kind: str, seconds: float) -> Event | None:
        """The first event of that kind, or None when it doesn't come in time."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    self._arrived.clear()
                    found = next((event for event in self.events if event.kind == kind), None)
                    if found is not None:
                        return found
                    await self._arrived.wait()
        except TimeoutError:
            return None

    async def _receive(self, request: web.Request) -> web.Response:
        body = await request.json()
        rows = body.get("feeLst") or body.get("numInfo") or [body.get("statusInfo") or body["smsEvent"]]
        signed = self._is_signed(request.headers.get("X-WSSE", ""))
        for row in rows:
            event = Event(asyncio.get_running_loop().time(), body.get("eventType", "sms"), row, signed)
            self.events.append(event)
            self._on_event(event)
        self._arrived.set()
        asked = "Block" in (rows[0].get("notificationMode"), rows[0].get("notifyMode")) and request.path != "/fee"
        return web.json_response(self.answer) if asked else web.Response()

    def _is_signed(self, token: str) -> bool:
        parts = dict(re.findall(r'(\w+)="([^"]*)"', token))
        expected = digest(parts.get("Nonce", ""), parts.get("Created", ""), self._secret)
        return parts.get("Username") == self._key and parts.get("PasswordDigest") == expected
