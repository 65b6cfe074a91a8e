"""Reliable provisional responses (RFC 3262), both ends, as two small ledgers that a session keeps.

    we answer   ``Unacknowledged``   one response at a time waits for its PRACK; those that come meanwhile queue (§3)
    we call     ``Received``         per early dialog: in order, each once; a gap or a repeat is not for the user (§4)

RSeq and RAck belong to one leg: nothing of them crosses to the other (pains.md P14).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from gateway.sip.message import Request, Response
from gateway.sip.policy import RELIABLE, options

_RACK = re.compile(r"([0-9]{1,10})\s+([0-9]{1,10})\s+(\S+)\Z")
_MOST = 2**31 - 1

Said = tuple[int, bytes, tuple[tuple[str, str], ...]]
"""Status, body and headers of a provisional response."""


def rack_of(prack: Request) -> tuple[int, int, str] | None:
    """RSeq, CSeq number and method that a PRACK acknowledges; None when it doesn't say so readably."""
    match = _RACK.match((prack.headers.get("RAck") or "").strip())
    return None if match is None else (int(match[1]), int(match[2]), match[3])


def rseq_of(response: Response) -> int | None:
    """The RSeq of a provisional response that wants a PRACK; None for any other."""
    text = (response.headers.get("RSeq") or "").strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 10) or RELIABLE not in options(response, "Require"):
        return None
    return int(text)


@dataclass(slots=True)
class Unacknowledged:
    """What we say reliably on one INVITE. ``number``: the last RSeq used, at first a random one below the first."""

    number: int
    response: Response | None = None
    """The one that waits for its PRACK."""
    interval: float = 0.0
    """Until it is sent again; doubled each time."""
    queue: list[Said] = field(default_factory=list)

    def next_lines(self) -> list[tuple[str, str]]:
        """The lines of the next one."""
        self.number += 1
        return [("Require", RELIABLE), ("RSeq", str(self.number))]

    def acknowledges(self, prack: Request, invite: Request) -> bool:
        """Whether a PRACK is for the one that waits."""
        wanted = (self.number, invite.cseq.number, "INVITE")
        return self.response is not None and rack_of(prack) == wanted

    @staticmethod
    def first(chance: float) -> int:
        """Where to begin: RSeq starts anywhere in 1..2**31-1, and has to have room to grow (§3)."""
        return int(chance * (_MOST - 2**16))


@dataclass(slots=True)
class Received:
    """The last RSeq seen on one early dialog."""

    last: int = 0

    def take(self, number: int) -> bool:
        """Whether a response with that RSeq is next, so that it is acknowledged and given to the user."""
        if self.last and number != self.last + 1:
            return False
        self.last = number
        return True
