"""Two nodes on one PostgreSQL behind configs/kamailio, SIPp as the switch: calls spread, who drains gets none."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import aiohttp
import pytest

from gateway.lab.client import CustomerClient
from gateway.lab.node import Node, NodePlan, free_media_ports, free_tcp_and_udp_port
from gateway.lab.phone import Phase, Phone
from gateway.lab.receiver import Receiver
from gateway.lab.script import Script
from gateway.lab.sockets import PhoneLine
from gateway.sip.hop import Hop
from tests.interop.stand import HOST, KEY, SECRET, A, B, X
from tests.interop.test_trunk_test import Carrier
from tests.postgres import Postgres

pytestmark = pytest.mark.interop
CONFIGS = Path(__file__).parents[2] / "configs" / "kamailio"
HOSTS = ("127.0.0.2", "127.0.0.3")


class Edge(Carrier):
    """Kamailio with the configuration that ships, before the two nodes and the switch."""

    async def dispatch(self, kamailio: str, port: int, nodes: list[int], switch: int) -> None:
        text = (CONFIGS / "kamailio.cfg").read_text(encoding="utf-8").replace("192.0.2.5:5060", f"{HOST}:{port}")
        file = self.folder / "edge.cfg"
        file.write_text(text.replace("192.0.2.5", HOST).replace("/etc/kamailio/", f"{self.folder}/"))
        listed = [f"1 sip:{host}:{node}" for host, node in zip(HOSTS, nodes, strict=True)]
        (self.folder / "dispatcher.list").write_text("\n".join([*listed, f"2 sip:{HOST}:{switch} 0 10", ""]))
        await self._run("edge", kamailio, "-DD", "-E", "-f", str(file), "-Y", str(self.folder), "-P",
                        str(self.folder / "edge.pid"))  # fmt: skip


class Two:
    """The nodes, the customer's server, and calls by way of the edge."""

    def __init__(self, folder: Path, stack: AsyncExitStack) -> None:
        self.folder, self.stack = folder, stack
        self.changed = asyncio.Event()
        self.nodes: list[Node] = []
        self.dialled = 0

    async def up(self, kamailio: str, sipp: str, database: str) -> Two:
        edge = Edge(self.folder)
        self.stack.push_async_callback(edge.down)
        switch = await edge.switch(sipp, 2)
        self.port = free_tcp_and_udp_port(HOST)
        self.receiver = Receiver(HOST, KEY, SECRET, lambda event: self.changed.set())
        self.stack.push_async_callback(self.receiver.stop)
        address = await self.receiver.start()
        for host in HOSTS:
            (self.folder / host).mkdir()
            overrides = {
                "NODE__NAME": host, "NODE__DRAIN_SECONDS": "60", "DATABASE__URL": database,
                "TRUNK__0__ALLOW": f'["{HOST}/32"]', "RECORDINGS__URL": f"file://{self.folder / 'recordings'}",
            }  # fmt: skip
            plan = NodePlan(
                folder=self.folder / host, host=host, peer=f"udp:{HOST}:{self.port}", key=KEY, secret=SECRET,
                x=X.e164, receiver=address, sip_port=free_tcp_and_udp_port(host),
                web_port=free_tcp_and_udp_port(host), media_ports=free_media_ports(host, 32),
                overrides={f"MASKLINE_{name}": value for name, value in overrides.items()},
            )  # fmt: skip
            self.nodes.append(Node(plan))
            self.stack.push_async_callback(self.nodes[-1].stop)
            await self.nodes[-1].start(30)
        await edge.dispatch(kamailio, self.port, [node.plan.sip_port for node in self.nodes], switch)
        self.http = await self.stack.enter_async_context(aiohttp.ClientSession())
        return self

    async def call(self, **script: float) -> PhoneLine:
        """Dial, and wait until they talk."""
        self.dialled += 1

        def phone(here: Hop, ports: tuple[int, int]) -> Phone:
            return Phone("A", Script(tone_hz=700, **script), here=here, media_ports=ports, seed=self.dialled)  # type: ignore[arg-type]

        line = PhoneLine(HOST, phone, lambda phone, now: self.changed.set())
        self.stack.push_async_callback(line.stop)
        await line.start()
        target, uri = Hop("udp", HOST, self.port), f"sip:{X.e164}@{HOST}:{self.port}"
        line.do(lambda now: line.phone.dial(target, uri, now, caller=f"<sip:{A.e164}@{HOST}>"))
        await self.until(lambda: line.phone.phase in (Phase.TALKING, Phase.OVER))
        return line

    async def until(self, condition: Callable[[], bool], seconds: float = 20.0) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                self.changed.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.changed.wait(), 0.1)

    def fees(self) -> list[str]:
        """The sessions of which a bill record has come."""
        return [str(event.fields["sessionId"]) for event in self.receiver.events if event.kind == "fee"]

    async def measured(self, node: Node, name: str) -> float:
        """The sum of one metric's rows."""
        async with self.http.get(node.plan.base_url + "/metrics") as answer:
            text = await answer.text()
        return sum(float(value) for value in re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.M))


async def test_calls_spread_and_a_draining_node_gets_none(
    sipp: str, kamailio: str, postgres: Postgres, tmp_path: Path
) -> None:
    # The nodes end before the database goes.
    async with postgres.database(migrated=False) as database, AsyncExitStack() as stack:
        await judge(await Two(tmp_path, stack).up(kamailio, sipp, database))


async def judge(here: Two) -> None:
    first, second = here.nodes
    # Bound at one node, seen by both at once.
    await CustomerClient(here.http, first.plan.base_url, KEY, SECRET).bind(
        {"callerNum": A.e164, "calleeNum": B.e164, "relationNum": X.e164}
    )
    lines = [await here.call() for _ in range(4)]
    assert [line.phone.phase for line in lines] == [Phase.TALKING] * 4, first.log_tail() + second.log_tail()
    assert [await here.measured(node, "maskline_calls_standing") for node in here.nodes] == [2, 2]
    # One drains, with its calls standing: the next calls, from this moment on, are the other's.
    os.kill(first.pid, signal.SIGTERM)
    more = [await here.call() for _ in range(4)]
    assert [line.phone.phase for line in more] == [Phase.TALKING] * 4, first.log_tail() + second.log_tail()
    assert [await here.measured(node, "maskline_calls_standing") for node in here.nodes] == [2, 6]
    assert all(line.phone.phase is Phase.TALKING for line in lines)
    for line in lines + more:
        line.do(line.phone.hang_up)
    await here.until(lambda: len(here.fees()) >= 8)
    # Each call is told once, though two nodes could.
    assert sorted(Counter(here.fees()).values()) == [1] * 8
