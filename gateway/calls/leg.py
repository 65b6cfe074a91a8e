"""One leg of a call: a SIP session, the offer/answer state that goes with it, and what its party last said of itself.

EARLY  the INVITE is under way         -> reject (caller) or hang_up (callee: CANCEL) ends it
UP     answered with a 2xx             -> hang_up (BYE) ends it
GONE   either side has ended it; whatever the user agent still has to send goes on without us
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from enum import Enum

from gateway.calls.settings import TrunkSettings
from gateway.sdp.crypto import SUITES, Srtp
from gateway.sdp.offer_answer import AudioTerms, Negotiation
from gateway.sip.hop import Hop
from media import control


class LegState(Enum):
    """Where the SIP session of a leg stands."""

    EARLY = "early"
    UP = "up"
    GONE = "gone"


class Leg:
    """``side`` is control.CALLER or control.CALLEE; ``port`` our RTP port for it, 0 before the media is open."""

    __slots__ = ("negotiation", "offers", "port", "session", "side", "source", "state", "terms", "trunk")

    def __init__(self, side: int, session: str, trunk: TrunkSettings, source: str, negotiation: Negotiation) -> None:
        self.side = side
        self.session = session
        self.trunk = trunk
        self.source = source
        self.negotiation = negotiation
        self.state = LegState.EARLY
        self.port = 0
        self.terms: AudioTerms | None = None
        self.offers = False
        """We gave an offer in a response: the ACK brings the answer."""

    @property
    def held(self) -> bool:
        """Its party has put the call on hold, in either direction."""
        return self.terms is not None and not (self.terms.sends and self.terms.receives)

    def agree(self, terms: AudioTerms, call: str) -> control.Connect | None:
        """Note what the party says now; the command for the worker, None when it knows that already.

        A Connect makes the worker listen for a source anew, so the same terms are not sent twice (security.md).
        """
        if terms == self.terms:
            return None
        self.terms = terms
        return control.Connect(
            session=call,
            leg=self.side,
            host=terms.host,
            port=terms.port,
            rtcp_port=terms.rtcp_port,
            networks=tuple(str(network) for network in self.trunk.media_networks),
            codec=terms.codec,
            events=terms.events,
            events_in=terms.events_in,
            ptime=terms.ptime,
            sends=terms.sends,
            receives=terms.receives,
            learn=self.trunk.nat,
            learn_from=self.source if self.trunk.nat else "",
            rtcp_mux=terms.rtcp_mux,
            srtp=_keys(terms.srtp),
            payload=terms.payload,
            payload_in=terms.payload_in,
        )


def _keys(srtp: Srtp | None) -> control.SrtpKeys | None:
    return None if srtp is None else control.SrtpKeys(srtp.suite, srtp.ours.octets, srtp.theirs.octets)  # type: ignore[arg-type]


def new_negotiation(name: str, host: str, trunk: TrunkSettings, peer: Hop, token: Callable[[], str]) -> Negotiation:
    """The offer/answer state of a new leg. The number in ``o=`` is a hash, so that the legs can't be matched by it; our
    SRTP keys come of fresh unguessable text, not of ``name``, which others get to know. What ``peer`` says on a
    WebSocket is a browser's: its audio is sealed as far as the edge, which speaks plain RTP with the workers."""
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:6], "big")
    if trunk.srtp == "off" or peer.transport in ("ws", "wss"):
        return Negotiation(number, host, trunk.codecs)
    secret = f"{token()} {token()}"

    def key_of(suite: str) -> bytes:
        return hashlib.sha256(f"{suite} {secret}".encode()).digest()[: SUITES[suite]]

    return Negotiation(number, host, trunk.codecs, srtp=trunk.srtp, key_of=key_of)
