"""What the room tells its driver to do, and what it needs of a recording."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from media.control import Report
from media.latch import Source


class Spool(Protocol):
    """What a recording is written to. ``error`` is empty while all is well; ``kept``: something was written."""

    error: str
    kept: bool

    def append(self, leg: int, now: float, packet: bytes) -> None:
        """Keep a packet."""

    def close(self, on_closed: Callable[[], None] | None = None, *, now: float | None = None) -> None:
        """No more packets; ``now``: the recording ends here."""


@dataclass(frozen=True, slots=True)
class Reply:
    """Tell the signalling process."""

    report: Report


@dataclass(frozen=True, slots=True)
class SendPacket:
    """Send from a local port (RTP, or the odd one for RTCP)."""

    port: int
    data: bytes
    target: Source


@dataclass(frozen=True, slots=True)
class OpenPorts:
    """Bind each port and the next one; call ``Room.ports_opened`` with what came of it. ``attempt`` counts from 1."""

    session: str
    ports: tuple[int, int]
    attempt: int = 1
    part: int = 0


@dataclass(frozen=True, slots=True)
class ClosePorts:
    """Close ``port`` and ``port + 1``."""

    port: int


@dataclass(frozen=True, slots=True)
class Latched:
    """A leg's allowed source or target has changed: a connected socket must follow."""

    port: int


Output = Reply | SendPacket | OpenPorts | ClosePorts | Latched
