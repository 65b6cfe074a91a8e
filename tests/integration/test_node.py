"""A whole node as processes, real sockets, SQLite and HTTP: what must hold when something dies in mid-call."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest

from gateway.lab.client import CustomerClient
from gateway.lab.node import Node, NodeError, NodePlan
from gateway.lab.phone import Phase, Phone
from gateway.lab.ports import free_media_ports, free_tcp_and_udp_port
from gateway.lab.receiver import Receiver
from gateway.lab.script import Script
from gateway.lab.sockets import PhoneLine
from gateway.sip.hop import Hop
from media.recording.wav import decode, parse
from tests.bench.soak import Fleet

HOST = "127.0.0.1"
KEY, SECRET = "test-axb", "secret"
A, B, X = "+8613800000021", "+8613800000023", "+8617000000001"


class Stand:
    """A node, the customer's server, a phone on each side."""

    def __init__(self, folder: Path, a: Script, b: Script) -> None:
        self.folder = folder
        self.scripts = (a, b)
        self.stack = AsyncExitStack()
        self.changed = asyncio.Event()
        self.plan_changes: dict[str, Any] = {}
        self.urls: dict[str, str] = {}
        """Environment of the node: addresses at the customer's server, by their paths."""
        self.settings: dict[str, str] = {}
        """More of its environment."""

    async def up(self) -> Stand:
        """Start everything; what has started when something doesn't is ended."""
        try:
            await self._up()
        except BaseException:
            await self.stack.aclose()
            raise
        return self

    async def _up(self) -> None:
        self.receiver = Receiver(HOST, KEY, SECRET, lambda event: self.changed.set())
        self.stack.push_async_callback(self.receiver.stop)
        address = await self.receiver.start()
        self.caller, self.callee = (self._line(name, script) for name, script in zip("AB", self.scripts, strict=True))
        for line in (self.caller, self.callee):
            self.stack.push_async_callback(line.stop)
        for line in (self.caller, self.callee):
            await line.start()
        overrides = {name: f"{address}/{path}" for name, path in self.urls.items()} | self.settings
        wanted = {
            "peer": str(self.callee.phone.here),
            "overrides": overrides,
            "receiver": address,
            "web_port": free_tcp_and_udp_port(HOST),
        } | self.plan_changes
        self.node = Node(
            NodePlan(
                folder=self.folder,
                host=HOST,
                key=KEY,
                secret=SECRET,
                x=X,
                sip_port=free_tcp_and_udp_port(HOST),
                media_ports=free_media_ports(HOST),
                **wanted,
            )
        )
        self.stack.push_async_callback(self.node.stop)
        await self.node.start(60)
        http = await self.stack.enter_async_context(aiohttp.ClientSession())
        self.http = http
        self.customer = CustomerClient(http, self.node.plan.base_url, KEY, SECRET)

    def _line(self, name: str, script: Script) -> PhoneLine:
        def phone(here: Hop, ports: tuple[int, int]) -> Phone:
            return Phone(name, script, here=here, media_ports=ports, seed=ord(name[0]) + len(name))

        return PhoneLine(HOST, phone, lambda phone, now: self.changed.set())

    async def two_calls(self, *answers: Script) -> PhoneLine:
        """Before ``up``: another phone that calls. Whoever is called answers by ``answers``, in turn."""
        port = free_tcp_and_udp_port(HOST)
        made, fleet = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: Fleet(Hop("udp", HOST, port)), local_addr=(HOST, port)
        )
        fleet.next_scripts = [*answers]
        self.plan_changes["peer"] = f"udp:{HOST}:{port}"
        again = self._line("A again", self.scripts[0])
        await again.start()

        async def stop() -> None:
            for line in (again, *fleet.lines.values()):
                await line.stop()
            made.close()

        self.stack.push_async_callback(stop)
        return again

    async def bind(self, **more: Any) -> None:
        body = {"callerNum": A, "calleeNum": B, "relationNum": X, "recordFlag": "true", **more}
        await self.customer.bind(body)

    def dial(self, line: PhoneLine | None = None) -> None:
        line = line or self.caller
        target = Hop("udp", HOST, self.node.plan.sip_port)
        uri = f"sip:{X}@{HOST}:{target.port}"
        line.do(lambda now: line.phone.dial(target, uri, now, caller=f"<sip:{A}@{HOST}>"))

    async def until(self, condition: Callable[[], bool], seconds: float = 60.0) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                self.changed.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.changed.wait(), 0.2)

    def kinds(self) -> list[str]:
        return [event.kind for event in self.receiver.events]

    def kill(self) -> None:
        """SIGKILL to the whole node: signalling, web and media at once."""
        process = self.node._process
        assert process is not None
        os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    made: list[Stand] = []

    async def make(a: Script, b: Script) -> Stand:
        made.append(Stand(tmp_path, a, b))
        return await made[-1].up()

    yield make
    for one in made:
        await one.stack.aclose()


def sockets() -> set[str]:
    """The sockets of this process."""
    found = set()
    for fd in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            found.add(os.readlink(fd))
    return {name for name in found if name.startswith("socket:")}


async def test_a_stand_that_does_not_come_up_leaves_no_socket(tmp_path: Path) -> None:
    stand = Stand(tmp_path, Script(), Script())
    stand.settings["MASKLINE_SIP__LISTEN"] = "nonsense"
    before = sockets()
    with pytest.raises(NodeError):
        await stand.up()
    assert sockets() - before == set()


TALK_A = Script(tone_hz=700)
TALK_B = Script(tone_hz=1300, answer_after=0.5)


async def test_a_node_killed_in_mid_call_leaves_one_end_and_a_recording(stand: Callable[..., Any]) -> None:
    here = await stand(TALK_A, TALK_B)
    await here.bind()
    here.dial()
    await here.until(lambda: here.caller.phone.phase is Phase.TALKING)
    answered = here.caller.phone.answered_at
    loop = asyncio.get_running_loop()
    await here.until(lambda: "answer" in here.kinds() and loop.time() > answered + 5.0)
    here.kill()
    await here.node.start(60)
    fee = await here.receiver.wait_for("fee", 60)
    assert fee is not None, here.node.log_tail()
    assert here.kinds() == ["callin", "callout", "alerting", "answer", "disconnect", "fee"]
    download = await here.customer.recording(fee.fields["recordObjectName"], fee.fields["recordDomain"])
    left, right = (decode(channel) for channel in parse(download.content))
    assert len(left) == len(right)
    assert len(left) >= 8000 * 3.5
    for channel, wanted in ((left, 700), (right, 1300)):
        spectrum = np.abs(np.fft.rfft(channel[8000 * 2 : 8000 * 3].astype(float)))
        assert int(np.argmax(spectrum)) == wanted
    with sqlite3.connect(here.folder / "maskline.db") as connection:
        counted = connection.execute("SELECT kind, count(*) FROM outbox GROUP BY kind").fetchall()
        assert set(counted) == {(kind, 1) for kind in here.kinds()}
        assert connection.execute("SELECT count(*) FROM open_call").fetchone() == (0,)
    connection.close()
    # Both phones still think that they talk: their next BYE finds no dialog, which ends them.
    assert list((here.folder / "spool").iterdir()) == []
