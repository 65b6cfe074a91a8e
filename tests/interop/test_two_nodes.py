"""Two nodes on one PostgreSQL and one S3 server behind configs/kamailio, SIPp as the switch. One story, since it takes
seconds to start them: calls spread; recordings are found at either node, and erased once; one node is killed, and comes
back; one drains.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import signal
import socket
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import aiohttp
import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.database import open_engine, reading, writing
from gateway.lab.client import ApiError, CustomerClient
from gateway.lab.node import Node, NodePlan
from gateway.lab.phone import Phase, Phone
from gateway.lab.ports import free_media_ports, free_tcp_and_udp_port
from gateway.lab.receiver import Receiver
from gateway.lab.script import Script
from gateway.lab.sockets import PhoneLine
from gateway.recordings.tables import recording_proof
from gateway.recordings.verifying import verify
from gateway.schema import recording
from gateway.sip.hop import Hop
from media.recording.wav import parse
from tests.interop.stand import HOST, KEY, SECRET, A, B, X
from tests.interop.test_trunk_test import Carrier
from tests.postgres import Postgres
from tests.s3 import BUCKET, KEYS, S3
from tests.telemetry.collector import Collector

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

    async def up(self, kamailio: str, sipp: str, database: str, s3: S3) -> Two:
        edge = Edge(self.folder)
        self.stack.push_async_callback(edge.down)
        switch = await edge.switch(sipp, 2)
        self.port = free_tcp_and_udp_port(HOST)
        self.receiver = Receiver(HOST, KEY, SECRET, lambda event: self.changed.set())
        self.stack.push_async_callback(self.receiver.stop)
        address = await self.receiver.start()
        self.engine = open_engine(database)
        self.stack.push_async_callback(self.engine.dispose)
        self.collector = Collector()
        self.stack.push_async_callback(self.collector.stop)
        traces = await self.collector.start()
        self.http = await self.stack.enter_async_context(aiohttp.ClientSession())
        for host in HOSTS:
            (self.folder / host).mkdir()
            overrides = {
                "NODE__NAME": host, "NODE__DRAIN_SECONDS": "60", "DATABASE__URL": database,
                "TRUNK__0__ALLOW": f'["{HOST}/32"]', "OTEL__ENDPOINT": traces,
                "NODE__LOG": "json", "CALLS__MIN_RECORDING_SECONDS": "0",
                "RECORDINGS__URL": f"s3://{BUCKET}", "RECORDINGS__ENDPOINT": s3.endpoint,
                **{f"RECORDINGS__{name.upper()}": value for name, value in KEYS.items()},
            }  # fmt: skip
            plan = NodePlan(
                folder=self.folder / host, host=host, peer=f"udp:{HOST}:{self.port}", key=KEY, secret=SECRET,
                x=X.e164, receiver=address, sip_port=free_tcp_and_udp_port(host),
                web_port=free_tcp_and_udp_port(host), media_ports=free_media_ports(host, 32),
                overrides={f"MASKLINE_{name}": value for name, value in overrides.items()},
            )  # fmt: skip
            self.nodes.append(Node(plan))
            self.stack.push_async_callback(self.nodes[-1].stop)
        # Both at once, on an empty database, and as long as one after the other may take.
        await asyncio.gather(*(node.start(60) for node in self.nodes))
        self.customers = [CustomerClient(self.http, node.plan.base_url, KEY, SECRET) for node in self.nodes]
        await edge.dispatch(kamailio, self.port, [node.plan.sip_port for node in self.nodes], switch)
        return self

    async def dial(self, **script: float) -> PhoneLine:
        """Begin a call."""
        self.dialled += 1

        def phone(here: Hop, ports: tuple[int, int]) -> Phone:
            return Phone("A", Script(tone_hz=700, **script), here=here, media_ports=ports, seed=self.dialled)  # type: ignore[arg-type]

        line = PhoneLine(HOST, phone, lambda phone, now: self.changed.set())
        self.stack.push_async_callback(line.stop)
        await line.start()
        target, uri = Hop("udp", HOST, self.port), f"sip:{X.e164}@{HOST}:{self.port}"
        line.do(lambda now: line.phone.dial(target, uri, now, caller=f"<sip:{A.e164}@{HOST}>"))
        return line

    async def call(self, count: int) -> list[PhoneLine]:
        """So many calls, until all talk."""
        lines = [await self.dial() for _ in range(count)]
        await self.until(lambda: all(line.phone.phase in (Phase.TALKING, Phase.OVER) for line in lines))
        said = "".join(node.log_tail() for node in self.nodes)
        assert [line.phone.phase for line in lines] == [Phase.TALKING] * count, said
        return lines

    async def until(self, condition: Callable[[], bool], seconds: float = 20.0) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                self.changed.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.changed.wait(), 0.1)

    async def unready(self, node: Node) -> None:
        """Until a node has begun to drain."""
        for _ in range(200):
            async with self.http.get(node.plan.base_url + "/readyz") as answer:
                if answer.status == 503:
                    return
            await asyncio.sleep(0.05)
        raise AssertionError(node.log_tail())

    def fees(self) -> dict[str, int]:
        """The sessions of which a bill record has come, and how often."""
        return Counter(str(event.fields["sessionId"]) for event in self.receiver.events if event.kind == "fee")

    async def standing(self) -> list[int]:
        """Calls at each node."""
        return [await self._standing(node) for node in self.nodes]

    async def _standing(self, node: Node) -> int:
        async with self.http.get(node.plan.base_url + "/metrics") as answer:
            text = await answer.text()
        rows = re.findall(r"^maskline_calls_standing(?:{[^}]*})? (\S+)$", text, re.M)
        return sum(int(float(value)) for value in rows)


class Grave:
    """Where a node was: nothing answers, and what still comes is counted."""

    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, port))
        self._socket.setblocking(False)
        self.pings: set[bytes] = set()

    def calls(self) -> set[bytes]:
        """The calls that were tried here since it was asked last."""
        found = set()
        with suppress(BlockingIOError):
            while True:
                data = self._socket.recv(65535)
                ids = set(re.findall(rb"\nCall-ID: *(\S+)", data, re.I))
                if data.startswith(b"INVITE"):
                    found |= ids
                else:
                    self.pings |= ids
        return found

    def close(self) -> None:
        self._socket.close()


async def test_two_nodes(sipp: str, kamailio: str, postgres: Postgres, tmp_path: Path) -> None:
    s3 = S3()
    s3.empty()
    try:
        # The nodes end before the database goes.
        async with postgres.database(migrated=False) as database, AsyncExitStack() as stack:
            here = await Two(tmp_path, stack).up(kamailio, sipp, database, s3)
            # Bound at one node, seen by both at once.
            await here.customers[0].bind(
                {"callerNum": A.e164, "calleeNum": B.e164, "relationNum": X.e164, "recordFlag": "true"}
            )
            await spread(here)
            await kept_and_erased_once(here, s3)
            await one_dies(here)
            await one_drains(here)
            assert (await verify(here.engine, None)).faults == []
            for node in here.nodes:
                await node.stop()
            traced(here)
            logged(here)
    finally:
        s3.stop()


async def spread(here: Two) -> None:
    lines = await here.call(4)
    assert await here.standing() == [2, 2]
    await hang_up(lines)
    await here.until(lambda: len(here.fees()) == 4)


async def kept_and_erased_once(here: Two, s3: S3) -> None:
    """Each of four recordings, two of each node, is found at both; when they are due, they are erased once."""
    async with reading(here.engine) as connection:
        rows = (await connection.execute(select(recording.c.name, recording.c.node))).all()
    assert Counter(row.node for row in rows) == dict.fromkeys(HOSTS, 2)
    names = [row.name for row in rows]
    for name in names:
        # The vendor's 301 of either node, followed; and the link that one node gave, followed at the other.
        found = [await customer.recording(name, "any") for customer in here.customers]
        crossed = found[0].location.replace(here.nodes[0].plan.base_url, here.nodes[1].plan.base_url)
        async with here.http.get(crossed) as answer:
            audio = [*(one.content for one in found), await answer.read()]
        assert crossed != found[0].location
        assert len({hashlib.sha256(one).digest() for one in audio}) == 1
        # The calls stand for as long as it takes to count them: some tenths of a second.
        assert all(channel.size for channel in parse(audio[0]))
    assert set(s3.names()) == set(names)
    async with writing(here.engine) as connection:
        await connection.execute(update(recording).values(erase_at=1.0))
    # To be asked for one wakes a node: both look at what is due at the same moment.
    await asyncio.gather(*(_refused(customer, names[0]) for customer in here.customers))
    for _ in range(200):
        if len(told := await _told(here.engine)) >= 4 and not s3.names():
            break
        await asyncio.sleep(0.1)
    assert (told, s3.names()) == (["erased"] * 4, [])


async def _refused(customer: CustomerClient, name: str) -> None:
    with pytest.raises(ApiError):
        await customer.recording(name, "any")


async def _told(engine: AsyncEngine) -> list[str]:
    """What the chain of proof says beyond that each was recorded."""
    async with reading(engine) as connection:
        kinds = (await connection.execute(select(recording_proof.c.kind))).scalars().all()
    return [kind for kind in kinds if kind != "recorded"]


async def one_dies(here: Two) -> None:
    """Killed with calls standing: every call from then on is answered, and two pings later none is tried there."""
    lost = await here.call(4)
    assert await here.standing() == [2, 2]
    dead, loop = here.nodes[1], asyncio.get_running_loop()
    os.killpg(dead.pid, signal.SIGKILL)
    died = loop.time()
    await dead.stop()
    grave = Grave(dead.plan.host, dead.plan.sip_port)
    try:
        lines = await here.call(2)
        tried = grave.calls()
        print(
            f"a node was killed: {loop.time() - died:.1f} s later two more calls stand, {len(tried)} tried there first"
        )

        def pinged() -> bool:
            grave.calls()
            return len(grave.pings) >= 3

        await here.until(pinged)  # 4 s: one that nobody has answered, and two more
        lines += await here.call(4)
        assert grave.calls() == set()
    finally:
        grave.close()
    # It comes back, tells of the calls that it had, and is given calls again.
    await dead.start(60)
    await hang_up(lines + lost)
    await here.until(lambda: len(here.fees()) == here.dialled)


async def one_drains(here: Two) -> None:
    """SIGTERM with calls standing: they stay, and the next ones, from this moment on, are the other's."""
    lines = await here.call(2)
    async with asyncio.timeout(20):
        while 0 in await here.standing():
            lines += await here.call(2)  # until a ping has found the one that came back
    first, second = await here.standing()
    os.kill(here.nodes[0].pid, signal.SIGTERM)
    await here.unready(here.nodes[0])
    lines += await here.call(4)
    assert await here.standing() == [first, second + 4]
    assert all(line.phone.phase is Phase.TALKING for line in lines)
    await hang_up(lines)
    await here.until(lambda: len(here.fees()) == here.dialled)
    # Each call is told once, though two nodes could.
    assert set(here.fees().values()) == {1}


def traced(here: Two) -> None:
    """Each call that a living node has ended is one trace, with what both nodes have added to it, and no number."""
    whole = {}
    for spans in here.collector.traces.values():
        (session,) = {span["said"]["maskline.session"] for span in spans}
        whole[session] = {span["name"]: span for span in spans}
    assert set(whole) == set(here.fees())
    told = [spans for spans in whole.values() if "call" in spans]
    # Of those that stood when their node was killed there is what came later.
    assert len(told) == len(whole) - 2
    for spans in told:
        root = spans["call"]
        assert {span["parent"] for name, span in spans.items() if name != "call"} == {root["id"]}
        assert {"look-up", "caller", "callee", "talk"} <= set(spans)
        assert spans["talk"]["seconds"] <= root["seconds"]
        assert root["node"] in HOSTS
    # What a node adds that is killed soon after is lost with it; these came later.
    for session in list(here.fees())[-4:]:
        assert {"event callin", "event answer", "event fee"} <= set(whole[session])
    assert any("recording stored" in spans for spans in told)
    for number in (A, B, X):
        assert number.e164[3:] not in here.collector.text


def logged(here: Two) -> None:
    """Logs are JSON, a line for each, without a number; the node that came back tells of the calls that it lost."""
    said = []
    for node in here.nodes:
        text = (node.plan.folder / "node.log").read_text("utf-8")
        assert not [number for number in (A, B) if number.e164[3:] in text]
        said += [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    assert all({"event", "level", "timestamp"} <= set(line) for line in said)
    assert [line["calls"] for line in said if line["event"] == "calls of a crash closed"] == [2]


async def hang_up(lines: list[PhoneLine]) -> None:
    for line in lines:
        line.do(line.phone.hang_up)
