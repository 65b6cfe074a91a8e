"""The management API on a real uvicorn and a real database, with a token of every role."""

from __future__ import annotations

import asyncio
import socket
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
from sqlalchemy import insert

from gateway.admin.app import create_admin
from gateway.admin.audit import changing
from gateway.admin.context import AdminContext, AdminSettings
from gateway.admin.roles import Actor, Role
from gateway.admin.tables import enterprise
from gateway.admin.tokens import make_token
from gateway.api.ledger import Ledger
from gateway.api.server import web_server
from gateway.bindings.models import Application, Mode, Number
from gateway.bindings.store import BindingStore
from gateway.database import open_engine
from gateway.numbers import PhoneNumber
from gateway.recordings.proof import Proof
from gateway.standing import StandingBan, StandingCall, StandingTrunk
from gateway.tones.folder import ToneFolder
from gateway.tones.shelf import Shelf
from media.recording.store import RecordingStore

X = "+8617000000001"
A, B = "+8613800000021", "+8613800000023"
BY = Actor(token="", name="bench", role=Role.OPERATOR)


class Bench:
    """``shop`` and ``other`` are enterprises, both approved; ``file`` is an application of the configuration file."""

    def __init__(self) -> None:
        self.later = timedelta()
        self.calls: list[StandingCall] | None = []
        self.stopped: list[tuple[str, str]] = []
        self.bans: list[StandingBan] | None = []
        self.trunks: list[StandingTrunk] | None = []
        self.woken = 0
        self.tokens: dict[str, str] = {}

    async def up(self, url: str, folder: Path, **settings: Any) -> Bench:
        """``folder`` is where approved tones are put."""
        self.engine = open_engine(url, synchronous="OFF")
        self.store = BindingStore(self.engine)
        await self.store.seed(
            [Application(key="file", secret="file secret", mode=Mode.AXB)],
            [Number(x=PhoneNumber(X), application="file", area_code="0755")],
        )
        async with changing(self.engine, BY, self.clock()) as change:
            for id in ("shop", "other"):
                await change.connection.execute(insert(enterprise).values(
                    id=id, name=f"The {id} Ltd", state="approved", reason="", details="{}", max_applications=5,
                    created_at=self.clock().timestamp()))  # fmt: skip
            for name, role, id in (
                ("operator", Role.OPERATOR, None), ("tenant", Role.TENANT, "shop"), ("rival", Role.TENANT, "other"),
                ("reviewer", Role.REVIEWER, None), ("auditor", Role.AUDITOR, None),
            ):  # fmt: skip
                _, self.tokens[name] = await make_token(
                    change.connection, name=name, role=role, enterprise_id=id, by="bench", at=self.clock()
                )
            change.note("bench.up", "bench")

        async def live_calls() -> list[StandingCall] | None:
            return self.calls

        async def stop_call(application: str, session: str) -> bool:
            self.stopped.append((application, session))
            return session == "live"

        async def bans() -> list[StandingBan] | None:
            return self.bans

        async def lift_bans(source: str) -> list[StandingBan] | None:
            return [ban for ban in self.bans or [] if source in ("", ban.source)]

        async def trunks() -> list[StandingTrunk] | None:
            return self.trunks

        async def explain(
            caller: PhoneNumber | None, called: PhoneNumber, at: datetime, extension: str, masked: bool
        ) -> list[tuple[str, str, bool | None]]:
            return [("caller", caller.masked if masked else caller.e164, None) if caller else ("caller", "", None)]

        tones = ToneFolder("", str(folder))
        self.shelf = Shelf(self.engine, str(folder))
        context = AdminContext(
            engine=self.engine, store=self.store, ledger=Ledger(self.engine), settings=AdminSettings(**settings),
            clock=self.clock, monotonic=time.monotonic, live_calls=live_calls, stop_call=stop_call, explain=explain,
            bans=bans, lift_bans=lift_bans, trunks=trunks, wake=self._wake, sync_tones=self.shelf.sync,
            tone_exists=lambda application, name: tones.find(application, name) is not None,
            recordings=RecordingStore(f"file://{folder}/recordings"), proof=Proof(),
        )  # fmt: skip
        # Of a socket by its descriptor Python knows that it is TCP, and switches Nagle's wait of 40 ms off.
        listening = socket.socket(fileno=socket.create_server(("127.0.0.1", 0)).detach())
        self.app = create_admin(context)
        self.server = web_server(self.app)
        self.serving = asyncio.create_task(self.server.serve(sockets=[listening]))
        self.http = aiohttp.ClientSession(f"http://127.0.0.1:{listening.getsockname()[1]}")
        return self

    def _wake(self) -> None:
        self.woken += 1

    def clock(self) -> datetime:
        return datetime.now(UTC) + self.later

    async def ask(self, who: str, method: str, path: str, body: Any = None, **query: Any) -> tuple[int, Any]:
        """Status and JSON (None without a body) of a request with ``who``'s token ("": none)."""
        token = self.tokens.get(who, who)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        params = {name: str(value) for name, value in query.items()}
        async with self.http.request(method, path, headers=headers, json=body, params=params) as response:
            raw = await response.read()
            return response.status, await response.json() if raw else None

    async def ok(self, who: str, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """The JSON of a request that succeeds."""
        status, answer = await self.ask(who, method, path, body, **query)
        assert status < 300, (status, answer)
        return answer

    async def refused(self, who: str, method: str, path: str, body: Any = None, **query: Any) -> tuple[int, str, Any]:
        """Status, code and field of a request that fails."""
        status, answer = await self.ask(who, method, path, body, **query)
        assert status >= 400, (status, answer)
        assert set(answer) == {"error"}
        assert set(answer["error"]) == {"code", "message", "field"}
        assert answer["error"]["message"]
        return status, answer["error"]["code"], answer["error"]["field"]

    async def audited(self, action: str) -> list[dict[str, Any]]:
        """The audit log of one action, the newest first."""
        return list((await self.ok("auditor", "GET", "/audit", action=action))["items"])

    async def down(self) -> None:
        await self.http.close()
        self.server.should_exit = True
        await self.serving
        await self.engine.dispose()
