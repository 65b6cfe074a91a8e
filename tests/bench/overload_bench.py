"""Three times the calls that a node can carry: what it still carries, and what calls that stand lose of their audio.

    python -m tests.bench.overload_bench [SECONDS]

SIPp -> a whole node -> SIPp as in call_bench, at rising rates until goodput (calls a second that are answered and end
well) rises no more, then at three times the best of them. All the while STANDING calls are up: phones of ours that send
a packet each 20 ms, which the callees' SIPp sends back. Lost is what is missing at the phones, and what the node's
worker missed.

All processes of the node run on one core, callers, callees, the customer's server and the phones on the others, so that
the load does not take the node's time. Counted is from one second after the first call to the last one: SIPp's own
statistics, second by second; ``offered`` is what it did offer. ``core`` is the part of its core that the signalling
process was given meanwhile: where others share the machine, goodput has to be judged by that. Before the next rate the
node's work is done: every message of the customer delivered.
"""

from __future__ import annotations

import asyncio
import csv
import os
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

from gateway.lab.phone import Phase, Phone, PhoneOutput
from gateway.lab.ports import free_tcp_and_udp_port
from gateway.lab.rtp import check_stream
from gateway.lab.script import Script
from gateway.lab.sockets import PhoneLine
from gateway.sip.hop import Hop
from tests.bench.call_bench import HOST, A, Stage, X, stage

RATES = (50, 100, 150, 200, 250, 300, 400, 500, 600)
STANDING = 6
WARM = 1.0
CALLER = Path(__file__).with_name("sipp") / "caller_shed.xml"


@dataclass(frozen=True, slots=True)
class Load:
    """``offered`` and ``good`` calls a second, the part that got 503, that failed otherwise, and packets lost."""

    offered: float
    good: float
    shed: float
    failed: float
    lost: int
    packets: int
    core: float


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
    number = round(calls * (seconds + WARM))
    with tempfile.TemporaryDirectory() as folder:
        caller = await asyncio.create_subprocess_exec(
            sipp, "-sf", str(CALLER), "-i", HOST, "-p", str(free_tcp_and_udp_port(HOST)), "-s", X,
            "-r", str(calls), "-m", str(number), "-l", "20000", "-nostdin", "-timeout", f"{int(seconds + WARM) + 5}s",
            "-trace_stat", "-stf", f"{folder}/stat.csv", "-fd", "1", f"{HOST}:{node.port}",
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        began, spent = time.monotonic(), node.signalling_seconds
        await caller.wait()
        core = (node.signalling_seconds - spent) / (time.monotonic() - began)
        rows = _rows(Path(folder, "stat.csv"))
    first = next(row for row in rows if row.at >= WARM)
    last = next((row for row in reversed(rows) if row.at <= seconds + WARM + 0.2), rows[-1])
    took = last.at - first.at
    end = rows[-1]
    lost, packets = await standing.lost()
    await node.delivered()
    return Load(
        offered=(last.made - first.made) / took,
        good=(last.good - first.good) / took,
        shed=end.shed / number,
        failed=(number - end.good - end.shed) / number,
        lost=lost,
        packets=packets,
        core=core,
    )


@dataclass(frozen=True, slots=True)
class Row:
    """Seconds since SIPp's start, and since then: calls made, calls that went well, calls shed."""

    at: float
    made: int
    good: int
    shed: int


def _rows(path: Path) -> list[Row]:
    with path.open(encoding="ascii") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    began = _clock(rows[0]["StartTime"])
    found = []
    for row in rows:
        at = _clock(row["CurrentTime"]) - began
        shed = int(row["GenericCounter1(C)"])
        found.append(Row(at, int(row["TotalCallCreated"]), int(row["SuccessfulCall(C)"]) - shed, shed))
    return found


def _clock(text: str) -> float:
    """SIPp's ``date<TAB>time<TAB>seconds since 1970``."""
    return float(text.rpartition("\t")[2])


def split_cores() -> tuple[set[int], set[int]] | None:
    """One core for the node, the others for all else; None where there is but one."""
    first, *others = sorted(os.sched_getaffinity(0))
    return ({first}, set(others)) if others else None


async def measure(sipp: str, seconds: float) -> None:
    """The table."""
    print(f"{'offered/s':<12}{'goodput/s':>10}{'503':>8}{'failed':>8}{'RTP lost':>10}{'of':>8}{'core':>8}")

    def show(one: Load) -> None:
        parts = f"{one.good:>10.0f}{one.shed:>8.1%}{one.failed:>8.1%}"
        print(f"{one.offered:<12.0f}{parts}{one.lost:>10}{one.packets:>8}{one.core:>8.0%}", flush=True)

    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(stage(sipp, "-rtp_echo", cores=split_cores()))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        standing = Standing(node, http)
        await standing.up(stack)
        best: Load | None = None
        for calls in RATES:
            one = await load(sipp, node, standing, calls, seconds)
            show(one)
            best = one if best is None else max(best, one, key=lambda load: load.good)
            if one.good < 0.9 * one.offered:
                break
        assert best is not None
        three = await load(sipp, node, standing, round(3 * best.good), 2 * seconds)
        show(three)
        by_core = three.good / three.core / (best.good / best.core)
        print(f"at {three.offered / best.good:.1f} x the best: {three.good / best.good:.0%} of its goodput "
              f"({by_core:.0%} by the time of the processor), {three.lost} packets of standing calls lost")  # fmt: skip


def run(seconds: float = 4.0) -> None:
    """Without SIPp nothing."""
    sipp = shutil.which("sipp")
    if sipp is None:
        print("overload: SIPp is not installed (apt-get install sip-tester)")
        return
    asyncio.run(measure(sipp, seconds))


if __name__ == "__main__":
    run(float(sys.argv[1]) if len(sys.argv) > 1 else 4.0)
