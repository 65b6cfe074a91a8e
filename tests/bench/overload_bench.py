"""Three times the calls that a node can carry: what it still carries, and what calls that stand lose of their audio.

    python -m tests.bench.overload_bench [SECONDS]

SIPp -> a whole node -> SIPp as in call_bench, at rising rates until goodput (calls a second that are answered) rises no
more, then at three times the best of them. All the while STANDING calls are up: phones of ours that send a packet each
20 ms, which the callees' SIPp sends back. Lost is what is missing at the phones, and what the node's worker missed.
Callers, callees, the customer's server and the phones share the node's cores.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import aiohttp

from gateway.lab.node import free_tcp_and_udp_port
from gateway.lab.phone import Phase, Phone, PhoneOutput
from gateway.lab.rtp import check_stream
from gateway.lab.script import Script
from gateway.lab.sockets import PhoneLine
from gateway.sip.hop import Hop
from tests.bench.call_bench import HOST, A, Stage, X, _last_row, stage

RATES = (100, 200, 300, 400, 600)
STANDING = 6
TALK = 0.5
CALLER = Path(__file__).with_name("sipp") / "caller_shed.xml"


@dataclass(frozen=True, slots=True)
class Load:
    """``offered`` and ``good`` calls a second, the part that got 503, that failed otherwise, and packets lost."""

    offered: int
    good: float
    shed: float
    failed: float
    lost: int
    packets: int


class Standing:
    """Calls that are up; ``lost`` says what is missing since it was last asked."""

    def __init__(self, node: Stage, http: aiohttp.ClientSession) -> None:
        self._node = node
        self._http = http
        self._lines: list[PhoneLine] = []
        self._seen = 0

    async def up(self, stack: AsyncExitStack) -> None:
        """Dial them all."""
        for number in range(STANDING):
            line = PhoneLine(HOST, _phone(number), lambda phone, now: None)
            stack.push_async_callback(line.stop)
            await line.start()
            line.do(partial(self._dial, line.phone))
            self._lines.append(line)
        async with asyncio.timeout(10):
            while any(line.phone.phase is not Phase.TALKING for line in self._lines):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        await asyncio.sleep(1.0)
        await self.lost()

    def _dial(self, phone: Phone, now: float) -> list[PhoneOutput]:
        uri = f"sip:{X}@{HOST}:{self._node.port}"
        return phone.dial(Hop("udp", HOST, self._node.port), uri, now, caller=f"<sip:{A}@{HOST}>")

    async def lost(self) -> tuple[int, int]:
        """Packets missing, and packets that came, since the last time."""
        assert all(line.phone.phase is Phase.TALKING for line in self._lines), "a standing call has ended"
        missing = came = 0
        for line in self._lines:
            report = check_stream(line.phone.arrivals)
            missing, came = missing + report.lost, came + report.packets
            line.phone.arrivals.clear()
        async with self._http.get(self._node.metrics) as response:
            rows = re.findall(r"^maskline_rtp_lost_total\S* (\S+)", await response.text(), re.M)
        total = round(sum(map(float, rows)))
        before, self._seen = self._seen, total
        return missing + total - before, came


def _phone(number: int):  # type: ignore[no-untyped-def]
    def make(here: Hop, ports: tuple[int, int]) -> Phone:
        return Phone(f"standing-{number}", Script(tone_hz=700), here=here, media_ports=ports, seed=number)

    return make


async def load(sipp: str, node: Stage, standing: Standing, calls: int, seconds: float) -> Load:
    """Offer ``calls`` a second."""
    number, began = round(calls * seconds), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        caller = await asyncio.create_subprocess_exec(
            sipp, "-sf", str(CALLER), "-i", HOST, "-p", str(free_tcp_and_udp_port(HOST)), "-s", X,
            "-r", str(calls), "-m", str(number), "-l", "20000", "-nostdin", "-timeout", f"{int(seconds) + 5}s",
            "-trace_stat", "-stf", f"{folder}/stat.csv", f"{HOST}:{node.port}",
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        await caller.wait()
        last = _last_row(Path(folder, "stat.csv"))
    shed, done = int(last["GenericCounter1(C)"]), int(last["SuccessfulCall(C)"])
    lost, packets = await standing.lost()
    # What is answered behind the last call's time counts for nothing more than that.
    took = max(seconds, time.monotonic() - began - TALK)
    return Load(calls, (done - shed) / took, shed / number, (number - done) / number, lost, packets)


async def measure(sipp: str, seconds: float) -> None:
    """The table."""
    print(f"{'offered/s':<12}{'goodput/s':>10}{'503':>8}{'failed':>8}{'RTP lost':>10}{'of':>8}")

    def show(one: Load) -> None:
        parts = f"{one.good:>10.0f}{one.shed:>8.1%}{one.failed:>8.1%}"
        print(f"{one.offered:<12}{parts}{one.lost:>10}{one.packets:>8}", flush=True)

    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(stage(sipp, "-rtp_echo"))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        standing = Standing(node, http)
        await standing.up(stack)
        best: Load | None = None
        for calls in RATES:
            one = await load(sipp, node, standing, calls, seconds)
            show(one)
            if best is not None and one.good < 1.05 * best.good:
                best = max(best, one, key=lambda load: load.good)
                break
            best = one
        assert best is not None
        three = await load(sipp, node, standing, round(3 * best.good), 2 * seconds)
        show(three)
        print(f"at {three.offered / best.good:.1f} x the best: {three.good / best.good:.0%} of its goodput, "
              f"{three.lost} packets of standing calls lost")  # fmt: skip


def run(seconds: float = 4.0) -> None:
    """Without SIPp nothing."""
    sipp = shutil.which("sipp")
    if sipp is None:
        print("overload: SIPp is not installed (apt-get install sip-tester)")
        return
    asyncio.run(measure(sipp, seconds))


if __name__ == "__main__":
    run(float(sys.argv[1]) if len(sys.argv) > 1 else 4.0)
