"""A bad network in virtual time: datagrams between addresses, lost, late, doubled and out of order, from a seed.

UDP takes what the Link says. A stream (``tcp``) loses and doubles nothing and keeps its order, it is only late.
Nothing happens by itself: ``send`` puts a datagram on its way, ``handle_timeout`` gives those that have arrived.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from random import Random

from gateway.sip.hop import Hop


@dataclass(frozen=True, slots=True)
class Link:
    """How bad the way is: seconds of ``delay`` and up to ``jitter`` more (which reorders); the others 0 to 1."""

    delay: float = 0.01
    jitter: float = 0.0
    loss: float = 0.0
    duplicate: float = 0.0


@dataclass(frozen=True, slots=True)
class Datagram:
    """What lies on the wire. SIP and RTP are told apart by the address that they go to."""

    data: bytes
    source: Hop
    target: Hop


class Network:
    """All ways between all hosts. ``link_of(source, target)`` may give a way its own Link (None: the usual one)."""

    def __init__(
        self,
        seed: int,
        link: Link | None = None,
        *,
        link_of: Callable[[Hop, Hop], Link | None] = lambda source, target: None,
    ) -> None:
        self.link = link or Link()
        self.sent = self.lost = 0
        self._link_of = link_of
        self._random = Random(seed)
        self._order = count()
        self._under_way: list[tuple[float, int, Datagram]] = []
        self._stream_free: dict[tuple[Hop, Hop], float] = {}

    @property
    def deadline(self) -> float | None:
        """When the next datagram arrives."""
        return self._under_way[0][0] if self._under_way else None

    def send(self, data: bytes, source: Hop, target: Hop, now: float) -> None:
        """Put a datagram on its way."""
        link = self._link_of(source, target) or self.link
        self.sent += 1
        if target.reliable:
            at = max(now + self._delay(link), self._stream_free.get((source, target), 0.0))
            self._stream_free[source, target] = at
            self._post(at, Datagram(data, source, target))
            return
        copies = 2 if self._random.random() < link.duplicate else 1
        for _ in range(copies):
            if self._random.random() < link.loss:
                self.lost += 1
            else:
                self._post(now + self._delay(link), Datagram(data, source, target))

    def handle_timeout(self, now: float) -> list[Datagram]:
        """What has arrived by ``now``, in the order of arrival."""
        arrived = []
        while self._under_way and self._under_way[0][0] <= now:
            arrived.append(heapq.heappop(self._under_way)[2])
        return arrived

    def _delay(self, link: Link) -> float:
        return link.delay + self._random.random() * link.jitter

    def _post(self, at: float, datagram: Datagram) -> None:
        heapq.heappush(self._under_way, (at, next(self._order), datagram))
