"""What a call costs beside two peers, in one run: ours whole, a plain B2BUA in Python, and a proxy in C.

    python -m tests.bench.peers_bench [SECONDS [CALLS_A_SECOND]]

SIPp calls through each in turn, three rounds, at the same rate:

    Maskline     look-up, both legs, a media worker's ports, journal, six signed events and the CDR delivered
    sippy        b2bua_simple of PyPI's sippy: two legs and nothing else (``make bench`` puts it into build/peers)
    Kamailio     Debian's, a stateful proxy with Record-Route: one leg passed on

CPU is that of all processes of each, in milliseconds a call; ``x`` is beside sippy. Then each climbs RATES: its highest
is the last before the first at which 0.1 % of the calls fail. A peer that isn't there is left out.
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from gateway.lab.ports import free_tcp_and_udp_port
from tests.bench.call_bench import CALLER, HOST, X, end, last_row, stage
from tests.bench.relays import cpu_seconds

HERE = Path(__file__).parent
ROUNDS = 3
RATES = (50, 100, 150, 200, 250, 300, 400, 600)
FAILED = 0.001
OURS, SIPPYS = "Maskline, whole", "sippy b2bua_simple"
Measure = Callable[[int, float], Awaitable[tuple[float, int]]]
"""Calls a second and seconds: milliseconds of CPU a call, and how many failed."""
# In an environment of its own: it brings a package named tests.
SIPPY = HERE.parents[1] / "build" / "peers" / "bin" / "b2bua_simple"


def _family(pid: int) -> list[int]:
    """A process and all below it."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except OSError:
        return [pid]
    return [pid, *(one for child in children for one in _family(int(child)))]


class Peer:
    """Something that takes SIPp's calls on a port."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, port: int) -> None:
        self.name = name
        self._pid = process.pid
        self._port = port

    async def rate(self, sipp: str, calls: int, seconds: float) -> tuple[float, int]:
        """Milliseconds of CPU a call, and how many failed."""
        number, before = round(calls * seconds), sum(map(cpu_seconds, _family(self._pid)))
        with tempfile.TemporaryDirectory() as folder:
            caller = await asyncio.create_subprocess_exec(
                sipp, "-sf", str(CALLER), "-i", HOST, "-p", str(free_tcp_and_udp_port(HOST)), "-s", X,
                "-r", str(calls), "-m", str(number), "-l", "10000", "-nostdin", "-timeout", f"{int(seconds) + 40}s",
                "-trace_stat", "-stf", f"{folder}/stat.csv", f"{HOST}:{self._port}",
                stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
            await caller.wait()
            good = int(last_row(Path(folder, "stat.csv"))["SuccessfulCall(C)"])
        spent = sum(map(cpu_seconds, _family(self._pid))) - before
        return 1000 * spent / number, number - good


async def _started(port: int) -> None:
    """Wait until somebody has taken a UDP port; a bind of ours would tell nothing, since they share theirs."""
    async with asyncio.timeout(15):
        while not _taken(port):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


def _taken(port: int) -> bool:
    return f":{port:04X} " in Path("/proc/net/udp").read_text(encoding="ascii")


@asynccontextmanager
async def peers(sipp: str, folder: Path) -> AsyncIterator[list[Peer]]:
    """Those that are there, before one SIPp that answers."""
    callee, running = free_tcp_and_udp_port(HOST), []
    quiet = {"stdout": asyncio.subprocess.DEVNULL, "stderr": asyncio.subprocess.DEVNULL, "cwd": folder}
    answering = await asyncio.create_subprocess_exec(
        sipp, "-sn", "uas", "-i", HOST, "-p", str(callee), "-nostdin", **quiet
    )
    running.append(answering)
    found: list[Peer] = []
    try:
        sippy = SIPPY
        if sippy.exists():
            port = free_tcp_and_udp_port(HOST)
            command = (str(sippy), "-f", "-l", HOST, "-p", str(port), "-n", f"{HOST}:{callee}")
            # Its own log costs a millisecond a call; what it measures against is without.
            process = await asyncio.create_subprocess_exec(*command, **quiet, env={"SIPLOG_BEND": "none"})
            running.append(process)
            await _started(port)
            found.append(Peer(SIPPYS, process, port))
        kamailio = shutil.which("kamailio") or shutil.which("kamailio", path="/usr/sbin")
        if kamailio is not None:
            port = free_tcp_and_udp_port(HOST)
            text = (HERE / "kamailio.cfg").read_text(encoding="ascii")
            (folder / "kamailio.cfg").write_text(text.replace("@PORT@", str(port)).replace("@CALLEE@", str(callee)))
            process = await asyncio.create_subprocess_exec(
                kamailio, "-DD", "-E", "-f", str(folder / "kamailio.cfg"), "-Y", str(folder),
                "-P", str(folder / "kamailio.pid"), **quiet,
            )  # fmt: skip
            running.append(process)
            await _started(port)
            found.append(Peer("Kamailio proxy", process, port))
        yield found
    finally:
        for process in reversed(running):
            for pid in reversed(_family(process.pid)[1:]):
                await asyncio.create_subprocess_exec("kill", "-9", str(pid), **quiet)
            await end(process)


async def measure(sipp: str, seconds: float, calls: int) -> None:
    """Both tables."""
    with tempfile.TemporaryDirectory(prefix="maskline-peers-") as folder:
        async with stage(sipp) as node, peers(sipp, Path(folder)) as others:
            signalling: list[float] = []

            async def ours(calls: int, seconds: float) -> tuple[float, int]:
                one = await node.rate(calls, seconds)
                signalling.append(one.signalling)
                return one.signalling + one.media + one.web, one.failed

            measures: dict[str, Measure] = {OURS: ours}
            measures |= {other.name: partial(other.rate, sipp) for other in others}
            for one in measures.values():
                await one(20, 1.0)
            signalling.clear()
            figures: dict[str, list[tuple[float, int]]] = {name: [] for name in measures}
            for _ in range(ROUNDS):
                for name, one in measures.items():
                    figures[name].append(await one(calls, seconds))
            show(figures, signalling, f"{calls} calls/s, {ROUNDS} rounds in turn")
            print(f"\n{'highest rate of calls':<34}{'calls/s':>15}{'CPU ms a call':>15}{'failed at the next':>20}")
            for name, one in measures.items():
                highest, spent, failed = await climb(one, seconds)
                print(f"{name:<34}{highest or 'none':>15}{spent:>15.2f}{failed:>20}", flush=True)


def show(figures: dict[str, list[tuple[float, int]]], signalling: list[float], title: str) -> None:
    """What a call costs at the same rate."""
    rows = {
        name: ([spent for spent, _ in rounds], sum(failed for _, failed in rounds)) for name, rounds in figures.items()
    }
    beside = statistics.median(rows[SIPPYS][0]) if SIPPYS in rows else 0.0
    print(f"{title:<34}{'CPU ms a call':>15}{'least':>8}{'most':>8}{'x':>7}{'failed':>8}")
    parts = {OURS: rows.pop(OURS), "  its signalling": (signalling, "")}
    for name, (spent, failed) in (parts | rows).items():
        middle = statistics.median(spent)
        ratio = f"{middle / beside:.2f}" if beside else ""
        print(f"{name:<34}{middle:>15.2f}{min(spent):>8.2f}{max(spent):>8.2f}{ratio:>7}{failed:>8}")


async def climb(one: Measure, seconds: float) -> tuple[int, float, str]:
    """The highest rate, CPU at it, and what failed at the next."""
    highest, spent = 0, 0.0
    for calls in RATES:
        cost, failed = await one(calls, seconds)
        number = round(calls * seconds)
        if failed >= FAILED * number:
            return highest, spent, f"{failed} of {number}"
        highest, spent = calls, cost
    return highest, spent, "(none higher tried)"


def run(seconds: float = 5.0, calls: int = 100) -> None:
    """The table; nothing without SIPp."""
    sipp = shutil.which("sipp")
    if sipp is None:
        print("a call beside peers: SIPp is not installed (apt-get install sip-tester)")
        return
    asyncio.run(measure(sipp, seconds, calls))


if __name__ == "__main__":
    given = [float(text) for text in sys.argv[1:]]
    run(given[0] if given else 5.0, int(given[1]) if len(given) > 1 else 100)
