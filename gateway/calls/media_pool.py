"""[IO] The media workers of this node: spawn, talk, notice an end, spawn again.

Each worker is a process with one SEQPACKET socket pair, a control message a packet. A worker that ends is reported
once (``on_gone``) and replaced; its successor has the same index and port range and reports Ready like the first. The
node's port range is split evenly, each part starting on an even port.

    ended    its process is gone: seen at once
    hung     a Ping is not answered for PATIENCE: killed, and then it has ended. One that could run if the machine let
             it has STARVED; while this process stood still itself, nobody is judged

A process takes half a second to start, so a spare one waits for the next that dies: a call whose ports stay the same
waits for its successor.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from media.control import AskUsage, Begin, Command, Drain, Ping, Pong, Ready, Report, Usage, decode_report, encode

_log = structlog.get_logger()
_MESSAGE_LIMIT = 65536
RESPAWN_SECONDS = 0.2
"""What one that lived for less than LIVED_SECONDS, and what could not be started, rests."""
LIVED_SECONDS = 5.0
BEAT = 0.2
PATIENCE = 0.5
STARVED = 3.0
STARTING = 10.0
"""Seconds for the first word of a worker that isn't at work on it."""
LATE = 0.1
SPARE_AFTER = 5.0
"""Nobody needs a spare while a node starts."""


def split_ports(low: int, high: int, parts: int) -> list[tuple[int, int]]:
    """``low..high`` (inclusive) in equal parts, each starting even and ending odd."""
    low += low % 2
    pairs = (high - low + 1) // 2
    each = pairs // parts
    return [(low + 2 * each * part, low + 2 * each * (part + 1) - 1) for part in range(parts)]


@dataclass(slots=True, eq=False)
class _Worker:
    index: int
    ports: tuple[int, int]
    process: asyncio.subprocess.Process | None = None
    control: socket.socket | None = None
    backlog: deque[bytes] = field(default_factory=deque)
    keeper: asyncio.Task[None] | None = None
    asked: asyncio.Future[Usage] | None = None
    born: float = 0.0
    up: bool = False
    """Its Ready has come."""
    pinged: float | None = None
    """When the Ping was sent that is not answered yet."""
    hung: bool = False


class MediaPool:
    """``on_report(worker, report)`` and ``on_gone(worker, why)`` are called on the event loop; ``why``: see above."""

    def __init__(
        self,
        *,
        host: str,
        ports: tuple[int, int],
        workers: int,
        rest: float,
        dscp: int = 46,
        on_report: Callable[[int, Report], None],
        on_gone: Callable[[int, str], None],
    ) -> None:
        self._host = host
        self._rest = rest
        self._dscp = dscp
        self._on_report = on_report
        self._on_gone = on_gone
        self._workers = [_Worker(index, part) for index, part in enumerate(split_ports(*ports, workers))]
        self._stopping = asyncio.Event()
        self._spare: tuple[asyncio.subprocess.Process, socket.socket] | None = None
        self._spare_due = 0.0
        self._beating: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Spawn all workers; their Ready comes by ``on_report``."""
        for worker in self._workers:
            await self._spawn(worker)
            worker.keeper = asyncio.create_task(self._keep(worker))
        self._spare_due = asyncio.get_running_loop().time() + SPARE_AFTER
        self._beating = asyncio.create_task(self._beat())

    def send(self, index: int, command: Command) -> None:
        """Send a command at the end of this turn of the loop: several then cost the worker one wake. To a worker that
        is gone it is dropped (``on_gone`` tells)."""
        worker = self._workers[index]
        if worker.control is None:
            return
        worker.backlog.append(encode(command))
        if len(worker.backlog) == 1:
            asyncio.get_running_loop().call_soon(self._flush, worker)

    async def usage(self, seconds: float = 1.0) -> dict[int, Usage]:
        """What each worker has counted; those that don't answer in time are left out."""
        loop = asyncio.get_running_loop()
        asked: dict[int, asyncio.Future[Usage]] = {}
        for worker in self._workers:
            if worker.control is not None:
                if worker.asked is None or worker.asked.done():
                    worker.asked = loop.create_future()
                    self.send(worker.index, AskUsage())
                asked[worker.index] = worker.asked
        if asked:
            await asyncio.wait(asked.values(), timeout=seconds)
        return {index: future.result() for index, future in asked.items() if future.done() and not future.cancelled()}

    @property
    def process_ids(self) -> list[int]:
        """Process ids of the running workers."""
        return [worker.process.pid for worker in self._workers if worker.process is not None]

    async def stop(self, seconds: float = 5.0) -> None:
        """Drain the workers (their spools are flushed), then make sure that they are gone."""
        self._stopping.set()
        if self._beating is not None:
            self._beating.cancel()
            await asyncio.gather(self._beating, return_exceptions=True)
        for worker in self._workers:
            self.send(worker.index, Drain())
        keepers = [worker.keeper for worker in self._workers if worker.keeper is not None]
        if keepers:
            _, late = await asyncio.wait(keepers, timeout=seconds)
            if late:
                for worker in self._workers:
                    if worker.process is not None:
                        with contextlib.suppress(ProcessLookupError):
                            worker.process.kill()
                await asyncio.wait(late)
        if self._spare is not None:
            process, control = self._spare
            control.close()
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _spawn(self, worker: _Worker) -> None:
        spare, self._spare = self._spare, None
        loop = asyncio.get_running_loop()
        self._spare_due = loop.time() + SPARE_AFTER
        usable = spare is not None and spare[0].returncode is None
        worker.process, worker.control = spare if spare is not None and usable else await self._start_process()
        worker.backlog.clear()
        worker.born = loop.time()
        worker.up = worker.hung = False
        worker.pinged = None
        loop.add_reader(worker.control.fileno(), self._read, worker)
        self.send(worker.index, Begin(*worker.ports))

    async def _start_process(self) -> tuple[asyncio.subprocess.Process, socket.socket]:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        with theirs:
            try:
                process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    *("-m", "media.worker", "--control-fd", str(theirs.fileno()), "--host", self._host),
                    *("--rest", str(self._rest), "--dscp", str(self._dscp)),
                    pass_fds=(theirs.fileno(),),
                    stdin=asyncio.subprocess.DEVNULL,
                )
            except OSError:
                ours.close()
                raise
        return process, ours

    async def _beat(self) -> None:
        """See that every worker lives, and that a spare is there."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + BEAT
            await asyncio.sleep(BEAT)
            stood_still = loop.time() - due > LATE
            for worker in self._workers:
                self._look_at(worker, loop.time(), stood_still)
            if self._spare is not None and self._spare[0].returncode is not None:
                self._spare[1].close()
                self._spare = None
            if self._spare is None and loop.time() >= self._spare_due:
                self._spare_due = loop.time() + SPARE_AFTER
                try:
                    self._spare = await self._start_process()
                except OSError as error:
                    _log.error("a spare media worker could not be started", error=error.strerror)

    def _look_at(self, worker: _Worker, now: float, stood_still: bool) -> None:
        self._read(worker)
        if worker.process is None or worker.hung:
            return
        if not worker.up:
            if now - worker.born >= STARTING and not _runnable(worker.process.pid):
                self._end(worker, now - worker.born)
        elif worker.pinged is None:
            worker.pinged = now
            self.send(worker.index, Ping())
        elif stood_still:
            worker.pinged = now
        elif now - worker.pinged >= PATIENCE and (now - worker.pinged >= STARVED or not _runnable(worker.process.pid)):
            self._end(worker, now - worker.pinged)

    @staticmethod
    def _end(worker: _Worker, seconds: float) -> None:
        worker.hung = True
        _log.error("a media worker does not answer", worker=worker.index, seconds=round(seconds, 2))
        if worker.process is not None:
            with contextlib.suppress(ProcessLookupError):
                worker.process.kill()

    async def _keep(self, worker: _Worker) -> None:
        """Wait for the worker's end, report it, and replace it until the pool stops."""
        while True:
            assert worker.process is not None
            status = await worker.process.wait()
            self._hang_up(worker)
            worker.process = None
            worker.asked = None
            why = "hung" if worker.hung else "ended"
            if self._stopping.is_set():
                return
            _log.error("media worker ended", worker=worker.index, status=status, why=why)
            self._on_gone(worker.index, why)
            rest = 0.0 if asyncio.get_running_loop().time() - worker.born >= LIVED_SECONDS else RESPAWN_SECONDS
            while worker.process is None:
                await asyncio.sleep(rest)
                rest = RESPAWN_SECONDS
                if self._stopping.is_set():
                    return
                try:
                    await self._spawn(worker)
                except OSError as error:
                    # No memory or no process to be had: the other workers go on, and the next try may do.
                    _log.error("a media worker could not be started", worker=worker.index, error=error.strerror)

    def _hang_up(self, worker: _Worker) -> None:
        if worker.control is not None:
            self._read(worker)
            loop = asyncio.get_running_loop()
            loop.remove_reader(worker.control.fileno())
            loop.remove_writer(worker.control.fileno())
            worker.control.close()
            worker.control = None

    def _read(self, worker: _Worker) -> None:
        while worker.control is not None:
            try:
                data = worker.control.recv(_MESSAGE_LIMIT)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                data = b""
            if not data:
                # End-of-file: the process is ending; _keep reports it. Reading on would spin.
                asyncio.get_running_loop().remove_reader(worker.control.fileno())
                return
            report = decode_report(data)
            if isinstance(report, Pong):
                worker.pinged = None
            elif not isinstance(report, Usage):
                worker.up = worker.up or isinstance(report, Ready)
                self._on_report(worker.index, report)
            elif worker.asked is not None and not worker.asked.done():
                worker.asked.set_result(report)

    def _flush(self, worker: _Worker) -> None:
        loop = asyncio.get_running_loop()
        while worker.backlog and worker.control is not None:
            try:
                worker.control.send(worker.backlog[0])
            except (BlockingIOError, InterruptedError):
                loop.add_writer(worker.control.fileno(), self._flush, worker)
                return
            except OSError:
                worker.backlog.clear()
                return
            worker.backlog.popleft()
        if worker.control is not None:
            loop.remove_writer(worker.control.fileno())


def _runnable(pid: int) -> bool:
    """Whether a process has something to do and gets no processor for it, or never comes to an end with it."""
    try:
        about = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return about.rpartition(")")[2].split()[:1] == ["R"]
