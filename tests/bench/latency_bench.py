"""How long a packet stays in a media worker: 400 calls on one core, 800 calls on two, beside the naive C relay.

    python -m tests.bench.latency_bench [SECONDS]

At 400 calls the load has the second core to itself and sends each packet at its time. At 800 calls there is a worker on
each core, and the load, which has none of its own then, wakes each millisecond and sends what is due, 80 packets at
once: that is in the figures. All relays of a row take turns under load; a figure is the median of its turns' quantiles,
so one disturbance of the machine does not decide. Peers and method otherwise as in relay_bench.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.bench.relays import Maskline, NaiveC, Relay, compiled, scratch
from tests.compiled import build

SLICE = 0.5
TICK = 1000


@dataclass(frozen=True, slots=True)
class Late:
    """One relay: milliseconds in it (p50, p99, the median turn's worst packet), and the part of the packets lost."""

    relay: str
    calls: int
    cores: int
    p50: float
    p99: float
    worst: float
    lost: float


class Turns:
    """``relays`` share the legs of one load."""

    def __init__(self, relays: Sequence[Relay], load: list[str], legs: int) -> None:
        self.relays = relays
        self._load = subprocess.Popen([*load, str(legs), *([str(TICK)] if len(relays) > 1 else [])],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)  # fmt: skip
        assert self._load.stdin is not None
        assert self._load.stdout is not None
        self._in, self._out = self._load.stdin, self._load.stdout
        parties = [int(self._out.readline()) for _ in range(legs)]
        each = legs // len(relays)
        for index, relay in enumerate(relays):
            told = relay.join(parties[index * each : (index + 1) * each])
            self._in.write("".join(f"{port}\n" for port in told))
        self.turns: list[tuple[int, ...]] = []
        cores = sorted(os.sched_getaffinity(0))
        for index, relay in enumerate(relays):
            os.sched_setaffinity(relay.pid, {cores[index % len(cores)]})
        if len(relays) == 1 and len(cores) > 1:
            os.sched_setaffinity(self._load.pid, {cores[1]})

    def turn(self, *, count: bool = True) -> None:
        """Half a second of load."""
        self._in.write(f"run {SLICE}\n")
        self._in.flush()
        words = tuple(int(word) for word in self._out.readline().split())
        if count:
            self.turns.append(words)

    def late(self, calls: int) -> Late:
        """What was measured."""
        sent, received, p50, p99, worst = zip(*self.turns, strict=True)
        lost = 1 - sum(received) / max(1, sum(sent))
        return Late(
            self.relays[0].name, calls, len(self.relays), *(median(one) / 1000 for one in (p50, p99, worst)), lost
        )

    def stop(self) -> None:
        """End the load, then the relays."""
        self._load.communicate()
        for relay in self.relays:
            relay.stop()


@contextmanager
def _stage(makers: Sequence[Callable[[int], Relay]], load: list[str], calls: int, cores: int) -> Iterator[list[Turns]]:
    with ExitStack() as stack:
        turns = []
        for make in makers:
            turns.append(Turns([make(2 * calls // cores) for _ in range(cores)], load, 2 * calls))
            stack.callback(turns[-1].stop)
        yield turns


def run(seconds: float = 10.0) -> list[Late]:
    """Measure, print the rows and return them; empty without a C compiler, which the load needs."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    rows: list[Late] = []
    with scratch() as folder:
        program, naive = compiled("load.c", folder), compiled("naive_relay.c", folder)
        if program is None or naive is None:
            print("time in the relay: there is no C compiler for the load")
            return rows
        machine = Path(folder, "machine")
        makers: list[Callable[[int], Relay]] = [
            lambda legs: NaiveC(naive, legs),
            lambda legs: Maskline(legs, None, part=_part()),
        ]
        if build(machine):
            makers.append(lambda legs: Maskline(legs, None, machine, part=_part()))
        print(f"{'time in the relay':<38}{'calls':>6}{'cores':>6}{'p50 ms':>8}{'p99 ms':>8}{'worst':>8}{'lost %':>8}")
        for calls, cores in ((400, 1), (800, 2)):
            with _stage(makers, [program], calls, cores) as turns:
                for one in turns:
                    one.turn(count=False)
                for _ in range(max(1, round(seconds / SLICE))):
                    for one in turns:
                        one.turn()
                rows += [one.late(calls) for one in turns]
            for row in rows[-len(makers) :]:
                figures = f"{row.p50:>8.2f}{row.p99:>8.2f}{row.worst:>8.2f}{100 * row.lost:>8.2f}"
                print(f"{row.relay:<38}{row.calls:>6}{row.cores:>6}{figures}", flush=True)
    return rows


_parts = iter(range(100))


def _part() -> int:
    """A part of the ports that no other worker of this run has had."""
    return next(_parts)


if __name__ == "__main__":
    run(float(sys.argv[1]) if len(sys.argv) > 1 else 10.0)
