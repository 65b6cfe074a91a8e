"""OPTIONS to a peer, and what its answers say of it (RFC 3261 §11; pains.md P24).

    answer, whatever its status    good: somebody is there who speaks SIP
    503, nothing in time           a miss; with Retry-After nothing goes there until then
    ``down_after`` misses running  down
    ``up_after`` goods running     up again, by itself

Before the first verdict a peer is neither: calls go there.
"""

from __future__ import annotations

from gateway.calls.peers import Peer
from gateway.calls.settings import ProbeSettings
from gateway.sip.grammar import retry_seconds
from gateway.sip.outputs import Answered
from gateway.sip.standalone import send
from gateway.sip.transaction import Transmit
from gateway.sip.wire import Wire


class Probe:
    """``at``: when ``due`` wants to be called; ``asked``: the request that waits for its answer, or ""."""

    __slots__ = ("_goods", "_misses", "_next", "_us", "_values", "asked", "at", "peer", "why")

    def __init__(self, peer: Peer, values: ProbeSettings, us: str, at: float) -> None:
        self.peer = peer
        self.asked = ""
        self.at = at
        self._values = values
        self._us = us
        self._next = at
        self._goods = 0
        self._misses = 0
        self.why = ""
        """What the last miss was."""

    def due(self, wire: Wire, now: float) -> tuple[bool, list[Transmit]]:
        """Its time has come: whether the peer's state has changed by that, and what is to be sent."""
        changed = False
        if self.asked:
            self.asked = ""
            changed = self._miss("no answer")
            self.at = max(self._next, now)
        if now < self.at:
            return changed, []
        hop = self.peer.hop
        if not self.peer.somewhere:
            self.at = self._next = now + self._values.interval
            return changed, []
        uri = f"sip:{hop.host_text}:{hop.port}{hop.uri_transport}"
        self.asked, outputs = send(
            wire, "OPTIONS", hop, uri, from_=self._us, to=f"<{uri}>", contact=wire.contact(hop),
            headers=[("Accept", "application/sdp")], now=now,
        )  # fmt: skip
        self._next = now + self._values.interval
        self.at = now + min(self._values.patience, self._values.interval)
        return changed, outputs

    def answered(self, answer: Answered, now: float) -> bool:
        """What came of ``asked``; whether the peer's state has changed by that."""
        self.asked = ""
        self.at = max(self._next, now)
        if answer.response is None:
            return self._miss("no answer" if answer.status == 408 else "can't be reached")
        if answer.status != 503:
            return self._good()
        seconds = retry_seconds(answer.response.headers.get("Retry-After"))
        if seconds:
            self.peer.bar(seconds, now)
        return self._miss("503")

    def _good(self) -> bool:
        self._misses = 0
        self._goods += 1
        self.why = ""
        self.peer.heard()
        if self.peer.up or (self.peer.up is False and self._goods < self._values.up_after):
            return False
        self.peer.up = True
        return True

    def _miss(self, why: str) -> bool:
        self._goods = 0
        self._misses += 1
        self.why = why
        if self.peer.up is False or self._misses < self._values.down_after:
            return False
        self.peer.up = False
        return True
