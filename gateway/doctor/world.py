"""[IO] The facts about this machine that the checks look at. What can't be found out is left out, never guessed."""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import socket
import tempfile
from contextlib import suppress
from pathlib import Path

from gateway.doctor.limits import Clock

_PROC = Path("/proc")
_LISTEN = "0A"
_UNSYNCHRONISED, _NANOSECONDS, _ERROR = 0x0040, 0x2000, 5


def has_address(text: str) -> bool:
    """Whether this host has the address: a socket can be bound to it."""
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((text, 0))
        except OSError:
            return False
    return True


def used_ports(proc: Path = _PROC) -> set[tuple[str, int]]:
    """("udp" or "tcp", port) that some program of this network namespace holds or listens on."""
    found: set[tuple[str, int]] = set()
    for kind in ("udp", "tcp"):
        for name in (kind, kind + "6"):
            with suppress(OSError):
                for line in (proc / "net" / name).read_text().splitlines()[1:]:
                    row = line.split()
                    if kind == "udp" or row[3] == _LISTEN:
                        found.add((kind, int(row[1].rpartition(":")[2], 16)))
    return found


def kernel_ports(proc: Path = _PROC) -> tuple[int, int]:
    """The range that the kernel hands out."""
    try:
        low, high = (proc / "sys/net/ipv4/ip_local_port_range").read_text().split()
    except (OSError, ValueError):
        return 32768, 60999
    return int(low), int(high)


def reserved_ports(proc: Path = _PROC) -> list[tuple[int, int]]:
    """The ranges that it leaves out."""
    try:
        text = (proc / "sys/net/ipv4/ip_local_reserved_ports").read_text().strip()
    except OSError:
        return []
    pairs = [part.partition("-") for part in text.split(",") if part]
    return [(int(low), int(high or low)) for low, _, high in pairs]


def receive_buffer(proc: Path = _PROC) -> int | None:
    """net.core.rmem_default; in a container it may be hidden."""
    try:
        return int((proc / "sys/net/core/rmem_default").read_text())
    except (OSError, ValueError):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            return probe.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)


def file_limit() -> int:
    """How many files a process may let itself open."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


class _Timex(ctypes.Structure):
    """struct timex, as far as it is read (adjtimex(2)); the rest is room."""

    _fields_ = (
        ("modes", ctypes.c_uint), ("offset", ctypes.c_long), ("freq", ctypes.c_long), ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long), ("status", ctypes.c_int), ("rest", ctypes.c_byte * 256),
    )  # fmt: skip


def clock() -> Clock:
    """What the kernel says of it."""
    try:
        call = ctypes.CDLL(None, use_errno=True).adjtimex
    except (OSError, AttributeError):
        return Clock(None)
    about = _Timex()
    state = call(ctypes.byref(about))
    if state < 0:
        return Clock(None)
    unit = 1e9 if about.status & _NANOSECONDS else 1e6
    synchronised = state != _ERROR and not about.status & _UNSYNCHRONISED
    return Clock(synchronised, about.offset / unit, about.maxerror / 1e6)


def try_folder(path: Path) -> tuple[str, int, int]:
    """Why nothing can be written there ("" when it can), its disk's free octets, and all of them."""
    there = path
    while not there.exists() and there != there.parent:
        there = there.parent
    trouble = ""
    try:
        if there == path:
            with tempfile.TemporaryFile(dir=path) as probe:
                probe.write(b"maskline")
        elif not os.access(there, os.W_OK | os.X_OK):
            trouble = f"not there, and can't be made in {there}"
    except OSError as error:
        trouble = error.strerror or str(error)
    usage = shutil.disk_usage(there)
    return trouble, usage.free, usage.total
