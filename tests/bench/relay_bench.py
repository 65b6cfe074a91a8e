"""Processor time that a relay spends on each packet it forwards: our media worker beside its peers, in one run.

    python -m tests.bench.relay_bench [SECONDS [CALLS ...]]

All relays of a row stand at the same time with the same number of calls, and take short turns under load; a figure is
the median of its turns, a ratio the median of the ratios within a round, so that a disturbance of the machine does not
decide. Load and relay have a core each where there are two. Times are of the whole process (all its threads); 172-byte
packets, 100 a second for each call, evenly spread in time.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.bench.relays import RECORDING, Maskline, NaiveC, Relay, RtpEngine, compiled, cpu_seconds, scratch
from tests.compiled import build

CALLS = (100, 200, 400)
SLICE = 0.5
WARM_UP = 0.5


@dataclass(frozen=True, slots=True)
class Row:
    """One relay at one number of calls.

    ``microseconds`` of CPU a packet; ``ratio`` to the naive C relay, None without a compiler; ``added``: part that
    recording adds; ``lost`` part of the packets; ``p99`` latency in milliseconds, the median of its turns.
    """

    relay: str
    calls: int
    microseconds: float
    ratio: float | None
    added: float | None
    lost: float
    p99: float


class Turns:
    """A relay with a load of its own, and what was measured so far."""

    def __init__(self, relay: Relay, load: list[str], calls: int) -> None:
        self.relay = relay
        self._load = subprocess.Popen(
            [*load, str(2 * calls)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        assert self._load.stdin is not None
        assert self._load.stdout is not None
        self._in, self._out = self._load.stdin, self._load.stdout
        parties = [int(self._out.readline()) for _ in range(2 * calls)]
        self._in.write("".join(f"{port}\n" for port in relay.join(parties)))
        self.costs: list[float] = []
        self.late: list[int] = []
        self.sent = self.received = 0
        _pin(relay.pid, 0)
        _pin(self._load.pid, 1)

    def turn(self, seconds: float, *, count: bool = True) -> None:
        before = cpu_seconds(self.relay.pid)
        self._in.write(f"run {seconds}\n")
        self._in.flush()
        sent, received, _, p99, _ = (int(word) for word in self._out.readline().split())
        if count:
            self.costs.append(1e6 * (cpu_seconds(self.relay.pid) - before) / max(1, received))
            self.late.append(p99)
            self.sent += sent
            self.received += received

    def stop(self) -> None:
        self._load.communicate()
        self.relay.stop()


def _pin(pid: int, core: int) -> None:
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) >= 2:
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                os.sched_setaffinity(int(task.name), {cores[core]})


def _relays(calls: int, naive: str | None, machine: Path | None, folder: str) -> Iterator[Relay]:
    if naive is not None:
        yield NaiveC(naive, 2 * calls)
    yield Maskline(2 * calls, None)
    yield Maskline(2 * calls, _folder(folder, f"spool-{calls}"))
    if machine is not None:
        yield Maskline(2 * calls, None, machine)
        yield Maskline(2 * calls, _folder(folder, f"compiled-{calls}"), machine)
    engine = shutil.which("rtpengine")
    if engine is not None:
        with contextlib.suppress(RuntimeError):
            yield RtpEngine(engine, None)
            yield RtpEngine(engine, _folder(folder, f"pcap-{calls}"))


def _folder(parent: str, name: str) -> str:
    path = Path(parent, name)
    path.mkdir()
    return str(path)


def _measure(
    calls: int, seconds: float, naive: str | None, machine: Path | None, load: list[str], folder: str
) -> list[Row]:
    with ExitStack() as stack:
        turns: list[Turns] = []
        for relay in _relays(calls, naive, machine, folder):
            turns.append(Turns(relay, load, calls))
            stack.callback(turns[-1].stop)
        for one in turns:
            one.turn(WARM_UP, count=False)
        for _ in range(max(1, round(seconds / SLICE))):
            for one in turns:
                one.turn(min(SLICE, seconds))
        return [_row(one, calls, turns) for one in turns]


def _row(one: Turns, calls: int, turns: list[Turns]) -> Row:
    by_name = {other.relay.name: other for other in turns}
    plain = by_name.get(one.relay.name.removesuffix(RECORDING))
    added = _ratio(one, plain) if one is not plain else None
    return Row(
        relay=one.relay.name,
        calls=calls,
        microseconds=median(one.costs),
        ratio=_ratio(one, by_name.get(NaiveC.name)),
        added=None if added is None else added - 1,
        lost=1 - one.received / max(1, one.sent),
        p99=median(one.late) / 1000,
    )


def _ratio(one: Turns, base: Turns | None) -> float | None:
    if base is None:
        return None
    # The kernel may book a turn's time into the next one.
    pairs = [(cost, other) for cost, other in zip(one.costs, base.costs, strict=True) if other > 0]
    return median(cost / other for cost, other in pairs) if pairs else None


def run(seconds: float, calls: tuple[int, ...] = CALLS) -> list[Row]:
    """Measure each relay for ``seconds`` at each number of calls, print the rows and return them."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    rows: list[Row] = []
    print(f"{'relay':<38}{'calls':>6}{'us/packet':>11}{'x C':>7}{'rec. +':>8}{'lost %':>8}{'p99 ms':>8}", flush=True)
    with scratch() as folder:
        naive = compiled("naive_relay.c", folder)
        machine = Path(folder, "machine")
        made = build(machine)
        program = compiled("load.c", folder)
        load = [program] if program else [sys.executable, str(Path(__file__).with_name("load.py"))]
        for number in calls:
            for row in _measure(number, seconds, naive, machine if made else None, load, folder):
                ratio = f"{row.ratio:.2f}" if row.ratio else "-"
                added = f"{100 * row.added:.0f} %" if row.added is not None else ""
                figures = f"{row.microseconds:>11.2f}{ratio:>7}{added:>8}{100 * row.lost:>8.2f}{row.p99:>8.2f}"
                print(f"{row.relay:<38}{row.calls:>6}{figures}", flush=True)
                rows.append(row)
    return rows


if __name__ == "__main__":
    run(float(sys.argv[1]) if len(sys.argv) > 1 else 6.0, tuple(map(int, sys.argv[2:])) or CALLS)
