"""[IO] One media worker: an epoll loop over RTP sockets, deadlines and the control socket.

    python -m media.worker --control-fd N --ports 20000-29999 --host 127.0.0.1 --rest 30

The path of a packet is ``recv`` -> ``Leg.receive`` -> ``send``: a socket is connected to its party once the latch has
locked on the address that we send to, so the kernel drops what comes from elsewhere. A new Connect undoes that. The
process ends when the control socket closes, or after Drain; signals of the terminal are not for it.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import random
import resource
import select
import signal
import socket
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from media import control
from media.ports import PortPool
from media.recording.spool import SpoolFlusher
from media.room import ClosePorts, Latched, OpenPorts, Output, Reply, Room, SendPacket
from media.session import Leg
from media.tones import parse_tone

_DATAGRAM = 2048
_EXPEDITED = 46 << 2
_AF_UNSPEC = b"\0" * 16


class _Wire:
    """The RTP socket of a leg. ``send`` goes to the connected party, or to the leg's target."""

    __slots__ = ("connected", "leg", "recv", "send", "socket")

    def __init__(self, bound: socket.socket) -> None:
        self.socket = bound
        self.leg: Leg
        self.connected = False
        self.recv = bound.recv
        self.send: Callable[[bytes], int] = self._send_to_target

    def _send_to_target(self, data: bytes) -> int:
        target = self.leg.target
        return self.socket.sendto(data, target) if target is not None else 0

    def connect(self, target: tuple[str, int]) -> None:
        """Lock on: only this address is heard and sent to."""
        self.socket.connect(target)
        self.connected = True
        self.send = self.socket.send

    def release(self) -> None:
        """Hear anybody again (the latch decides)."""
        if self.connected:
            # Connecting to AF_UNSPEC dissolves the association (connect(2)); Python has no name for that address.
            _dissolve(self.socket)
            self.connected = False
            self.send = self._send_to_target


def _dissolve(bound: socket.socket) -> None:
    """Undo ``connect`` on a UDP socket."""
    ctypes.CDLL(None).connect(bound.fileno(), _AF_UNSPEC, len(_AF_UNSPEC))


class Tones:
    """Tone files, read once and again when they change."""

    def __init__(self) -> None:
        self._cache: dict[str, tuple[int, bytes]] = {}

    def load(self, path: str) -> bytes:
        """A-law samples. OSError, ToneError."""
        changed = Path(path).stat().st_mtime_ns
        found = self._cache.get(path)
        if found is None or found[0] != changed:
            found = self._cache[path] = (changed, parse_tone(Path(path).read_bytes()))
        return found[1]


class Worker:
    """The loop; ``run`` is the process's life."""

    def __init__(self, control_socket: socket.socket, host: str, ports: PortPool) -> None:
        self._control = control_socket
        self._host = host
        self._family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._flusher = SpoolFlusher()
        self._room = Room(ports, random.SystemRandom().getrandbits, Tones().load, self._flusher.open, time.time)
        self._epoll = select.epoll()
        self._wires: dict[int, _Wire] = {}
        self._rtcp: dict[int, socket.socket] = {}
        self._by_port: dict[int, tuple[_Wire, socket.socket]] = {}
        self._unsent: deque[bytes] = deque()
        self._running = True

    def run(self) -> None:
        """Serve until the control socket closes or Drain comes."""
        self._control.setblocking(False)
        self._epoll.register(self._control.fileno(), select.EPOLLIN)
        self._report(control.Ready(self._room.ports.size // 2))
        poll, wires, room, clock = self._epoll.poll, self._wires, self._room, time.monotonic
        while self._running:
            deadline = room.deadline
            timeout = -1.0 if deadline is None else max(0.0, deadline - clock())
            for fd, _ in poll(timeout):
                wire = wires.get(fd)
                if wire is not None:
                    self._packet(wire, clock())
                else:
                    self._other(fd, clock())
            deadline = room.deadline
            if deadline is not None and deadline <= clock():
                self._execute(room.handle_timeout(clock()))
        self._flusher.stop()

    # --- packets ------------------------------------------------------------------------------------------------------

    def _packet(self, wire: _Wire, now: float) -> None:
        """One packet of a party."""
        leg = wire.leg
        try:
            if wire.connected:
                data = wire.recv(_DATAGRAM)
            else:
                data, source = wire.socket.recvfrom(_DATAGRAM)
                if not self._admit(wire, leg, source[:2]):
                    return
            packet = leg.receive(data, now)
            if packet is not None:
                self._by_port[leg.other.port][0].send(packet)
        except OSError:
            # A full buffer, or an ICMP answer from a port that nobody listens on: one packet lost.
            pass
        if leg.news:
            self._execute(self._room.news(leg))

    def _admit(self, wire: _Wire, leg: Leg, source: tuple[str, int]) -> bool:
        latch = leg.latch
        if latch is None or not latch.admits(source):
            leg.refused += 1
            return False
        if latch.learned:
            leg.target = source
        if source == leg.target and not latch.learned:
            wire.connect(source)
            self._sweep(wire, leg, source)
        return True

    def _sweep(self, wire: _Wire, leg: Leg, party: tuple[str, int]) -> None:
        """Empty the queue of what came before the kernel began to filter: it may be anybody's."""
        with contextlib.suppress(BlockingIOError):
            while True:
                _, source = wire.socket.recvfrom(_DATAGRAM)
                if source[:2] != party:
                    leg.refused += 1

    def _other(self, fd: int, now: float) -> None:
        rtcp = self._rtcp.get(fd)
        if rtcp is None:
            self._hear()
            return
        with contextlib.suppress(OSError):
            rtcp.recv(_DATAGRAM)

    # --- control ------------------------------------------------------------------------------------------------------

    def _hear(self) -> None:
        while self._running:
            try:
                data = self._control.recv(65536)
            except BlockingIOError:
                break
            except OSError:
                data = b""
            if not data:
                self._execute(self._room.command(control.Drain(), time.monotonic()))
                self._running = False
                return
            command = control.decode_command(data)
            self._execute(self._room.command(command, time.monotonic()))
            if isinstance(command, control.Drain):
                self._running = False
        self._flush_reports()

    def _report(self, report: control.Report) -> None:
        self._unsent.append(control.encode(report))
        self._flush_reports()

    def _flush_reports(self) -> None:
        while self._unsent:
            try:
                self._control.send(self._unsent[0])
            except BlockingIOError:
                # The signalling process is busy: the next command or report tries again.
                return
            except OSError:
                self._unsent.clear()
                return
            self._unsent.popleft()

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
                    self._by_port[port][0].release()

    def _send(self, port: int, data: bytes, target: tuple[str, int]) -> None:
        try:
            if port % 2:
                self._by_port[port - 1][1].sendto(data, target)
            else:
                self._by_port[port][0].send(data)
        except OSError:
            pass

    # --- sockets ------------------------------------------------------------------------------------------------------

    def _open(self, wanted: OpenPorts) -> None:
        opened: list[socket.socket] = []
        error = ""
        for port in wanted.ports:
            for number in (port, port + 1):
                try:
                    opened.append(self._bind(number))
                except OSError as reason:
                    error = f"port {number}: {reason.strerror}"
        if error:
            for bound in opened:
                bound.close()
            self._execute(self._room.ports_opened(wanted, error, time.monotonic()))
            return
        outputs = self._room.ports_opened(wanted, "", time.monotonic())
        for index, port in enumerate(wanted.ports):
            rtp, rtcp = opened[2 * index : 2 * index + 2]
            wire = _Wire(rtp)
            wire.leg = self._room.legs[port]
            self._by_port[port] = (wire, rtcp)
            self._wires[rtp.fileno()] = wire
            self._rtcp[rtcp.fileno()] = rtcp
            for bound in (rtp, rtcp):
                self._epoll.register(bound.fileno(), select.EPOLLIN)
        self._execute(outputs)

    def _bind(self, port: int) -> socket.socket:
        bound = socket.socket(self._family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            if self._family == socket.AF_INET:
                bound.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, _EXPEDITED)
            bound.bind((self._host, port))
        except OSError:
            bound.close()
            raise
        return bound

    def _close(self, port: int) -> None:
        wire, rtcp = self._by_port.pop(port)
        for bound, table in ((wire.socket, self._wires), (rtcp, self._rtcp)):
            self._epoll.unregister(bound.fileno())
            del table[bound.fileno()]
            bound.close()


def main() -> None:
    """Entry point of the process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--control-fd", type=int, required=True)
    parser.add_argument("--ports", required=True)
    parser.add_argument("--host", required=True)
    parser.add_argument("--rest", type=float, required=True)
    arguments = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    low, high = (int(part) for part in arguments.ports.split("-"))
    end = socket.socket(fileno=arguments.control_fd)
    Worker(end, arguments.host, PortPool(low, high, arguments.rest)).run()


if __name__ == "__main__":
    main()
