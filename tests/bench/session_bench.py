"""What a call's media costs a worker besides its packets: memory while it stands, processor time to set up and release.

    python -m tests.bench.session_bench [CALLS]

Set-up is Open, two Connects, Relay and Watch, with four sockets bound; release is Close. Idle ports are not opened, so
they cost nothing. Memory is the growth of the process's resident set; sockets' buffers are the kernel's.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from media import control
from tests.bench.relays import HOST, Maskline, cpu_seconds, scratch
from tests.compiled import build


def _resident(pid: int) -> int:
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return 1024 * int(line.split()[1])


def measure(worker: Maskline, calls: int) -> tuple[float, float, float]:
    """Bytes a call, and milliseconds of processor time to set one up and to release it."""
    parties = [30000 + index for index in range(2 * calls)]
    worker.join(parties[:2])
    memory, begun = _resident(worker.pid), cpu_seconds(worker.pid)
    for index in range(1, calls):
        name = f"measured-{index}"
        worker.tell(control.Open(name))
        worker.hear(control.Opened)
        for leg in (control.CALLER, control.CALLEE):
            worker.tell(control.Connect(session=name, leg=leg, host=HOST, port=parties[2 * index + leg], events=101))
        worker.tell(control.Relay(name, True, True))
        worker.tell(control.Watch(name, 30.0))
    worker.tell(control.AskUsage())
    worker.hear(control.Usage)
    grown, up = _resident(worker.pid) - memory, cpu_seconds(worker.pid)
    for index in range(1, calls):
        worker.tell(control.Close(f"measured-{index}"))
        worker.hear(control.Closed)
    down = cpu_seconds(worker.pid)
    return grown / (calls - 1), 1000 * (up - begun) / (calls - 1), 1000 * (down - up) / (calls - 1)


def run(calls: int) -> None:
    """Print a row for the sources, and one for the compiled worker where it can be made."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    print(f"{'worker':<28}{'calls':>6}{'KB a call':>11}{'set-up ms':>11}{'release ms':>12}", flush=True)
    with scratch() as folder:
        machine = Path(folder, "machine")
        for tree in (None, machine if build(machine) else None):
            worker = Maskline(2 * calls, None, tree)
            size, up, down = measure(worker, calls)
            print(f"{worker.name:<28}{calls:>6}{size / 1024:>11.1f}{up:>11.3f}{down:>12.3f}", flush=True)
            worker.stop()


if __name__ == "__main__":
    run(int(sys.argv[1]) if len(sys.argv) > 1 else 400)
