"""[IO] The database and the REST API of a node without its sockets: requests are handed to the application as they are.

A request is signed as a customer's is (gateway.lab.client) and goes through the whole API: signature, lock-out, fields,
store. The tables are made once and copied for each scenario.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from starlette.types import ASGIApp, Message

from gateway.api import ax, axb, axe, axyb, call_stop
from gateway.api.app import create_app
from gateway.api.context import ApiContext, ApiSettings
from gateway.assembly import recording_store, seed_of
from gateway.bindings.pool import IDS
from gateway.bindings.store import BindingStore
from gateway.config.tree import Config
from gateway.database import migrate, open_engine
from gateway.lab.client import signature
from gateway.scenarios.form import RequestForm
from gateway.tones.folder import ToneFolder

PATHS = {
    "AXB": (axb.PATH, "POST"), "AX": (ax.PATH, "POST"), "CALLEE": (ax.CALLEE_PATH, "PUT"), "AXE": (axe.PATH, "POST"),
    "AXYB": (axyb.PATH, "POST"), "STOP": (call_stop.PATH, "POST"),
}  # fmt: skip


def target_of(form: RequestForm, key: str, body: dict[str, Any]) -> tuple[str, str, dict[str, str], bytes]:
    """Method, path, query and body of a request, as most clients send it."""
    path, usual = PATHS[form.api]
    method = form.method or usual
    query = {"app_key": key} if form.api == "AXYB" else {}
    if method in ("GET", "DELETE"):
        return method, path, query | {name: str(value) for name, value in body.items()}, b""
    return method, path, query, json.dumps(body).encode()


def signed(key: str, secret: str, nonce: str, now: datetime) -> dict[str, str]:
    """The headers of a request."""
    created = f"{now:%Y-%m-%dT%H:%M:%SZ}"
    return {"Content-Type": "application/json;charset=UTF-8", **signature(key, secret, nonce=nonce, created=created)}


class Tables:
    """A database with all tables, made when it is first wanted, to be copied."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / "tables.db"
        self._made = 0

    def new_folder(self) -> Path:
        """For one scenario."""
        self._made += 1
        folder = self._folder / str(self._made)
        folder.mkdir()
        return folder

    async def copy(self, target: Path) -> None:
        """One more."""
        if not self._file.exists():
            await migrate(f"sqlite+aiosqlite:///{self._file}")
        shutil.copyfile(self._file, target)


class Desk:
    """``clock`` is the scenario's time; ``bits(n)`` gives n bits of its seed."""

    def __init__(
        self,
        config: Config,
        clock: Callable[[], datetime],
        bits: Callable[[int], int],
        stop_call: Callable[[str, str], Awaitable[bool]],
    ) -> None:
        self.config = config
        # A power cut costs a scenario, no more.
        self.engine = open_engine(config.database.location, synchronous="OFF")
        self.engine.sync_engine.update_execution_options(**{IDS: lambda: UUID(int=bits(128), version=4)})
        self.store = BindingStore(self.engine)
        self._clock = clock
        self._bits = bits
        self._tones = ToneFolder(config.tones.folder, config.tones.approved)
        self._app = create_app(
            ApiContext(
                store=self.store,
                engine=self.engine,
                recordings=recording_store(config),
                settings=ApiSettings(host_name=config.node.name),
                stop_call=stop_call,
                ready=_ready,
                tone_exists=self.tone_exists,
                clock=clock,
                monotonic=lambda: clock().timestamp(),
                wake_keeper=lambda: None,
            )
        )

    def tone_exists(self, application: str, name: str) -> bool:
        """Whether a tone is there."""
        return self._tones.find(application, name) is not None

    async def seed(self) -> None:
        """The configuration's application and numbers."""
        await self.store.seed(*seed_of(self.config))

    async def request(self, form: RequestForm, key: str, secret: str, body: dict[str, Any]) -> dict[str, Any]:
        """The reply to one request."""
        method, path, query, data = target_of(form, key, body)
        headers = signed(key, secret, f"{self._bits(128):032x}", self._clock())
        said: dict[str, Any] = json.loads(await ask(self._app, method, path, query, headers, data))
        return said

    async def close(self) -> None:
        """The database is no longer needed."""
        await self.engine.dispose()


async def _ready() -> tuple[bool, tuple[str, ...]]:
    return True, ()


async def ask(
    app: ASGIApp, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: bytes
) -> bytes:
    """The body of an ASGI application's answer to one request."""
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": path, "raw_path": path.encode(), "root_path": "", "query_string": urlencode(query).encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
    }  # fmt: skip
    parts: list[bytes] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            parts.append(message.get("body", b""))

    await app(scope, receive, send)
    return b"".join(parts)
