"""A worker whose disk fails it in mid-call: full, read-only, standing still. Audio goes on, what was heard stays."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.lab.rtp import Arrival, check_stream
from media import control
from media.recording import spool
from media.recording.render import render
from media.recording.spool import SpoolError, read_spool, wait_written
from tests.media.test_worker import Node, Party

Talk = Callable[[int], None]
STANDING = """
import os, sys
from media.recording import spool
from media import worker

def standing(path):
    # A pipe that nobody empties: once it is full, a write to it waits for ever.
    spool.os.mkfifo(path)
    end = os.open(path, os.O_RDWR)
    os.set_blocking(end, False)
    try:
        while True:
            os.write(end, bytes(4096))
    except BlockingIOError:
        os.set_blocking(end, True)
        return end

spool._create = standing
spool.BACKLOG = 100
worker.main()
"""

SLOW = """
import os, sys
from media.recording import spool
from media import worker

go, began = (os.open(sys.argv.pop(1), os.O_RDWR) for _ in "12")

def slow(real):
    def call(*arguments):
        os.write(began, b"b")
        os.read(go, 1)
        return real(*arguments)
    return call

class Disk:
    def __getattr__(self, name):
        return getattr(os, name)

spool.os = Disk()
spool.os.write, spool.os.fdatasync = slow(os.write), slow(os.fdatasync)
worker.main()
"""


@contextmanager
def mounted(folder: Path, size: str) -> Iterator[Path]:
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def talking(node: Node) -> tuple[Talk, Party]:
    """Both say so many packets; each is heard by the other at once."""
    caller, caller_port, callee, callee_port = node.call()
    said = 0

    def talk(packets: int) -> None:
        nonlocal said
        for _ in range(packets):
            said += 1
            caller.say(caller_port, bytes([said % 251]) * 160)
            assert callee.hear()[4][0] == said % 251
            callee.say(callee_port, bytes([said % 251]) * 160)
            assert caller.hear()[4][0] == said % 251

    return talk, caller


@pytest.fixture
def node() -> Iterator[Node]:
    made = Node()
    yield made
    made.end()


def test_a_full_disk_costs_the_rest_of_the_recording_and_no_audio(node: Node, tmp_path: Path) -> None:
    talk, _ = talking(node)
    with mounted(tmp_path / "disk", "64k") as disk:
        node.tell(control.Record("s", str(disk / "a.spool")))
        node.settle()
        talk(50)
        _until_written(disk / "a.spool")
        talk(400)
        assert node.hear(control.SpoolFailed).error == "No space left on device"
        talk(50)
        closed = node.close()
        assert (closed.recorded, closed.error, closed.caller.received) == (True, "No space left on device", 500)
        wait_written(disk / "a.spool")
        rendered = render(disk / "a.spool", tmp_path / "a.wav")
    assert not rendered.empty


def test_a_disk_that_turns_read_only_keeps_what_it_has(node: Node, tmp_path: Path) -> None:
    talk, _ = talking(node)
    with mounted(tmp_path / "disk", "1m") as disk:
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        node.tell(control.Record("s", str(disk / "a.spool")))
        talk(20)
        assert node.hear(control.SpoolFailed).error == "Read-only file system"
        talk(20)
        closed = node.close()
    assert (closed.recorded, closed.error) == (False, "Read-only file system")


def test_a_disk_that_stands_still_holds_up_no_audio(tmp_path: Path) -> None:
    node = Node(program=("-c", STANDING))
    talk, _ = talking(node)
    node.tell(control.Record("s", str(tmp_path / "a.spool")))
    node.settle()
    talk(300)
    assert node.hear(control.SpoolFailed).error == control.SLOW_DISK
    talk(100)
    assert node.close().caller.received == 400
    # The thread that writes waits for ever, so the process can't drain: it is ended as a node ends it.
    node.process.kill()
    node.process.wait()
    node.control.close()
    for party in node.parties:
        party.socket.close()


def test_a_disk_that_is_slow_holds_up_no_audio_and_loses_none(tmp_path: Path) -> None:
    """Each write and each sync lasts until ten packets were heard each way meanwhile. A real slow disk is in
    ``tests/bench/slow_disk_trial.py``."""
    for name in ("go", "began"):
        os.mkfifo(tmp_path / name)
    go, began = (os.open(tmp_path / name, os.O_RDWR) for name in ("go", "began"))
    node = Node(program=("-c", SLOW, str(tmp_path / "go"), str(tmp_path / "began")))
    caller, caller_port, callee, callee_port = node.call()
    node.tell(control.Record("s", str(tmp_path / "a.spool")))
    ways = ((caller, caller_port, callee), (callee, callee_port, caller))
    streams: tuple[list[Arrival], list[Arrival]] = ([], [])
    for _ in range(4):
        assert os.read(began, 1) == b"b"
        for _ in range(10):
            for (party, port, other), stream in zip(ways, streams, strict=True):
                party.say(port, bytes([len(stream)]) * 160)
                packet = other.socket.recv(2048)
                assert packet[12] == len(stream)
                stream.append(Arrival(len(stream) * 0.02, (node.host, port), other.port, packet))
        os.write(go, b"g")
    os.write(go, b"g" * 100)
    for stream in streams:
        report = check_stream(stream)
        assert (report.faults, report.lost, report.gaps) == ((), 0, ())
    closed = node.close()
    assert (closed.recorded, closed.error) == (True, "")
    wait_written(tmp_path / "a.spool")
    records = [(leg, packet[12]) for leg, _, packet in read_spool(tmp_path / "a.spool")[1] if leg < 2]
    assert records == [(leg, index) for index in range(40) for leg in (0, 1)]
    node.end()
    for end in (go, began):
        os.close(end)


def test_a_worker_that_is_killed_leaves_what_was_heard_sealed_or_not(tmp_path: Path) -> None:
    for name, key in (("plain", b""), ("sealed", bytes(range(32)))):
        node = Node()
        talk, _ = talking(node)
        path = tmp_path / f"{name}.spool"
        node.tell(control.Record("s", str(path), key))
        node.settle()
        talk(100)
        while len(_heard(path, key)) < 200:
            os.sched_yield()
        talk(20)
        node.process.kill()
        node.process.wait()
        node.control.close()
        for party in node.parties:
            party.socket.close()
        # The last ones may be lost with the process; before them none is.
        heard = _heard(path, key)
        assert 200 <= len(heard) <= 240
        assert heard == [(index % 2, index // 2 + 1) for index in range(len(heard))]
        assert not render(path, tmp_path / "out", "wav", key).empty


def _heard(path: Path, key: bytes) -> list[tuple[int, int]]:
    """Who said which number, as the file has it now."""
    try:
        return [(leg, packet[12]) for leg, _, packet in read_spool(path, key)[1]]
    except (FileNotFoundError, SpoolError):
        return []


def _until_written(path: Path) -> None:
    """Until the flusher has had a round with packets in it."""
    while not path.exists() or os.stat(path).st_size < 4000:
        os.sched_yield()


def test_the_words_are_those_that_the_gateway_knows() -> None:
    assert spool.SLOW == control.SLOW_DISK
    assert sys.platform == "linux"
