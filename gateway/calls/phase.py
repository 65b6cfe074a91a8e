"""A phase of a call answers what happens while it lasts (table in ``call.py``). Here: what most do alike."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from gateway.bindings.decisions import Decision
from gateway.calls.leg import Leg, LegState
from gateway.causes import Cause
from gateway.errors import PeerError
from media import control

if TYPE_CHECKING:
    from gateway.calls.call import Call


class CallState(Enum):
    """The state of a call, in the order in which a call passes through them."""

    RESOLVING = "resolving"
    ASKING = "asking"
    OPENING = "opening"
    COLLECTING = "collecting"
    REFUSING = "refusing"
    RINGING = "ringing"
    TALKING = "talking"
    CLOSING = "closing"
    CLOSED = "closed"


class Phase:
    """Inputs that a phase doesn't override mean nothing in it, or the same in each."""

    __slots__ = ("call",)
    state: CallState
    gave_up = Cause.CALLER_GAVE_UP_BEFORE_FORWARD
    """The cause when the caller ends the call now."""

    def __init__(self, call: Call) -> None:
        self.call = call

    def let_go(self) -> None:
        """The call is over and told. Nothing holds it in a circle now, so it is freed at once: rings of ended calls,
        hundreds of thousands of objects at 200 calls a second, made the garbage collector halt the node for 0.2 s."""
        del self.call

    def enter(self, now: float) -> None:
        """The call is in this phase from ``now`` on; alarms of the phase before are cleared."""

    def alarm(self, name: str, now: float) -> None:
        """An alarm that this phase set has rung."""

    def routed(self, decision: Decision, now: float) -> None:
        """Whose X it is, and what shall happen."""

    def route_failed(self, now: float) -> None:
        """The look-up can't say."""

    def progress(self, status: int, body: bytes, now: float, *, sends: bool | None = None) -> None:
        """A provisional answer of the callee; ``sends``: what it says of its early media."""

    def accepted(self, body: bytes, now: float) -> None:
        """The callee answered."""

    def rejected(self, status: int, now: float) -> None:
        """The callee's leg failed with a final status."""

    def confirmed(self, leg: Leg, body: bytes, now: float) -> None:
        """The ACK of a leg; with the answer when we had offered."""
        if not leg.offers:
            return
        leg.offers = False
        try:
            self.call.agree(leg, leg.negotiation.receive_answer(body))
        except PeerError:
            self.call.end(Cause.NORMAL, now)

    def reanswered(self, leg: Leg, body: bytes, now: float) -> None:
        """The answer to an offer of ours: the first one's in a PRACK, or a refresh's, which changes nothing if bad."""
        leg.offers = False
        try:
            self.call.agree(leg, leg.negotiation.receive_answer(body))
        except PeerError as error:
            if leg.terms is None or self.call.move is not None:
                self.call.end(self.gave_up, now, status=error.status)

    def reoffered(self, leg: Leg, body: bytes, now: float) -> None:
        """A re-INVITE or UPDATE of a leg: answered here, never passed on. No body: it asks for our offer.

        Before the leg's first offer and answer are done, another offer is out of turn (RFC 3311 §5.2); and before its
        200, whose SDP still has to repeat our answer, no offer of ours is to be had.
        """
        call = self.call
        if leg.terms is None or (leg.state is LegState.EARLY and not body):
            call.sip(call.plant.agent.refuse_offer(leg.session, 491 if leg.side else 500, now))
            return
        try:
            if body:
                terms = leg.negotiation.receive_offer(body, leg.port)
                call.sip(call.plant.agent.answer_offer(leg.session, leg.negotiation.answer(), now))
                call.agree(leg, terms)
            else:
                leg.offers = True
                call.sip(call.plant.agent.answer_offer(leg.session, leg.negotiation.reoffer(leg.port), now))
        except PeerError as error:
            call.sip(call.plant.agent.refuse_offer(leg.session, error.status, now))

    def pressed(self, leg: Leg, digit: str, now: float) -> None:
        """A key of a leg: by telephone-event, by tone or by INFO."""

    def left(self, leg: Leg, now: float) -> None:
        """A leg's session has ended from its side, or failed."""
        leg.state = LegState.GONE
        if leg.side == control.CALLER:
            self.call.end(self.gave_up, now)
        else:
            self.call.end(Cause.CALLEE_SIDE_FAILED, now)

    def report(self, report: control.Report, now: float) -> None:
        """A media worker's report."""

    def media_lost(self, now: float) -> None:
        """The media worker is gone."""
        self.call.end(Cause.OUT_OF_PORTS, now)
