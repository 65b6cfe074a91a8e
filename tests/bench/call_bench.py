"""Calls set up per second, and the processor time that one costs: SIPp -> a whole node -> SIPp, at rising rates.

    python -m tests.bench.call_bench [SECONDS]

Every call is a masked call as in service: look-up in the database, two legs, ports of a media worker, the journal, and
six signed messages to the customer's server; no audio is sent. Clean is a rate at which every call succeeds and SIPp
repeats nothing. CPU is that of each of the node's processes, from the first call of a rate until its last message has
been delivered.
"""

from __future__ import annotations

import asyncio
import csv
import os
import re
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from gateway.lab.client import CustomerClient
from gateway.lab.node import Node, NodePlan
from gateway.lab.ports import free_media_ports, free_tcp_and_udp_port
from tests.bench.customers import serve
from tests.bench.relays import cpu_seconds

HOST, KEY, SECRET = "127.0.0.1", "bench", "secret"
A, B, X = "+8613800000021", "+8613800000023", "+8617000000001"
RATES = (50, 100, 200, 300, 400)
CALLER = Path(__file__).with_name("sipp") / "caller.xml"
PEERS = """beside, measured elsewhere without look-up, media and events (../shared/bench/README.md):
    sippy b2bua (Python) 4.3-6.3 ms, ~200/s   Asterisk Dial 4.8-5.6 ms, 185/s   Kamailio proxy 0.8-1.2 ms, 600/s"""


@dataclass(frozen=True, slots=True)
class Rate:
    """One rate: calls a second, milliseconds of CPU a call by kind of process, calls that failed, messages repeated."""

    calls: int
    signalling: float
    media: float
    web: float
    failed: int
    repeated: int

    @property
    def clean(self) -> bool:
        """Every call succeeded, nothing had to be sent twice."""
        return self.failed == self.repeated == 0


class Counter:
    """Counts the customer's events; ``until`` waits for a number of bill records."""

    def __init__(self) -> None:
        self.fees = 0
        self._more = asyncio.Event()

    def note(self, request: bytes) -> None:
        """A message of the node's has arrived; one of bill records has several."""
        if request.startswith(b"POST /fee"):
            self.fees += request.count(b'"sessionId"')
            self._more.set()

    async def until(self, fees: int, seconds: float) -> None:
        """Return when so many have come, or after ``seconds``."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.fees < fees:
                    self._more.clear()
                    await self._more.wait()


class Stage:
    """A node with its callees and its customer; ``rate`` measures."""

    def __init__(self, sipp: str, plan: NodePlan, counter: Counter, pids: dict[str, int]) -> None:
        self._sipp = sipp
        self._plan = plan
        self._counter = counter
        self._pids = pids

    async def rate(self, calls: int, seconds: float) -> Rate:
        """Place ``calls`` a second for ``seconds``."""
        number = round(calls * seconds)
        before, fees = self._cpu(), self._counter.fees
        with tempfile.TemporaryDirectory() as folder:
            caller = await asyncio.create_subprocess_exec(
                self._sipp, "-sf", str(CALLER), "-i", HOST, "-p", str(free_tcp_and_udp_port(HOST)), "-s", X,
                "-r", str(calls), "-m", str(number), "-l", "10000", "-nostdin", "-timeout", f"{int(seconds) + 40}s",
                "-trace_stat", "-stf", f"{folder}/stat.csv", f"{HOST}:{self._plan.sip_port}",
                stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
            await caller.wait()
            last = last_row(Path(folder, "stat.csv"))
        successful = int(last["SuccessfulCall(C)"])
        await self._counter.until(fees + successful, 20.0)
        spent = {kind: 1000 * (after - before[kind]) / number for kind, after in self._cpu().items()}
        repeated = int(last["Retransmissions(C)"])
        return Rate(calls, spent["signalling"], spent["media"], spent["web"], number - successful, repeated)

    async def delivered(self, seconds: float = 60.0) -> None:
        """Wait until the customer has got what there is for him."""
        async with asyncio.timeout(seconds):
            fees = -1
            while fees != self._counter.fees:
                fees = self._counter.fees
                await self._counter.until(fees + 1, 2.0)

    @property
    def signalling_seconds(self) -> float:
        """Of processor, that the signalling process has used."""
        return cpu_seconds(self._pids["signalling"])

    @property
    def port(self) -> int:
        """Where the node takes SIP."""
        return self._plan.sip_port

    @property
    def metrics(self) -> str:
        """The address of the node's own counters."""
        return f"{self._plan.base_url}/metrics"

    def _cpu(self) -> dict[str, float]:
        return {kind: cpu_seconds(pid) for kind, pid in self._pids.items()}


@asynccontextmanager
async def stage(sipp: str, *callees_too: str, cores: tuple[set[int], set[int]] | None = None) -> AsyncIterator[Stage]:
    """A node, the callees' SIPp, a customer whose server takes everything, and one binding.

    ``callees_too``: further options of the callees' SIPp. ``cores``: those of the node, and of all else from here on.
    """
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="maskline-bench-")))
        counter = Counter()
        address, customer = await serve("well", HOST, counter.note)
        stack.callback(customer.close)
        callee_port = free_tcp_and_udp_port(HOST)
        plan = NodePlan(
            folder=folder,
            host=HOST,
            peer=f"udp:{HOST}:{callee_port}",
            key=KEY,
            secret=SECRET,
            x=X,
            receiver=address,
            sip_port=free_tcp_and_udp_port(HOST),
            web_port=free_tcp_and_udp_port(HOST),
            media_ports=free_media_ports(HOST, 2048),
            overrides={"MASKLINE_MEDIA__REST_SECONDS": "1"},
        )
        node = Node(plan)
        stack.push_async_callback(node.stop)
        if cores is not None:
            os.sched_setaffinity(0, cores[0])
        await node.start(30)
        if cores is not None:
            os.sched_setaffinity(0, cores[1])
        http = await stack.enter_async_context(aiohttp.ClientSession())
        await CustomerClient(http, plan.base_url, KEY, SECRET).bind(
            {"callerNum": A, "calleeNum": B, "relationNum": X, "recordFlag": "false"}
        )
        callees = await asyncio.create_subprocess_exec(
            sipp, "-sn", "uas", "-i", HOST, "-p", str(callee_port), "-nostdin", *callees_too,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        stack.push_async_callback(end, callees)
        yield Stage(sipp, plan, counter, processes(node.pid))


def last_row(path: Path) -> dict[str, str]:
    """The last row of SIPp's statistics."""
    with path.open(encoding="ascii") as file:
        return list(csv.DictReader(file, delimiter=";"))[-1]


async def end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.wait()


def processes(node: int) -> dict[str, int]:
    """The node's processes by what they do."""
    found = {"signalling": node}
    children = Path(f"/proc/{node}/task/{node}/children").read_text(encoding="ascii").split()
    for child in children:
        command = Path(f"/proc/{child}/cmdline").read_text(encoding="utf-8")
        for kind, pattern in (("media", r"media\.worker"), ("web", r"gateway\.web"), ("edge", r"media\.edge")):
            if re.search(pattern, command):
                # The last media worker is a spare one, which does nothing.
                found.setdefault(kind, int(child))
    return found


async def measure(sipp: str, seconds: float) -> list[Rate]:
    """All rates up to the first that is not clean, printed as they are measured."""
    print(f"{'calls/s':<12}{'signalling':>12}{'media':>8}{'web':>8}{'CPU ms a call':>15}{'failed':>8}{'repeated':>10}")
    rates: list[Rate] = []
    async with stage(sipp) as node:
        await node.rate(20, 1.0)
        for calls in RATES:
            one = await node.rate(calls, seconds)
            total = one.signalling + one.media + one.web
            parts = f"{one.signalling:>12.2f}{one.media:>8.2f}{one.web:>8.2f}{total:>15.2f}"
            print(f"{one.calls:<12}{parts}{one.failed:>8}{one.repeated:>10}", flush=True)
            rates.append(one)
            if not one.clean:
                break
    return rates


def run(seconds: float = 4.0) -> list[Rate]:
    """The table; empty without SIPp."""
    sipp = shutil.which("sipp")
    if sipp is None:
        print("calls a second: SIPp is not installed (apt-get install sip-tester)")
        return []
    rates = asyncio.run(measure(sipp, seconds))
    clean = max((one.calls for one in rates if one.clean), default=0)
    print(f"highest clean rate: {clean} calls a second, SIPp and the customer's server on the same cores")
    print(PEERS)
    return rates


if __name__ == "__main__":
    run(float(sys.argv[1]) if len(sys.argv) > 1 else 4.0)
