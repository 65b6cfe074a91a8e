"""How the peers of our trunks are: whether one may be called now.

    barred   it said 503 with Retry-After: nothing goes there until then (RFC 3261 §21.5.4)
    shy      it did not answer, or could not be reached: others are tried first for a while
    down     it does not answer OPTIONS any more (health.py): others are tried first until it does

Times are capped, so that a peer's mistake can't put it away for ever.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.calls.addresses import NOWHERE
from gateway.sip.hop import Hop

MAX_BAR = 3600.0
SHY_SECONDS = 10.0


@dataclass(slots=True)
class Peer:
    """One peer of one trunk. ``up`` is None until its first probe has an answer, and always where it isn't probed."""

    trunk: str
    hop: Hop
    barred_until: float = 0.0
    shy_until: float = 0.0
    up: bool | None = None

    @property
    def somewhere(self) -> bool:
        """Whether it is known where it is."""
        return self.hop != NOWHERE

    def begin_anew(self) -> None:
        """It is another one than before."""
        self.barred_until = self.shy_until = 0.0
        self.up = None

    def bar(self, seconds: float, now: float) -> None:
        """It wants to be left alone for so long."""
        self.barred_until = max(self.barred_until, now + min(seconds, MAX_BAR))

    def unheard(self, now: float) -> None:
        """Nothing came back."""
        self.shy_until = now + SHY_SECONDS

    def heard(self) -> None:
        """It answers."""
        self.shy_until = 0.0

    def barred(self, now: float) -> bool:
        """Whether nothing may go there."""
        return now < self.barred_until

    def good(self, now: float) -> bool:
        """Whether there is nothing against it."""
        return self.up is not False and now >= self.shy_until and now >= self.barred_until
