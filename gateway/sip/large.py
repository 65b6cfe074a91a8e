"""Requests too large for a datagram (RFC 3261 §18.1.1, pains.md P19): they go by TCP, and by UDP where there is none.

    more than ``limit`` bytes, to a hop of UDP      by TCP to the same address and port, with a Via that says so
    no TCP there, or no answer in PATIENCE seconds  the same request by UDP, in the same transaction
    TCP has failed there in the last MEMORY seconds by UDP at once: fragments may get through, and a call may not wait

The branch stays, so a peer that has got both takes the second for a retransmission. ``counters`` are the user agent's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from gateway.sip.hop import Hop
from gateway.sip.message import Request

UDP_LIMIT = 1300
PATIENCE = 1.0
MEMORY = 600.0
REMEMBERED = 1000


class Large:
    """``via`` writes our Via for a hop with a given branch."""

    __slots__ = ("_no_tcp", "_via", "counters", "limit")

    def __init__(self, limit: int, via: Callable[[Hop, str], str]) -> None:
        self.limit = limit
        self.counters: Counter[str] = Counter()
        self._via = via
        self._no_tcp: dict[Hop, float] = {}

    def by_tcp(self, request: Request, size: int, hop: Hop, now: float) -> tuple[Request, Hop] | None:
        """The request as it goes by TCP, and where; None: it goes as it is."""
        if hop.transport != "udp" or size <= self.limit:
            return None
        if self._no_tcp.get(hop, 0.0) > now:
            self.counters["large by UDP"] += 1
            return None
        self.counters["large by TCP"] += 1
        raised = Hop("tcp", hop.host, hop.port, target=hop.target.replace("udp:", "tcp:", 1))
        headers = request.headers.copy()
        headers.set("Via", self._via(raised, request.via.branch))
        return Request(request.method, request.uri_text, headers, request.body), raised

    def failed(self, hop: Hop, now: float) -> None:
        """A large request had to be sent by UDP to ``hop`` after all."""
        self.counters["large by UDP, TCP failed"] += 1
        self._no_tcp.pop(hop, None)
        if len(self._no_tcp) >= REMEMBERED:
            del self._no_tcp[next(iter(self._no_tcp))]
        self._no_tcp[hop] = now + MEMORY
