"""Ports for a program that is started later and binds them itself [IO]: two of our processes never get the same.

A port that the kernel chose (port 0) is free only until it is let go of: before the node has bound it, the kernel may
give it to somebody's outgoing connection, and a second test to its own node. So:

    the kernel           hands out net.ipv4.ip_local_port_range only: ours lie below or above that
    our processes        lock what they take, byte n of one file for port n; the kernel lets go of it at their end
    all other programs   are met by trying to bind; also a connection that has ended and rests (TIME_WAIT) counts

A process that has been through all ports begins anew, so none is taken twice for long; until then a node that is
started again finds its own ports as it left them.
"""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
import threading
from contextlib import ExitStack, suppress
from functools import cache
from pathlib import Path

PAIRS = 16
LOWEST, FEW = 10000, 4096
"""Below are well-known programs; with fewer ports than that beside the kernel's there is no living."""
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_BOTH = (socket.SOCK_STREAM, socket.SOCK_DGRAM)


def beside(kernel: tuple[int, int]) -> range:
    """The ports that a kernel with this range never hands out; where it has next to all, what is usually left."""
    widest = max(range(LOWEST, kernel[0]), range(max(LOWEST, kernel[1] + 1), 65536), key=len)
    return widest if len(widest) >= FEW else range(LOWEST, 32768)


def of_kernel() -> tuple[int, int]:
    """The first and the last port that the kernel hands out; Linux's usual ones where it doesn't tell."""
    with suppress(OSError, ValueError):
        first, last = _RANGE.read_text().split()
        return int(first), int(last)
    return 32768, 60999


class PortRegister:
    """``file``: whose bytes are the ports' locks, common to all who are not to get the same of ``choices``."""

    def __init__(self, file: Path, choices: range) -> None:
        # Open as long as the process lives: closing any descriptor of the file would let go of all its locks.
        self._file = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        self._choices = choices
        # Elsewhere in every process: who doesn't see our file (another user, a container) is seldom met.
        self._next = choices.start + os.getpid() * 64 % len(choices)
        self._turn = threading.Lock()

    def take(self, host: str, count: int, kinds: tuple[socket.SocketKind, ...]) -> range:
        """The next ``count`` ports in a row, the first of several even, that can be bound. OSError."""
        with self._turn:
            for _ in range(len(self._choices) // count + 1):
                first = self._next + (self._next % 2 if count > 1 else 0)
                if first + count > self._choices.stop:
                    self._next = self._choices.start
                    continue
                self._next = first + count
                if self._lock(first, count) and _can_be_bound(host, range(first, first + count), kinds):
                    return range(first, first + count)
        raise OSError(f"no {count} free ports in a row on {host}")

    def _lock(self, first: int, count: int) -> bool:
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, count, first)
        except (BlockingIOError, PermissionError):
            return False
        return True


def _can_be_bound(host: str, ports: range, kinds: tuple[socket.SocketKind, ...]) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with ExitStack() as stack:
        try:
            for port in ports:
                for kind in kinds:
                    stack.enter_context(socket.socket(family, kind)).bind((host, port))
        except OSError:
            return False
    return True


@cache
def _register() -> PortRegister:
    return PortRegister(Path(tempfile.gettempdir()) / f"maskline-ports-{os.getuid()}", beside(of_kernel()))


def free_tcp_and_udp_port(host: str) -> int:
    """A port for both."""
    return _register().take(host, 1, _BOTH).start


def free_tcp_and_udp_ports(host: str, count: int) -> range:
    """``count`` ports in a row for both, the first even."""
    return _register().take(host, count, _BOTH)


def free_media_ports(host: str, pairs: int = PAIRS) -> tuple[int, int]:
    """The first and the last port of ``pairs`` even/odd pairs for UDP."""
    taken = _register().take(host, 2 * pairs, (socket.SOCK_DGRAM,))
    return taken.start, taken.stop - 1
