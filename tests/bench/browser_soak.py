"""Calls of browsers, one after the other, against a whole node: memory, sockets and tasks must stay flat.

    python -m tests.bench.browser_soak [CALLS]      make soak-browsers, CALLS=200 by default

Each call is two sessions: a caller that connects a WebSocket, registers, calls X, talks a second and closes, as a page
does; and a callee that stays, every other one with Opus alone: a quarter of the legs is converted. AT_ONCE pairs
call beside each other. Behind each ROUND of calls the node is left until no leg stands, and each of its processes is
looked at; behind the warm-up a line is fitted through the rows of samples, as in soak.py, over calls instead of time.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp

from gateway.lab.client import CustomerClient
from gateway.lab.node import Node, NodePlan
from gateway.lab.ports import free_media_ports, free_tcp_and_udp_port
from gateway.lab.receiver import Receiver
from tests.bench.call_bench import processes
from tests.bench.soak import HOST, SECRET, judge, of_process
from tests.bench.web_phone import WebPhone

AT_ONCE, ROUND, TALK = 4, 10, 1.0
BOTH = ("PCMA", "opus", "telephone-event")
LEFT = re.compile(r"^(maskline_browser_legs\{.*\}|maskline_calls_standing|maskline_sip_faults_total) (\S+)", re.M)


def pair(number: int) -> tuple[str, str, str]:
    """A, B and X of the ``number``-th pair."""
    return f"+861380000{1000 + number}", f"+861380000{2000 + number}", f"+861700000{1000 + number}"


class BrowserSoak:
    """The node, its browsers, and what was seen of it."""

    def __init__(self) -> None:
        self.samples: dict[tuple[str, str], list[tuple[float, float]]] = {}
        self.done = 0

    async def up(self, stack: AsyncExitStack) -> BrowserSoak:
        """Start it, bind, make phones; callees register."""
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="maskline-soak-")))
        receiver = Receiver(HOST, "axb", SECRET, lambda event: receiver.events.clear())
        stack.push_async_callback(receiver.stop)
        low, high = free_media_ports(HOST, 128)
        sip, web = free_tcp_and_udp_port(HOST), free_tcp_and_udp_port(HOST)
        pairs = [pair(number) for number in range(AT_ONCE)]
        self.plan = NodePlan(
            folder=folder, host=HOST, peer=f"udp:{HOST}:9", key="axb", secret=SECRET, x=pairs[0][2],
            numbers=tuple(x for _, _, x in pairs[1:]), receiver=await receiver.start(), sip_port=sip, web_port=web,
            media_ports=(low, high - 128),
            overrides={
                "MASKLINE_PHONES__ENABLED": "true", "MASKLINE_TRUNK__0__ALLOW": '["192.0.2.0/24"]',
                "MASKLINE_SIP__LISTEN": f'["udp:{HOST}:{sip}", "ws:{HOST}:{sip}"]', "MASKLINE_SIP__ORIGINS": '["*"]',
                "MASKLINE_WEBRTC__ENABLED": "true", "MASKLINE_WEBRTC__PORTS": f"{high - 127}-{high}",
                "MASKLINE_MEDIA__REST_SECONDS": "2", "MASKLINE_DEFENCE__REGISTERS_PER_MINUTE": "6000",
            },
        )  # fmt: skip
        self.node = Node(self.plan)
        stack.push_async_callback(self.node.stop)
        await self.node.start(60)
        self.pids = processes(self.node.pid)
        self.http = await stack.enter_async_context(aiohttp.ClientSession())
        await self._people(stack, pairs)
        return self

    async def _people(self, stack: AsyncExitStack, pairs: list[tuple[str, str, str]]) -> None:
        made = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gateway", "token", "create", "soak", "--config", str(self.plan.folder / "demo.toml"),
            stdout=asyncio.subprocess.PIPE, env={**os.environ, **self.plan.overrides},
        )  # fmt: skip
        token = (await made.communicate())[0].decode().strip()
        customer = CustomerClient(self.http, self.plan.base_url, "axb", SECRET)
        self._known: list[tuple[WebPhone, tuple[str, str], str]] = []
        server = f"ws://{HOST}:{self.plan.sip_port}"
        for number, (a, b, x) in enumerate(pairs):
            sheets = []
            for one in (a, b):
                headers = {"Authorization": f"Bearer {token}"}
                async with self.http.post(
                    f"{self.plan.base_url}/v1/phones", json={"number": one}, headers=headers
                ) as answer:
                    assert answer.status < 300, await answer.text()
                    sheets.append(await answer.json())
            await customer.bind({"callerNum": a, "calleeNum": b, "relationNum": x, "recordFlag": "true"})
            caller, (user, password) = sheets[0], (sheets[1]["user"], sheets[1]["password"])
            callee = WebPhone(server, user, password, *(("opus",) if number % 2 else BOTH))
            self._known.append((callee, (caller["user"], caller["password"]), x))
        await asyncio.sleep(1.5)  # the node knows them within a second
        for callee, _, _ in self._known:
            await callee.register()
            stack.push_async_callback(callee.close)

    async def call(self, number: int) -> None:
        """One call of a pair."""
        callee, (user, password), x = self._known[number]
        caller = WebPhone(f"ws://{HOST}:{self.plan.sip_port}", user, password, *BOTH)
        await caller.register()
        try:
            await caller.dial(x)
            for one in (caller, callee):
                await one.talking.wait()
                await one.connected()
            await asyncio.sleep(TALK)
            leaving, other = (caller, callee) if self.done % 2 else (callee, caller)
            await leaving.hang_up()
            async with asyncio.timeout(10):
                await other.over.wait()
        finally:
            await caller.close()
        self.done += 1

    async def run(self, calls: int) -> None:
        """All of them, and samples."""
        queue = iter(range(calls))
        while self.done < calls:
            began = self.done

            async def some(number: int, began: int = began) -> None:
                while self.done < began + ROUND and next(queue, None) is not None:
                    await self.call(number)

            async with asyncio.TaskGroup() as group:
                for number in range(AT_ONCE):
                    group.create_task(some(number))
            await self.sample()

    async def sample(self) -> None:
        """Look at every process once no leg stands."""
        async with asyncio.timeout(20):
            while any((await self.left()).values()):  # noqa: ASYNC110
                await asyncio.sleep(0.5)
        for name, pid in self.pids.items():
            memory, sockets = of_process(pid)
            self._note(name, "memory", memory)
            self._note(name, "sockets", sockets)
        text = await self._metrics()
        for process, name in (("signalling", "maskline_tasks"), ("edge", "maskline_browser_tasks")):
            found = re.search(rf"^{name} (\S+)", text, re.M)
            assert found is not None
            self._note(process, "tasks", float(found[1]))

    async def left(self) -> dict[str, float]:
        """What still stands."""
        return {name: float(value) for name, value in LEFT.findall(await self._metrics())}

    async def _metrics(self) -> str:
        async with self.http.get(f"{self.plan.base_url}/metrics") as response:
            return await response.text()

    def _note(self, process: str, what: str, value: float) -> None:
        self.samples.setdefault((process, what), []).append((float(self.done), value))


async def main(calls: int) -> bool:
    """Everything; whether it was flat."""
    async with AsyncExitStack() as stack:
        soak = await BrowserSoak().up(stack)
        await soak.run(calls)
        print(f"{soak.done} calls, {2 * soak.done} legs of browsers; an hour stands for 3600 calls")
        flat = judge(soak.samples, float(calls))
        left = await soak.left()
        print("left behind:", ", ".join(f"{name} {value:g}" for name, value in left.items()))
        return flat and not any(left.values())


if __name__ == "__main__":
    sys.exit(0 if asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)) else 1)
