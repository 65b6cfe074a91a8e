"""The API on a real uvicorn and database, and a customer's client to it."""

from __future__ import annotations

import asyncio
import itertools
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp

from gateway.api.app import create_app
from gateway.api.context import ApiContext, ApiSettings
from gateway.api.server import web_server
from gateway.bindings.models import Application, Mode, Number, NumberStatus
from gateway.bindings.store import BindingStore
from gateway.database import open_engine
from gateway.lab.client import signature
from gateway.numbers import PhoneNumber
from media.recording.store import RecordingStore

AXB = "/rest/caas/relationnumber/partners/v1.0"
AX = "/rest/provision/caas/privatenumber/v1.0"
CALLEE = "/rest/caas/privatenumber/calleenumber/v1.0"
AXE = "/rest/caas/extendnumber/v1.0"
AXYB = "/rest/omp/xyrelationnumber/v1.0"
STOP = "/rest/httpsessions/callStop/v2.0"
RECORD = "/rest/provision/voice/record/v1.0"
A, B, C, D = (f"+86138000000{number}" for number in range(21, 25))
X, Y = "+8617000000001", "+8617000000002"
AX_NUMBERS = [f"+861700000001{digit}" for digit in range(1, 9)]
AXE_NUMBERS = ["+8617000000021", "+8617000000022"]
AXYB_NUMBERS = [f"+861700000003{digit}" for digit in range(1, 9)]
BAD_X, BAD_AX = "+8617000000009", "+8617000000019"
Answer = tuple[int, str]


def _values(method: str, values: dict[str, Any]) -> dict[str, Any]:
    """As most clients send them: POST and PUT in the body, GET and DELETE in the query."""
    return {"json" if method in ("POST", "PUT") else "params": values}


class Bench:
    async def up(
        self, folder: Path, database_url: str, recordings: RecordingStore | None = None, **settings: Any
    ) -> Bench:
        self.engine = open_engine(database_url, synchronous="OFF")
        store = BindingStore(self.engine)
        applications = [
            Application(key="axb", secret="s", mode=Mode.AXB, recording=True),
            Application(key="ax", secret="s", mode=Mode.AX),
            Application(key="axe", secret="s", mode=Mode.AXE),
            Application(key="axyb", secret="s", mode=Mode.AXYB),
            Application(key="frozen", secret="s", mode=Mode.AXB, frozen=True),
            Application(key="off", secret="s", mode=Mode.AXB, enabled=False),
            Application(key="walled", secret="s", mode=Mode.AXB, allowed_ips=("192.0.2.0/24",)),
            Application(key="home", secret="s", mode=Mode.AXB, allowed_ips=("192.0.2.0/24", "127.0.0.0/8")),
        ]
        owned = [("axb", X), ("axb", Y), *(("ax", number) for number in AX_NUMBERS)]
        numbers = [Number(x=PhoneNumber(x), application=key) for key, x in owned]
        more = [("axe", number) for number in AXE_NUMBERS] + [("axyb", number) for number in AXYB_NUMBERS]
        numbers += [Number(x=PhoneNumber(x), application=key, area_code="0755") for key, x in more]
        bad = [("axb", BAD_X), ("ax", BAD_AX)]
        numbers += [Number(x=PhoneNumber(x), application=key, status=NumberStatus.SUSPENDED) for key, x in bad]
        await store.seed(applications, numbers)
        self.recordings = recordings or RecordingStore(f"file://{folder}/recordings")
        self.folder = folder
        self.stopped: list[tuple[str, str]] = []
        self.fault: Exception | None = None
        self.later = timedelta()
        self.woken: Callable[[], object] = lambda: None

        async def stop_call(application: str, session: str) -> bool:
            if self.fault is not None:
                raise self.fault
            self.stopped.append((application, session))
            return session == "live"

        self.notes: list[str] = []

        async def ready() -> tuple[bool, list[str]]:
            return True, self.notes

        context = ApiContext(
            store=store, engine=self.engine, recordings=self.recordings, stop_call=stop_call, ready=ready,
            settings=ApiSettings(
                host_name="gw", **{"requests_per_second": 1000, "render_patience": 0.3, **settings}),
            tone_exists=lambda application, name: name == "w.wav", clock=self.clock,
            monotonic=time.monotonic, wake_keeper=lambda: self.woken(),
        )  # fmt: skip
        # Of a socket by its descriptor Python knows that it is TCP, and switches Nagle's wait of 40 ms off.
        listening = socket.socket(fileno=socket.create_server(("127.0.0.1", 0)).detach())
        self.port = listening.getsockname()[1]
        self.server = web_server(create_app(context))
        self.serving = asyncio.create_task(self.server.serve(sockets=[listening]))
        self.http = aiohttp.ClientSession(f"http://127.0.0.1:{self.port}")
        self.nonces = itertools.count()
        return self

    def clock(self) -> datetime:
        return datetime.now(UTC) + self.later

    def headers(self, key: str, secret: str = "s") -> dict[str, str]:
        created = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return signature(key, secret, nonce=f"n{next(self.nonces)}", created=created)

    async def ask(self, method: str, path: str, key: str = "axb", **more: Any) -> tuple[int, dict[str, Any]]:
        headers = self.headers(key, more.pop("secret", "s"))
        async with self.http.request(method, path, headers=headers, allow_redirects=False, **more) as response:
            assert int(response.headers["Content-Length"]) == len(await response.read())
            return response.status, await response.json(content_type=None)

    async def code(self, method: str, path: str, key: str = "axb", **more: Any) -> Answer:
        status, body = await self.ask(method, path, key, **more)
        assert isinstance(body["resultcode"], str)
        return status, body["resultcode"]

    async def axb(self, method: str, **values: Any) -> Answer:
        return await self.code(method, AXB, **_values(method, values))

    async def ax(self, method: str, **values: Any) -> Answer:
        return await self.code(method, AX, "ax", **_values(method, values))

    async def down(self) -> None:
        await self.http.close()
        self.server.should_exit = True
        await self.serving
        await self.engine.dispose()
