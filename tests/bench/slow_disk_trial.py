"""Calls that are recorded on a disk that is slow but moves: is any of their audio late, is any of it lost?

    python -m tests.bench.slow_disk_trial [--calls 20] [--seconds 20] [--writes 10]

A real disk: a file as a loop device with ext4, mounted ``sync``, throttled to so many writes a second by the kernel
(root, cgroup v1's blkio; the worker is put into the group). Each write of the spool then takes some 0.4 s at 10 writes
a second. A free disk is measured beside it. Every leg's stream is judged by ``gateway.lab.rtp``.
"""

from __future__ import annotations

import argparse
import contextlib
import select
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from gateway.lab.rtp import Arrival, check_stream
from media import control
from media.recording.spool import read_spool, wait_written
from tests.media.test_worker import Node, Party

GROUPS = Path("/sys/fs/cgroup/blkio")


@contextlib.contextmanager
def slow_disk(writes: int, folder: Path) -> Iterator[tuple[Path, Path]]:
    """A mounted folder, and the file that takes the pid of who shall find it slow."""
    image, mounted, group = folder / "image", folder / "disk", GROUPS / f"maskline-{folder.name}"
    with image.open("wb") as file:
        file.truncate(256 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-O", "^has_journal", image], check=True)
    loop = subprocess.run(["losetup", "-f", "--show", image], check=True, capture_output=True, text=True).stdout.strip()
    with contextlib.ExitStack() as end:
        end.callback(subprocess.run, ["losetup", "-d", loop], check=True)
        mounted.mkdir()
        subprocess.run(["mount", "-o", "sync", loop, mounted], check=True)
        end.callback(subprocess.run, ["umount", mounted], check=True)
        group.mkdir()
        end.callback(group.rmdir)
        number = Path("/sys/block", Path(loop).name, "dev").read_text().strip()
        (group / "blkio.throttle.write_iops_device").write_text(f"{number} {writes}")
        yield mounted, group / "cgroup.procs"


def trial(folder: Path, group: Path | None, calls: int, seconds: float) -> None:
    """Let all of them talk, then print what came of it."""
    node = Node(pairs=2 * calls)
    if group is not None:
        group.write_text(str(node.process.pid))
    legs: list[tuple[Party, int, Party]] = []
    for index in range(calls):
        name, caller, callee = f"s{index}", node.party(), node.party()
        node.tell(control.Open(name))
        opened = node.hear(control.Opened)
        for leg, party in ((control.CALLER, caller), (control.CALLEE, callee)):
            node.tell(control.Connect(session=name, leg=leg, host=node.host, port=party.port))
        node.tell(control.Relay(name, True, True))
        node.tell(control.Record(name, str(folder / f"{name}.spool")))
        legs += [(caller, opened.caller_port, callee), (callee, opened.callee_port, caller)]
    node.settle()
    streams = _talk(node, legs, seconds)
    late = sorted(
        arrival.at - sent for stream, times in streams for arrival, sent in zip(stream, times, strict=True)
    )  # fmt: skip
    reports = [check_stream(stream) for stream, _ in streams]
    said = sum(len(times) for _, times in streams)
    print(f"  {said} packets, lost {said - sum(report.packets for report in reports)}", end="; ")
    print(f"faults {sum(len(report.faults) for report in reports)}, gaps {sum(len(report.gaps) for report in reports)}")
    print(f"  added ms: p50 {1e3 * late[len(late) // 2]:.2f}", end=", ")
    print(f"p99 {1e3 * late[len(late) * 99 // 100]:.2f}, worst {1e3 * late[-1]:.2f}")
    begun = time.monotonic()
    cut = 0
    for index in range(calls):
        node.tell(control.Close(f"s{index}"))
        cut += bool(node.hear(control.Closed).error)
    kept = 0
    for index in range(calls):
        wait_written(folder / f"s{index}.spool", 600.0)
        kept += sum(leg < 2 for leg, _, _ in read_spool(folder / f"s{index}.spool")[1])
    print(f"  recordings cut {cut}, packets kept {kept} of {said}, {time.monotonic() - begun:.1f} s to the last write")
    node.end()


def _talk(node: Node, legs: list[tuple[Party, int, Party]], seconds: float) -> list[tuple[list[Arrival], list[float]]]:
    """For each leg what came of it, and when it was sent."""
    streams: list[tuple[list[Arrival], list[float]]] = [([], []) for _ in legs]
    by_socket = {heard.socket.fileno(): (heard, streams[index][0]) for index, (_, _, heard) in enumerate(legs)}
    poll = select.epoll()
    for number, (heard, _) in by_socket.items():
        heard.socket.setblocking(False)
        poll.register(number, select.EPOLLIN)
    begun, tick = time.monotonic(), 0
    while (now := time.monotonic()) < begun + seconds + 1.0:
        if now >= begun + tick * 0.02 and tick < seconds * 50:
            for (says, port, _), (_, times) in zip(legs, streams, strict=True):
                times.append(time.monotonic())
                says.say(port, b"\xd5" * 160)
            tick += 1
        for number, _ in poll.poll(max(0.0, min(0.02, begun + tick * 0.02 - time.monotonic()))):
            heard, arrivals = by_socket[number]
            with contextlib.suppress(BlockingIOError):
                while True:
                    data = heard.socket.recv(2048)
                    arrivals.append(Arrival(time.monotonic(), (node.host, 0), heard.port, data))
    return streams


def main() -> None:
    """Print both."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--writes", type=int, default=10)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "free").mkdir()
        print("a free disk")
        trial(folder / "free", None, told.calls, told.seconds)
        with slow_disk(told.writes, folder) as (mounted, group):
            print(f"a disk of {told.writes} writes a second")
            trial(mounted, group, told.calls, told.seconds)


if __name__ == "__main__":
    main()
