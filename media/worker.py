"""[IO] One media worker: an epoll loop over RTP sockets, deadlines and the control socket.

    python -m media.worker --control-fd N --ports 20000-29999 --host 127.0.0.1 --rest 30

Without --ports it is a spare, which has done all that takes long in starting: it waits for Begin.

The path of a packet is ``recv`` -> ``Leg.receive`` -> ``send``, flat in ``Worker.run``: a socket is connected to its
party once the latch has locked on the address that we send to, so the kernel drops what comes from elsewhere. A new
Connect undoes that. The loop wakes once in a millisecond at most and then takes all that has come: under load a packet
waits half a millisecond on average, and is spared a wake-up of its own, which costs more than the packet itself.
The process ends when the control socket closes, or after Drain; signals of the terminal are not for it.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import random
import resource
import select
import signal
import socket
import stat
import sys
import time
import traceback
from bisect import bisect_left
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path

from media import control
from media.outputs import ClosePorts, Latched, OpenPorts, Output, Reply, SendPacket
from media.ports import PortPool
from media.recording.spool import SpoolFlusher
from media.room import Room
from media.tones import LIMIT, ToneError, parse_tone
from media.wire import Wire

_DATAGRAM = 2048
_BATCH = 128
_HANDFUL = 32
_PACE = 0.0006
"""Under load the worker wakes no more often: a wake costs more than a packet. Longer is cheaper and later
(tests/bench/latency_bench, compiled): at 0.0010 a packet costs 0.91 of C's and p99 is 1.4 ms, here 1.13 and 0.8."""
_TONES = 64 << 20
_COMPLAIN_EVERY = 60.0


class Tones:
    """Tone files, read once, and again when they change; the ones not used for longest are forgotten."""

    def __init__(self, limit: int = _TONES) -> None:
        self._cache: dict[str, tuple[tuple[int, int], bytes]] = {}
        self._limit = limit
        self._held = 0

    def load(self, path: str) -> bytes:
        """A-law samples. OSError, ToneError."""
        about = Path(path).stat()
        if not stat.S_ISREG(about.st_mode) or about.st_size > 2 * LIMIT + 65536:
            raise ToneError("not a file, or too large")
        version = (about.st_mtime_ns, about.st_size)
        found = self._cache.pop(path, None)
        if found is None or found[0] != version:
            self._held -= len(found[1]) if found is not None else 0
            found = (version, parse_tone(Path(path).read_bytes()))
            self._held += len(found[1])
        self._cache[path] = found
        while self._held > self._limit and len(self._cache) > 1:
            self._held -= len(self._cache.pop(next(iter(self._cache)))[1])
        return found[1]


class Worker:
    """The loop; ``run`` is the process's life."""

    def __init__(self, control_socket: socket.socket, host: str, ports: PortPool, dscp: int = 46) -> None:
        self._control = control_socket
        self._host = host
        self._class = dscp << 2
        """The octet that carries it (RFC 2474 §3)."""
        self._family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._flusher = SpoolFlusher(partial(os.eventfd_write, self._bell, 1))
        self._room = Room(ports, random.SystemRandom().getrandbits, Tones().load, self._flusher.open, time.time)
        self._epoll = select.epoll()
        self._locked: list[Wire | None] = [None] * 64
        """RTP sockets that are connected to their party; the index is the descriptor."""
        self._others: dict[int, Callable[[float], None]] = {}
        """What to do when any other descriptor is readable."""
        self._wires: dict[int, Wire] = {}
        """By RTP port."""
        self._unsent: deque[bytes] = deque()
        self._wanted = select.EPOLLIN
        self._complained = float("-inf")
        self._running = True
        self._stalls = [0] * (len(control.STALLS) + 1)
        self._stalled = 0.0

    def run(self) -> None:
        """Serve until the control socket closes or Drain comes."""
        self._control.setblocking(False)
        self._others[self._control.fileno()] = self._hear
        self._register(self._control.fileno())
        self._others[self._bell] = self._spool_trouble
        self._register(self._bell)
        self._report(control.Ready(self._room.ports.size // 2))
        while self._running:
            try:
                self._serve()
            except Exception:
                # A fault of ours on one packet must not end the other calls.
                self._complain()
        self._flusher.stop()

    def _serve(self) -> None:
        # Attributes are fetched before they are called: the interpreter is slow at calling what lies in a slot.
        poll, locked, others = self._epoll.poll, self._locked, self._others
        clock, sleep, pace = time.monotonic, time.sleep, _PACE
        heap, room, size, batch = self._room.heap, self._room, _DATAGRAM, _BATCH
        now = clock()
        while self._running:
            wait = -1.0
            if heap:
                wait = heap[0][0] - now
                if wait < 0.0:
                    wait = 0.0
            events = poll(wait, batch)
            woken, now = now, clock()
            if events and now - woken < pace:
                sleep(pace - (now - woken))
                events = poll(0.0, batch)
                now = clock()
            for fd, _ in events:
                wire = locked[fd]
                if wire is None:
                    other = others.get(fd)
                    if other is not None:
                        other(now)
                    continue
                recv, receive, peer = wire.recv, wire.receive, wire.peer
                try:
                    packet = receive(recv(size), now)
                    if packet is not None:
                        send = peer.send
                        send(packet)
                except OSError:
                    # A full buffer, or an ICMP answer from a port that nobody listens on: one packet lost.
                    continue
                if wire.leg.news:
                    self._execute(room.news(wire.leg, now))
            if heap and heap[0][0] <= now:
                late = now - heap[0][0]
                self._stalls[bisect_left(control.STALLS, late)] += 1
                self._stalled += late
                self._execute(room.handle_timeout(now))

    def _complain(self) -> None:
        now = time.monotonic()
        if now - self._complained >= _COMPLAIN_EVERY:
            self._complained = now
            traceback.print_exc(file=sys.stderr)

    # --- packets ------------------------------------------------------------------------------------------------------

    def _first(self, wire: Wire, now: float) -> None:
        """Packets on a socket that is open to anybody: the latch decides. A flood of strangers is thrown away in
        handfuls, so that it doesn't fill the queue that the party's first packet has to pass."""
        leg = wire.leg
        for _ in range(_HANDFUL):
            try:
                data, source = wire.rtp.recvfrom(_DATAGRAM)
            except OSError:
                return
            clear = leg.let_in(data, source[:2])
            if clear is not None:
                self._forward(wire, clear, now)
                if leg.latch is not None and leg.latch.sure:
                    self._lock(wire, now)
                return

    def _lock(self, wire: Wire, now: float) -> None:
        with contextlib.suppress(OSError):
            wire.connect()
            fd = wire.rtp.fileno()
            del self._others[fd]
            self._locked[fd] = wire
            # What was queued before the kernel began to filter may be anybody's.
            while True:
                data, source = wire.rtp.recvfrom(_DATAGRAM)
                clear = wire.leg.let_in(data, source[:2])
                if clear is not None:
                    self._forward(wire, clear, now)

    def _unlock(self, wire: Wire) -> None:
        fd = wire.rtp.fileno()
        if self._locked[fd] is not None:
            self._locked[fd] = None
            wire.dissolve()
            self._others[fd] = partial(self._first, wire)
        wire.follow()

    def _forward(self, wire: Wire, data: bytes, now: float) -> None:
        packet = wire.leg.receive(data, now)
        if packet is not None:
            with contextlib.suppress(OSError):
                wire.peer.send(packet)
        if wire.leg.news:
            self._execute(self._room.news(wire.leg, now))

    def _spool_trouble(self, _: float) -> None:
        """A disk has failed a recording: the flusher's thread rang the bell."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._bell)
        self._execute(self._room.spool_trouble())

    def _rtcp(self, wire: Wire, now: float) -> None:
        with contextlib.suppress(OSError):
            data, source = wire.rtcp.recvfrom(_DATAGRAM)
            self._room.receive_rtcp(wire.leg, data, source[:2], now)

    # --- control ------------------------------------------------------------------------------------------------------

    def _hear(self, _: float) -> None:
        self._flush_reports()
        # A handful at a time: many calls that come over at once must not keep the others' packets waiting.
        for _ in range(_HANDFUL):
            if not self._running:
                return
            try:
                data = self._control.recv(65536)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            command = control.decode_command(data) if data else control.Drain()
            self._execute(self._room.command(command, time.monotonic()))
            if isinstance(command, control.AskUsage):
                self._report(self._usage(time.monotonic()))
            if isinstance(command, control.Ping):
                self._report(control.Pong())
            if isinstance(command, control.Drain):
                self._running = False

    def _usage(self, now: float) -> control.Usage:
        ports = self._room.ports
        resting = ports.resting(now)
        return control.Usage(
            sessions=len(self._room),
            in_use=ports.out,
            resting=resting,
            free=ports.size - ports.out - resting,
            counted=self._room.counted(),
            stalls=(*self._stalls, self._stalled),
        )

    def _report(self, report: control.Report) -> None:
        self._unsent.append(control.encode(report))
        if len(self._unsent) == 1:
            self._flush_reports()

    def _flush_reports(self) -> None:
        """Send what waits; a signalling process that is busy is told when it has room again."""
        wanted = select.EPOLLIN
        while self._unsent:
            try:
                self._control.send(self._unsent[0])
            except BlockingIOError:
                wanted |= select.EPOLLOUT
                break
            except OSError:
                self._unsent.clear()
                break
            self._unsent.popleft()
        if wanted != self._wanted:
            self._wanted = wanted
            self._epoll.modify(self._control.fileno(), wanted)

    def _execute(self, outputs: list[Output]) -> None:
        for output in outputs:
            match output:
                case SendPacket(port, data, target):
                    self._send(port, data, target)
                case Reply(report):
                    self._report(report)
                case OpenPorts():
                    self._open(output)
                case ClosePorts(port):
                    self._close(port)
                case Latched(port):
                    self._unlock(self._wires[port])

    def _send(self, port: int, data: bytes, target: tuple[str, int]) -> None:
        with contextlib.suppress(OSError):
            if port % 2:
                self._wires[port - 1].rtcp.sendto(data, target)
            else:
                self._wires[port].deliver(data)

    # --- sockets ------------------------------------------------------------------------------------------------------

    def _open(self, wanted: OpenPorts) -> None:
        opened: list[socket.socket] = []
        try:
            for port in wanted.ports:
                opened += (self._bind(port), self._bind(port + 1))
        except OSError as error:
            for bound in opened:
                bound.close()
            self._execute(self._room.ports_opened(wanted, error.strerror or str(error), time.monotonic()))
            return
        outputs = self._room.ports_opened(wanted, "", time.monotonic())
        caller, callee = (
            Wire(self._room.legs[port], opened[2 * index], opened[2 * index + 1])
            for index, port in enumerate(wanted.ports)
        )
        caller.peer, callee.peer = callee, caller
        for wire in (caller, callee):
            self._wires[wire.leg.port] = wire
            self._others[wire.rtp.fileno()] = partial(self._first, wire)
            self._others[wire.rtcp.fileno()] = partial(self._rtcp, wire)
            for bound in (wire.rtp, wire.rtcp):
                self._register(bound.fileno())
        self._execute(outputs)

    def _register(self, fd: int) -> None:
        self._locked += [None] * (fd + 1 - len(self._locked))
        self._epoll.register(fd, select.EPOLLIN)

    def _bind(self, port: int) -> socket.socket:
        bound = socket.socket(self._family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            bound.bind((self._host, port))
        except OSError:
            bound.close()
            raise
        with contextlib.suppress(OSError):
            if self._family == socket.AF_INET:
                bound.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, self._class)
            else:
                bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, self._class)
        return bound

    def _close(self, port: int) -> None:
        wire = self._wires.pop(port)
        for bound in (wire.rtp, wire.rtcp):
            self._epoll.unregister(bound.fileno())
            self._locked[bound.fileno()] = None
            self._others.pop(bound.fileno(), None)
            bound.close()


def _told(end: socket.socket) -> tuple[int, int] | None:
    """Wait for the ports; None: it was for nothing."""
    try:
        data = end.recv(65536)
    except OSError:
        return None
    command = control.decode_command(data) if data else None
    return (command.low, command.high) if isinstance(command, control.Begin) else None


def main() -> None:
    """Entry point of the process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--control-fd", type=int, required=True)
    parser.add_argument("--ports")
    parser.add_argument("--host", required=True)
    parser.add_argument("--rest", type=float, required=True)
    parser.add_argument("--dscp", type=int, default=46)
    arguments = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    end = socket.socket(fileno=arguments.control_fd)
    gc.collect()
    found = tuple(int(part) for part in arguments.ports.split("-")) if arguments.ports else _told(end)
    if found is None:
        return
    low, high = found
    worker = Worker(end, arguments.host, PortPool(low, high, arguments.rest), arguments.dscp)
    gc.freeze()
    worker.run()


if __name__ == "__main__":
    main()
