"""Media workers that die, and hang, under standing calls: when it is seen, how long nobody hears anything, who is lost.

    python -m tests.bench.crash_bench [CALLS [SECONDS]]        100 calls, 40 s

A whole node with two workers, CALLS recorded calls between phones of ours, each sending a packet every 20 ms. Every
EVERY seconds the worker that has most of the calls is killed (SIGKILL), or stopped (SIGSTOP: it hangs), in turn.

    seen      from then until the node knows it, by the calls' records
    silence   the longest gap at each phone around it, of those whose worker it was
    others    the same of the phones of the other worker's calls, and the packets that they have lost
    lost      calls that ended
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sqlite3
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from pathlib import Path
from struct import pack
from typing import Any

import aiohttp

from gateway.lab.audio import tone
from gateway.lab.client import CustomerClient
from gateway.lab.node import Node, NodePlan
from gateway.lab.phone import Phase, Phone, PhoneOutput
from gateway.lab.ports import free_media_ports, free_tcp_and_udp_port
from gateway.lab.receiver import Receiver
from gateway.lab.script import Script
from gateway.lab.sockets import PhoneLine
from gateway.sip.hop import Hop
from tests.bench.soak import Callee, Fleet

HOST, SECRET = "127.0.0.1", "secret"
A, B, X = "+8613800000021", "+8613800000023", "+8617000000001"
SO_RCVBUFFORCE = 33
EVERY, PTIME, GAP = 6.0, 0.02, 0.1
SEEDS = count(1)


@dataclass(slots=True)
class Ear:
    """What came to a phone: when last, the gaps (from, to), packets by SSRC."""

    last: float = 0.0
    gaps: list[tuple[float, float]] = field(default_factory=list)
    ssrc: bytes = b""
    highest: int = 0
    lost: int = 0

    def hear(self, data: bytes, now: float) -> None:
        """A packet."""
        if self.last and now - self.last > GAP:
            self.gaps.append((self.last, now))
        self.last = now
        seq = int.from_bytes(data[2:4], "big")
        if data[8:12] == self.ssrc:
            step = (seq - self.highest) & 0xFFFF
            self.lost += step - 1 if 0 < step < 1000 else 0
        self.ssrc, self.highest = data[8:12], seq

    def longest(self, begin: float, end: float) -> float:
        """The longest gap that began in this time, give or take a packet."""
        return max((to - since for since, to in self.gaps if begin - GAP <= since <= end), default=0.0)


class Listener(Phone):
    """A phone that says nothing of its own accord (``Crowd.speak`` does), and keeps no packet."""

    def receive_rtp(self, port: int, data: bytes, source: tuple[str, int], now: float) -> list[PhoneOutput]:
        self.ear.hear(data, now)
        return []

    ear: Ear


def listener(name: str, script: Script, here: Hop, ports: tuple[int, int]) -> Listener:
    """A new one."""
    phone = Listener(name, script, here=here, media_ports=ports, seed=next(SEEDS))
    phone.ear = Ear()
    return phone


class Answering(Callee):
    """A callee whose phone is a Listener."""

    def __init__(self, fleet: Fleet, script: Script) -> None:
        self._fleet = fleet
        PhoneLine.__init__(
            self, HOST, lambda here, ports: listener("callee", script, fleet.here, ports), lambda phone, now: None
        )


class Crowd(Fleet):
    """The callees, and the voices of all."""

    callers: list[PhoneLine]

    async def _take(self, call_id: str, script: Script, data: bytes, addr: Any) -> None:
        line = self.lines[call_id] = Answering(self, script)
        await line.start()
        line.do(lambda now: line.phone.receive_sip(data, Hop("udp", *addr), now))

    @property
    def all(self) -> list[PhoneLine]:
        """Every phone."""
        return [*self.callers, *self.lines.values()]

    async def speak(self) -> None:
        """A packet of each phone every 20 ms, while it talks."""
        loop = asyncio.get_running_loop()
        due, number = loop.time(), 0
        voice = tone(700, 8)[:160]
        while True:
            for source, line in enumerate(self.all):
                terms = line.phone._media.terms
                if terms is not None and line.phone.phase is Phase.TALKING:
                    packet = pack("!BBHII", 0x80, 8, number & 0xFFFF, 160 * number & 0xFFFFFFFF, source + 1) + voice
                    line._transports[1].sendto(packet, (terms.host, terms.port))
            number += 1
            due += PTIME
            await asyncio.sleep(max(0.0, due - loop.time()))


@dataclass(frozen=True, slots=True)
class Death:
    """A worker that was ended. ``at`` by the loop's clock, ``wall`` in UTC."""

    how: str
    at: float
    wall: float
    before: list[bytes]
    """The SSRC that each phone heard then."""
    lost: list[int]


class Bench:
    """The node and its phones."""

    def __init__(self, calls: int) -> None:
        self._calls = calls
        self.deaths: list[Death] = []

    async def up(self, stack: AsyncExitStack) -> None:
        """Start all, and wait until everybody talks."""
        self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="maskline-crash-")))
        receiver = Receiver(HOST, "axb", SECRET, lambda event: receiver.events.clear())
        stack.push_async_callback(receiver.stop)
        port = free_tcp_and_udp_port(HOST)
        self.plan = NodePlan(
            folder=self.folder, host=HOST, peer=f"udp:{HOST}:{port}", key="axb", secret=SECRET, x=X,
            receiver=await receiver.start(), sip_port=free_tcp_and_udp_port(HOST), web_port=free_tcp_and_udp_port(HOST),
            media_ports=free_media_ports(HOST, 10 * self._calls),
            overrides={"MASKLINE_MEDIA__WORKERS": "2", "MASKLINE_MEDIA__REST_SECONDS": "2"},
        )  # fmt: skip
        self.node = Node(self.plan)
        stack.push_async_callback(self.node.stop)
        await self.node.start(60)
        http = await stack.enter_async_context(aiohttp.ClientSession())
        bind = {"callerNum": A, "calleeNum": B, "relationNum": X, "recordFlag": "true"}
        await CustomerClient(http, self.plan.base_url, "axb", SECRET).bind(bind)
        made, self.crowd = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: Crowd(Hop("udp", HOST, port)), local_addr=(HOST, port)
        )
        # It stands for a carrier, whose socket holds more than the kernel's default of 90 datagrams.
        made.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 4 << 20)
        stack.callback(made.close)
        self.crowd.callers = []
        speaking = asyncio.create_task(self.crowd.speak())
        stack.callback(speaking.cancel)
        for _ in range(self._calls):
            await self._dial()
            await asyncio.sleep(0.03)
        async with asyncio.timeout(30):
            while self.talking != self._calls:  # noqa: ASYNC110
                await asyncio.sleep(0.2)
        await asyncio.sleep(5.0)  # the notice

    async def _dial(self) -> None:
        script = Script(mute=True)
        line = PhoneLine(
            HOST, lambda here, ports: listener("caller", script, here, ports), lambda phone, now: None
        )  # fmt: skip
        await line.start()
        self.crowd.callers.append(line)
        self.crowd.next_scripts.append(Script(mute=True, answer_after=0.2))
        target = Hop("udp", HOST, self.plan.sip_port)
        uri = f"sip:{X}@{HOST}:{target.port}"
        line.do(lambda now: line.phone.dial(target, uri, now, caller=f"<sip:{A}@{HOST}>"))

    @property
    def talking(self) -> int:
        """Calls that stand."""
        return sum(line.phone.phase is Phase.TALKING for line in self.crowd.callers)

    @property
    def ears(self) -> list[Ear]:
        """Of every phone."""
        return [line.phone.ear for line in self.crowd.all]  # type: ignore[attr-defined]

    def kill(self, how: signal.Signals) -> None:
        """The worker with most sockets."""
        node = self.node.pid
        children = Path(f"/proc/{node}/task/{node}/children").read_text().split()
        workers = [pid for pid in children if b"media.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        victim = max(workers, key=lambda pid: len(os.listdir(f"/proc/{pid}/fd")))
        ears = self.ears
        at = asyncio.get_running_loop().time()
        death = Death(how.name, at, time.time(), [ear.ssrc for ear in ears], [ear.lost for ear in ears])
        self.deaths.append(death)
        os.kill(int(victim), how)

    async def run(self, seconds: float) -> None:
        """Kill, in turn one way and the other."""
        for turn in range(int(seconds / EVERY)):
            self.kill((signal.SIGKILL, signal.SIGSTOP)[turn % 2])
            await asyncio.sleep(EVERY)
            self._tell(self.deaths[-1])

    def _tell(self, death: Death) -> None:
        hit, others, lost = [], [], 0
        for ear, before, missed in zip(self.ears, death.before, death.lost, strict=True):
            longest = ear.longest(death.at, death.at + EVERY)
            if ear.ssrc != before:
                hit.append(longest)
            else:
                others.append(longest)
                lost += ear.lost - missed
        print(
            f"{death.how:8} {len(hit) // 2:4} calls moved, silence {_spread(hit)} | others {len(others) // 2:4}, "
            f"longest gap {1000 * max(others, default=0.0):.0f} ms, packets lost {lost} | standing {self.talking}",
            flush=True,
        )

    async def end(self) -> None:
        """Hang up; what the records say."""
        standing = self.talking
        for line in self.crowd.callers:
            line.do(line.phone.hang_up)
        rows: list[dict[str, Any]] = []
        async with asyncio.timeout(30):
            while len(rows) < self._calls:
                await asyncio.sleep(0.5)
                with sqlite3.connect(self.folder / "maskline.db") as connection:
                    rows = [json.loads(row[0]) for row in connection.execute("SELECT payload FROM cdr")]
        seen: dict[str, list[float]] = {"SIGKILL": [], "SIGSTOP": []}
        for row in rows:
            for since, _ in row["moved"]:
                at = datetime.fromisoformat(since).timestamp()
                death = max((one for one in self.deaths if one.wall <= at), key=lambda one: one.wall)
                seen[death.how].append(at - death.wall)
        for how, times in seen.items():
            print(f"{how:8} seen after {_spread(times)}")
        print(f"calls lost: {self._calls - standing} of {self._calls}; moves: {sum(map(len, seen.values()))}")
        for line in self.crowd.all:
            await line.stop()


def _spread(values: list[float]) -> str:
    """Median, 99th per cent and the most, in milliseconds."""
    if not values:
        return "-"
    ordered = sorted(1000 * value for value in values)
    p99 = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
    return f"p50 {ordered[len(ordered) // 2]:.0f} p99 {p99:.0f} max {ordered[-1]:.0f} ms"


async def main(calls: int, seconds: float) -> None:
    """All of it."""
    print(f"{calls} calls, two workers; load of the machine {os.getloadavg()[0]:.1f}")
    async with AsyncExitStack() as stack:
        bench = Bench(calls)
        await bench.up(stack)
        await bench.run(seconds)
        await bench.end()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100, float(sys.argv[2]) if len(sys.argv) > 2 else 40.0))
