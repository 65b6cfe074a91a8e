"""Ten customers, one of them with an ill server: what it costs the other nine.

    python -m tests.bench.customers_bench [SECONDS [CALLS_A_SECOND]]

Whole calls (SIPp -> node -> SIPp) go to ten applications in turn, each with a server of its own
(tests.bench.customers). Nine servers are well throughout; the tenth is well in the first and the last part of the run,
and in every other ill in its own way; what it leaves behind is taken away after its part. Late in the run it is one
whose outbox holds what a dead server leaves behind in half an hour. TMPDIR=/dev/shm takes the disk out of the figures.

    setup     from the INVITE to the 200, as SIPp measures it, of all calls
    delivery  from an event's row in the outbox to the 2xx, of the nine customers' events, in their order; ``x`` is
              beside the parts in which all are well, in the same run
    late      of the nine's events: still not delivered when the part was over
    tried     POSTs to the tenth
    web       memory (RSS) and processor time of the web process
"""

from __future__ import annotations

import asyncio
import csv
import json
import os
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from gateway.lab.client import CustomerClient
from gateway.lab.node import Node, NodePlan
from gateway.lab.ports import free_media_ports, free_tcp_and_udp_port
from tests.bench.call_bench import CALLER, HOST, A, B, end, processes
from tests.bench.customers import ILL, serve
from tests.bench.relays import cpu_seconds

NINE = [f"well{place}" for place in range(9)]
PARTS = ("well", *ILL, "backlog", "well")
HALF_AN_HOUR = 20 * 1800  # calls of one customer in ten at 200 calls a second
SECRET = "secret"


@dataclass(frozen=True, slots=True)
class Part:
    """One part: the tenth server's kind, failed calls, seconds (set-up, delivery: half and 99 % are below), memory."""

    kind: str
    failed: int
    setup: tuple[float, float]
    delivery: tuple[float, float]
    late: int
    tried: int
    memory: float
    cpu: float


def quantiles(values: list[float]) -> tuple[float, float]:
    """The middle one, and the one that 99 % don't exceed."""
    ordered = sorted(values) or [0.0]
    return ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, round(0.99 * len(ordered)))]


class Stage:
    """A node with its callees and its customers; ``part`` measures."""

    def __init__(self, sipp: str, plan: NodePlan, xs: dict[str, str], web: int) -> None:
        self._sipp = sipp
        self._plan = plan
        self._xs = xs
        self._web = web
        self._database = plan.folder / "maskline.db"

    async def part(self, kind: str, seconds: float, rate: int) -> Part:
        """``rate`` calls a second, every tenth to the customer of that kind."""
        began, cpu = time.time(), cpu_seconds(self._web)
        with tempfile.TemporaryDirectory() as folder:
            script = _script(Path(folder), [self._xs[key] for key in (*NINE, kind)])
            caller = await asyncio.create_subprocess_exec(
                self._sipp, *script, "-i", HOST, "-p", str(free_tcp_and_udp_port(HOST)), "-r", str(rate),
                "-m", str(round(rate * seconds)), "-l", "10000", "-nostdin", "-timeout", f"{int(seconds) + 40}s",
                "-trace_stat", "-stf", "stat.csv", "-trace_rtt", "-rtt_freq", "1", f"{HOST}:{self._plan.sip_port}",
                cwd=folder, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
            await caller.wait()
            successful, setup = _told(Path(folder))
        ended = time.time()
        await asyncio.sleep(2.0)  # events of the last calls may still be on their way
        took, late, tried = await asyncio.to_thread(self._delivered, began, ended, kind)
        memory = _memory(self._web)
        spent = (cpu_seconds(self._web) - cpu) / (time.time() - began)
        failed = round(rate * seconds) - successful
        return Part(kind, failed, quantiles(setup), quantiles(took), late, tried, memory, spent)

    def _delivered(self, began: float, ended: float, kind: str) -> tuple[list[float], int, int]:
        with closing(sqlite3.connect(self._database, timeout=30)) as database:
            marks = ",".join("?" * len(NINE))
            rows = database.execute(
                "SELECT state, max(attempt.at) - created_at FROM outbox LEFT JOIN attempt ON outbox = outbox.id "
                f"WHERE application IN ({marks}) AND created_at BETWEEN ? AND ? GROUP BY outbox.id",
                (*NINE, began, ended),
            ).fetchall()
            tried = database.execute(
                "SELECT count(*) FROM attempt JOIN outbox ON outbox = outbox.id WHERE application = ? AND at > ?",
                (kind, began),
            ).fetchone()[0]
        return [took for state, took in rows if state == "done"], sum(state != "done" for state, _ in rows), tried

    def forget(self, key: str) -> None:
        """Take away what waits for a customer: the next part is another one's."""
        with closing(sqlite3.connect(self._database, timeout=30)) as database, database:
            database.execute("UPDATE outbox SET state = 'done' WHERE application = ? AND state = 'waiting'", (key,))

    def leave_behind(self, key: str, calls: int) -> None:
        """Put what so many calls' events would be into the outbox, the older the earlier."""
        kinds = {"callin": 0, "callout": 2, "alerting": 3, "answer": 4, "disconnect": 90}
        now = time.time()

        def rows() -> Iterator[tuple[object, ...]]:
            for place in range(calls):
                session, at = f"left.{place}", now - 1800 + 1800 * place / calls
                for kind, seq in kinds.items():
                    text = {"kind": kind, "session": session, "application": key, "at": "2026-11-24T00:00:00.000000Z",
                            "caller": A, "called": B, "binding": None, "user_data": None, "mode": "AXB",
                            "cause": 0, "cause_text": ""}  # fmt: skip
                    yield f"{session}.{seq}", key, session, seq, kind, json.dumps(text), at, at, 0, "waiting"

        with closing(sqlite3.connect(self._database, timeout=30)) as database, database:
            database.executemany(
                "INSERT INTO outbox (id, application, session, seq, kind, payload, created_at, due_at, tries, state) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                rows(),
            )
        with closing(sqlite3.connect(self._database, timeout=30)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # half an hour would not come at one blow


def _script(folder: Path, numbers: list[str]) -> list[str]:
    """The caller dials one number after the other."""
    text = CALLER.read_text("ascii").replace("[service]", "[field0]")
    (folder / "caller.xml").write_text(text, "ascii")
    (folder / "numbers.csv").write_text("SEQUENTIAL\n" + "".join(f"{number};\n" for number in numbers), "ascii")
    return ["-sf", "caller.xml", "-inf", "numbers.csv"]


def _told(folder: Path) -> tuple[int, list[float]]:
    """How many calls succeeded, and the seconds of their set-up."""
    with (folder / "stat.csv").open(encoding="ascii") as file:
        successful = int(list(csv.DictReader(file, delimiter=";"))[-1]["SuccessfulCall(C)"])
    (timed,) = folder.glob("*_rtt.csv")
    with timed.open(encoding="ascii") as file:
        return successful, [float(row["response_time_ms"]) / 1000 for row in csv.DictReader(file, delimiter=";")]


def _memory(pid: int) -> float:
    """RSS in megabytes."""
    return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


@asynccontextmanager
async def stage(sipp: str) -> AsyncIterator[Stage]:
    """A node, the callees' SIPp, and an application with a binding for every customer."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="maskline-bench-")))
        keys = [*NINE, "well", *ILL, "backlog"]
        xs = {key: f"+86170000000{place:02}" for place, key in enumerate(keys, 1)}
        addresses = {}
        for key in keys:
            kind = "well" if key in NINE else "hangs" if key == "backlog" else key
            addresses[key], server = await serve(kind, HOST)
            stack.callback(server.close)
        callee_port = free_tcp_and_udp_port(HOST)
        first, *others = keys
        plan = NodePlan(
            folder=folder, host=HOST, peer=f"udp:{HOST}:{callee_port}", key=first, secret=SECRET, x=xs[first],
            receiver=addresses[first], sip_port=free_tcp_and_udp_port(HOST), web_port=free_tcp_and_udp_port(HOST),
            media_ports=free_media_ports(HOST, 2048), overrides={"MASKLINE_MEDIA__REST_SECONDS": "1"},
            more="".join(
                f'[[number]]\nnumber = "{xs[key]}"\narea_code = "0755"\napplication = "{key}"\n\n'
                f'[[application]]\nkey = "{key}"\nsecret = "{SECRET}"\nmode = "AXB"\nprivate_callbacks = true\n'
                f'status_url = "{addresses[key]}/status"\nfee_url = "{addresses[key]}/fee"\n\n'
                for key in others
            ),
        )  # fmt: skip
        node = Node(plan)
        stack.push_async_callback(node.stop)
        await node.start(30)
        http = await stack.enter_async_context(aiohttp.ClientSession())
        for key, x in xs.items():
            await CustomerClient(http, plan.base_url, key, SECRET).bind(
                {"callerNum": A, "calleeNum": B, "relationNum": x, "recordFlag": "false"}
            )
        callees = await asyncio.create_subprocess_exec(
            sipp, "-sn", "uas", "-i", HOST, "-p", str(callee_port), "-nostdin",
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        stack.push_async_callback(end, callees)
        yield Stage(sipp, plan, xs, processes(node.pid)["web"])


def line(part: Part, beside: tuple[float, float]) -> str:
    """A part as a line of the table, its delivery beside that of parts in which all are well."""
    setup, delivery = ("".join(f"{1000 * one:>8.1f}" for one in pair) for pair in (part.setup, part.delivery))
    ratios = "".join(f"{one / other if other else 0:>7.2f}" for one, other in zip(part.delivery, beside, strict=True))
    return (f"{part.kind:<10}{part.failed:>7}{setup}{delivery}{ratios}{part.late:>7}{part.tried:>7}"
            f"{part.memory:>9.1f}{part.cpu:>7.2f}")  # fmt: skip


async def measure(sipp: str, seconds: float, rate: int) -> list[Part]:
    """All parts, printed as they are measured."""
    print(f"{'10th':<10}{'failed':>7}{'setup ms':>12}{'99 %':>4}{'delivery':>12}{'99 %':>4}{'x':>7}{'x 99 %':>7}"
          f"{'late':>7}{'tried':>7}{'web MB':>9}{'CPU':>7}")  # fmt: skip
    parts: list[Part] = []
    async with stage(sipp) as node:
        await node.part("well", 2.0, rate)
        for kind in PARTS:
            if kind == "backlog":
                await asyncio.to_thread(node.leave_behind, kind, HALF_AN_HOUR)
            one = await node.part(kind, seconds, rate)
            await asyncio.to_thread(node.forget, kind)
            print(line(one, (parts or [one])[0].delivery), flush=True)
            parts.append(one)
    return parts


def run(seconds: float = 8.0, rate: int = 200) -> list[Part]:
    """The table; empty without SIPp."""
    sipp = shutil.which("sipp")
    if sipp is None:
        print("ten customers: SIPp is not installed (apt-get install sip-tester)")
        return []
    print(f"ten customers, {rate} calls/s with six events each; the nine whose servers are well, while the tenth's is:")
    return asyncio.run(measure(sipp, seconds, rate))


if __name__ == "__main__":
    given = [float(text) for text in sys.argv[1:]]
    run(given[0] if given else 8.0, int(given[1]) if len(given) > 1 else 200)
