"""The caller's leg until its answer: what he is told, each thing once.

    183   the answer to his offer: from then on he hears what we play or relay        ``tell_media``
    180   his own network rings                                                       ``tell_ringing``
    200   the answer again; our offer to one who sent none, and his answer in the ACK ``accept``

One who sent no offer and acknowledges provisional responses gets ours in the 180, and his answer is in the PRACK
(RFC 3262 §5): then he can hear something before the answer too.
"""

from __future__ import annotations

from gateway.calls.leg import Leg, LegState
from gateway.calls.settings import TrunkSettings
from gateway.sdp.offer_answer import Negotiation
from gateway.sip import early_media
from gateway.sip.user_agent import Incoming, Output, UserAgent
from media import control

MOST_HOPS = 70


class CallerLeg(Leg):
    """``offer``: the SDP of his INVITE, maybe empty. ``hops``: its Max-Forwards; a call that comes round to us again
    comes to an end by it (RFC 7332)."""

    __slots__ = ("_agent", "_early", "_media_told", "_ringing_told", "hops", "offer")

    def __init__(
        self,
        agent: UserAgent,
        incoming: Incoming,
        trunk: TrunkSettings,
        negotiation: Negotiation,
    ) -> None:
        super().__init__(control.CALLER, incoming.session, trunk, incoming.source.host, negotiation)
        invite = incoming.request
        self.offer = invite.body
        hops = invite.max_forwards
        self.hops = MOST_HOPS if hops is None else min(hops, MOST_HOPS)
        self._early = (early_media.SENDS,) if trunk.p_early_media and early_media.understood(invite) else ()
        self._agent = agent
        self._media_told = False
        self._ringing_told = False

    @property
    def early_media(self) -> bool:
        """Whether he can hear something before the callee's answer."""
        agreed = bool(self.offer) or self.terms is not None
        return (agreed and self.trunk.early_media) or self.state is LegState.UP

    def tell_media(self, now: float) -> list[Output]:
        """183 with the answer to his offer."""
        if self._media_told or not self.early_media or self.state is not LegState.EARLY:
            return []
        self._media_told = True
        answer = self.negotiation.answer() if self.offer else b""
        return self._agent.ring(self.session, now, 183, answer, self._early)

    def tell_ringing(self, now: float) -> list[Output]:
        """180."""
        if self._ringing_told or self.state is not LegState.EARLY:
            return []
        self._ringing_told = True
        offers = not self.offer and self.port and self._agent.is_acknowledged(self.session)
        return self._agent.ring(self.session, now, 180, self.negotiation.offer(self.port) if offers else b"")

    def accept(self, now: float) -> list[Output]:
        """200."""
        if self.state is not LegState.EARLY:
            return []
        self.offers = not self.offer and self.terms is None
        self.state = LegState.UP
        body = self.negotiation.answer() if self.offer else self.negotiation.offer(self.port)
        return self._agent.accept(self.session, body, now)
