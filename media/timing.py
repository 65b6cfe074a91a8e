"""What stands in a room, and the heap of its timers."""

from __future__ import annotations

import heapq
from itertools import count

from media.outputs import Output, SendPacket, Spool
from media.session import Leg


class Session:
    """The media of one call. ``watch``: seconds of silence that are reported, 0.0 for none."""

    __slots__ = ("judged_at", "legs", "name", "spool", "spool_told", "taped_from", "watch")

    def __init__(self, name: str, legs: tuple[Leg, Leg]) -> None:
        self.name = name
        self.legs = legs
        self.spool: Spool | None = None
        self.spool_told = False
        self.taped_from = 0
        """Packets that had been received when the recording began."""
        self.watch = 0.0
        self.judged_at = 0.0
        """When the quality of its legs was told last."""


class Timing:
    """Rows of (when, order, what, leg, mark), the next one first."""

    def __init__(self) -> None:
        self.heap: list[tuple[float, int, str, Leg, object]] = []
        self._order = count()
        self.legs: dict[int, Leg] = {}
        """By local RTP port."""
        self._sessions: dict[str, Session] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    @property
    def deadline(self) -> float | None:
        """When ``handle_timeout`` is due."""
        return self.heap[0][0] if self.heap else None

    def _at(self, when: float, what: str, leg: Leg, mark: object) -> None:
        heapq.heappush(self.heap, (when, next(self._order), what, leg, mark))


def rtp_to(leg: Leg, packet: bytes | None) -> list[Output]:
    """A packet on its way to a leg, sealed where it is SRTP; nothing when there is none, or nowhere to send it."""
    if packet is not None and leg.guard is not None:
        packet = leg.guard.seal(packet)
    return [] if packet is None or leg.target is None else [SendPacket(leg.port, packet, leg.target)]
