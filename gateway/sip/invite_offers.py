"""Offers within the dialog, both ways: re-INVITE (RFC 3261 §14), UPDATE (RFC 3311), an offer in a PRACK (RFC 3262 §5).

One offer at a time. Who else comes meanwhile:

    theirs comes while                           answer                                       RFC
    theirs before is not answered                500, Retry-After 0..10                       3261 §14.2, 3311 §5.2
    ours is not answered                         491                                          3261 §14.2, 3311 §5.2
    our 2xx is not acknowledged: a re-INVITE     491                                          5407 §3.1.5
    our 2xx has the offer: an UPDATE             491                                          3311 §5.2
    the first offer is not answered for good     500 when it is theirs, 491 when it is ours   3311 §5.2
    UPDATE without an offer                      200 whatever else is under way               3311 §5.2

    ours is answered with                        then
    491                                          once more: the owner of the Call-ID in 2.1..4 s, the other in 0..2 s
    500 with Retry-After                         once more when it says
    408, 481, nothing                            BYE (§12.2.1.2)
    another refusal                              OfferRefused; what was agreed before still holds (§14.1)
"""

from __future__ import annotations

from gateway.sip.grammar import retry_seconds
from gateway.sip.hop import Hop
from gateway.sip.invite_session import InviteSession, SessionState
from gateway.sip.message import Request, Response
from gateway.sip.methods import ALLOW
from gateway.sip.outputs import OfferAnswered, OfferRefused, Output, ReInvited
from gateway.sip.screening import SDP
from gateway.sip.server_transaction import ServerTransaction
from gateway.sip.transaction import ClientTransaction
from gateway.sip.wire import Wire

TRIES = 3
LONGEST_WAIT = 10
"""Seconds: an offer that is to wait longer is refused."""


class OfferingSession(InviteSession):
    """``sdp``: the last description of ours that holds. ``exchanged``: the first offer and answer are done for good;
    ``offers_first``: the first offer is ours.

    ``allows_update``: the other side has said that it takes UPDATE.
    """

    __slots__ = ("_method", "_tries", "allows_update", "exchanged", "offer", "offer_body", "offers_first", "pending",
                 "sdp")  # fmt: skip

    def __init__(self, session: str, wire: Wire) -> None:
        super().__init__(session, wire)
        self.offer: ClientTransaction | None = None
        """Our offer that waits for its answer."""
        self.offer_body = b""
        self.pending: ServerTransaction | None = None
        """Their offer that waits for ours."""
        self.sdp = b""
        self.exchanged = False
        self.offers_first = True
        self.allows_update = False
        self._method = "INVITE"
        self._tries = 0

    def note_allow(self, message: Request | Response) -> None:
        """Which methods the other side takes, where it says so."""
        if message.headers.get("Allow") is not None:
            self.allows_update = "UPDATE" in (value.upper() for value in message.headers.values("Allow"))

    # --- the layer above ----------------------------------------------------------------------------------------------

    @property
    def may_offer(self) -> bool:
        """Nothing is under way that an offer of ours would have to wait for."""
        free = self.offer is None and self.pending is None and self.unacked is None and "glare" not in self.timers
        return free and self.state is SessionState.CONFIRMED

    def reoffer(self, body: bytes, now: float, method: str = "INVITE") -> list[Output]:
        """Send an offer by re-INVITE, or by UPDATE, which goes before the answer too."""
        early = self.state is SessionState.EARLY and self.exchanged and method == "UPDATE"
        if self.state is not SessionState.CONFIRMED and not early:
            return []
        if self.offer is not None or self.pending is not None:
            return [OfferRefused(self.id, 491)]
        self.offer_body = body
        self._method = method
        if "glare" in self.timers:
            # The wait goes on; when it is over the newer offer is sent.
            return []
        return self.send_offer(method, now)

    def answer_offer(self, body: bytes, now: float) -> list[Output]:
        """Answer ReInvited with 200 and an SDP."""
        pending, self.pending = self.pending, None
        if pending is None:
            return []
        return self.send_2xx(pending, body, now, tracked=pending.request.method == "INVITE")

    def refuse_offer(self, status: int, now: float) -> list[Output]:
        """Refuse ReInvited; what was agreed before still holds (§14.2)."""
        pending, self.pending = self.pending, None
        return [] if pending is None else self.respond(pending, status, now)

    # --- the layer below ----------------------------------------------------------------------------------------------

    def receive_other(self, transaction: ServerTransaction, request: Request, now: float) -> list[Output]:
        """An INVITE or UPDATE within the dialog."""
        if request.method == "UPDATE":
            return self._receive_update(transaction, request, now)
        if request.method == "INVITE":
            return self._receive_reinvite(transaction, request, now)
        return super().receive_other(transaction, request, now)

    def receive_cancel(self, transaction: ServerTransaction, reason: str, now: float) -> list[Output]:
        """A CANCEL of a re-INVITE that we have not answered."""
        return self.refuse_offer(487, now) if self.pending is transaction else []

    def repeated(self, old: ClientTransaction, new: ClientTransaction) -> None:
        """A request of ours has been sent again."""
        if old is self.offer:
            self.offer = new

    def answered(self, transaction: ClientTransaction, response: Response, now: float) -> list[Output]:
        """A response to a request of ours within the dialog."""
        outputs: list[Output] = []
        if transaction.request.method == "INVITE" and 200 <= response.status < 300:
            outputs += self.ack(transaction.request, now)
        if transaction is not self.offer:
            return outputs or super().answered(transaction, response, now)
        if response.status < 200:
            return []
        self.offer = None
        if response.status < 300:
            return [*outputs, *self.offer_answered(response, now)]
        wait = self._wait(response)
        if wait is not None:
            self.timers["glare"] = now + wait
            return []
        return self.lost(response.status, now) or self.offer_refused(response, now)

    def unanswered(self, transaction: ClientTransaction, reason: str, now: float) -> list[Output]:
        """A request of ours within the dialog got no answer."""
        if transaction is self.offer:
            self.offer = None
        return super().unanswered(transaction, reason, now)

    def fire(self, name: str, now: float) -> list[Output]:
        """``glare``: the offer once more."""
        return self.send_offer("", now) if name == "glare" else super().fire(name, now)

    # --- inside -------------------------------------------------------------------------------------------------------

    def send_offer(self, method: str, now: float) -> list[Output]:
        """Send ``offer_body``; without a method: again."""
        if self.dialog is None or self.state not in (SessionState.EARLY, SessionState.CONFIRMED):
            return []
        if self.pending is not None:
            return [OfferRefused(self.id, 491)]
        self._tries = 1 if method else self._tries + 1
        self._method = method or self._method
        request, hop = self.dialog.request(
            self._method,
            via=self.wire.via,
            contact=self.contact,
            headers=[("Allow", ALLOW), *self.asked()],
            body=self.offer_body,
            content_type=SDP,
        )
        self.offer, outputs = self.wire.layer.send(request, hop, self, now)
        return list(outputs)

    def contact(self, hop: Hop) -> str:
        """Our Contact within the dialog."""
        return self.wire.contact(hop, sips=self.dialog is not None and self.dialog.sips)

    def asked(self) -> list[tuple[str, str]]:
        """Further lines of a re-INVITE or UPDATE of ours."""
        return []

    def offer_answered(self, response: Response, now: float) -> list[Output]:
        """The 2xx to our offer."""
        assert self.dialog is not None
        self.dialog.refresh_target(response)
        self.sdp = self.offer_body
        return [OfferAnswered(self.id, response.body)]

    def offer_refused(self, response: Response, now: float) -> list[Output]:
        """The refusal of our offer."""
        return [OfferRefused(self.id, response.status)]

    def send_2xx(
        self, transaction: ServerTransaction, body: bytes, now: float, *, tracked: bool = True
    ) -> list[Output]:
        """Answer 200."""
        self.sdp = body or self.sdp
        return super().send_2xx(transaction, body, now, tracked=tracked)

    def end(self, by: str, how: str, reason: str, now: float, *, keep_waiting: bool = False) -> list[Output]:
        """The session is over: nobody wants the answer to an offer any more."""
        outputs = self.refuse_offer(487, now) if self.pending is not None else []
        if self.offer is not None:
            # Our re-INVITE would wait for ever in Proceeding.
            self.wire.layer.forget(self.offer)
            self.offer = None
        return [*outputs, *super().end(by, how, reason, now, keep_waiting=keep_waiting)]

    def _receive_update(self, transaction: ServerTransaction, request: Request, now: float) -> list[Output]:
        assert self.dialog is not None
        if not request.body:
            self.dialog.refresh_target(request)
            return self.send_2xx(transaction, b"", now, tracked=False)
        ours = self.unacked is not None and bool(self.unacked[1].body) and not self.unacked[0].request.body
        if self.state is SessionState.EARLY and not self.exchanged:
            return self._out_of_turn(transaction, 491 if self.offers_first else 500, now)
        if ours or self.offer is not None:
            return self._out_of_turn(transaction, 491, now)
        return self.receive_offer(transaction, request, now)

    def _receive_reinvite(self, transaction: ServerTransaction, request: Request, now: float) -> list[Output]:
        if self.state is SessionState.EARLY:
            return self._out_of_turn(transaction, 500, now)
        if self.offer is not None or self.unacked is not None:
            return self._out_of_turn(transaction, 491, now)
        outputs: list[Output] = []
        if self.pending is None:
            outputs += self.respond(transaction, 100, now)
        return [*outputs, *self.receive_offer(transaction, request, now)]

    def receive_offer(self, transaction: ServerTransaction, request: Request, now: float) -> list[Output]:
        """Hand an offer up, unless there is one already."""
        assert self.dialog is not None
        if self.pending is not None:
            return self._out_of_turn(transaction, 500, now)
        self.dialog.refresh_target(request)
        self.pending = transaction
        return [ReInvited(self.id, request.body)]

    def _out_of_turn(self, transaction: ServerTransaction, status: int, now: float) -> list[Output]:
        wait = str(round(LONGEST_WAIT * self.wire.chance()))
        return self.respond(transaction, status, now, headers=[("Retry-After", wait)] if status == 500 else ())

    def _wait(self, response: Response) -> float | None:
        """How long to wait before the offer is sent once more; None: not at all."""
        if self._tries > TRIES or self.state is SessionState.GONE:
            return None
        if response.status == 491:
            # §14.1: the owner of the Call-ID waits 2.1 to 4 s, the other 0 to 2 s, in steps of 10 ms.
            low, high = (2.1, 4.0) if self.owns_call_id else (0.0, 2.0)
            return round(low + (high - low) * self.wire.chance(), 2)
        seconds = retry_seconds(response.headers.get("Retry-After")) if response.status == 500 else None
        return float(seconds) if seconds is not None and seconds <= LONGEST_WAIT else None
