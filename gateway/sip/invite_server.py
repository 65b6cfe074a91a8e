"""The session of an INVITE that came to us, until it is answered (RFC 3261 §13.3), reliably where the caller can.

    the caller wants 100rel    a 18x is sent again at T1, 2*T1, 4*T1 ... until its PRACK; none in 64*T1: 504
                               (RFC 3262 §3)
    a 18x is not acknowledged  further ones queue; the 2xx waits when the 18x has an SDP, else it takes over
    PRACK                      200; of something else 481; with an offer, when there is none open: ReInvited
    the INVITE had no offer    the first reliable 18x has to bring ours, the PRACK the answer: OfferAnswered (§5)
    an acknowledged SDP        is not said again: the 2xx has none

A caller who needs what his trunk doesn't do gets 420, one who lacks what it demands 421 (``admit``). ``precondition``
(RFC 3312) is among the first: nothing here reserves anything, so who demands it is told so, and may ask again without.
Who only supports it gets an answer without preconditions and goes on without, also where his SDP calls them mandatory,
as an IMS's does (TS 24.229): RFC 3312 §11 has that demanded by Require, and an attribute alone that isn't understood is
ignored (RFC 8866 §5.13). So 580 is never said: that is for who reserves and could not.
"""

from __future__ import annotations

from gateway.sip.build import response_to
from gateway.sip.dialog import Dialog
from gateway.sip.hop import Hop
from gateway.sip.invite_refresh import RefreshingSession
from gateway.sip.invite_session import HeaderLines, SessionState
from gateway.sip.message import Request
from gateway.sip.methods import ALLOW, Refusal
from gateway.sip.outputs import OfferAnswered, Output
from gateway.sip.policy import EXTENSIONS, RELIABLE, Policy, Reliable, options
from gateway.sip.reliable import Unacknowledged
from gateway.sip.screening import SDP
from gateway.sip.server_transaction import ServerTransaction
from gateway.sip.wire import Wire

REPEAT_1XX = 60.0


class ServerSession(RefreshingSession):
    """``invite``: its server transaction, to which nothing but 100 has been answered."""

    __slots__ = ("_held", "_invite", "_provisional", "reliable")

    def __init__(self, session: str, wire: Wire, invite: ServerTransaction, source: Hop) -> None:
        super().__init__(session, wire)
        self._invite = invite
        self._provisional: tuple[int, bytes, HeaderLines] | None = None
        self.reliable: Unacknowledged | None = None
        """None: provisional responses are not acknowledged."""
        self._held: bytes | None = None
        """The body of a 2xx that waits for a PRACK."""
        self.offers_first = not invite.request.body
        self.dialog = Dialog.of_server(invite.request, wire.token(), source)

    def admit(self, policy: Policy) -> Refusal | None:
        """Go on under ``policy``, or what is answered to an INVITE that doesn't go with it."""
        invite = self._invite.request
        self.govern(policy)
        self.note_allow(invite)
        required = options(invite, "Require")
        unknown = sorted((required & EXTENSIONS) - policy.extensions)
        if unknown:
            return 420, None, [("Unsupported", ", ".join(unknown))]
        wants = RELIABLE in required or RELIABLE in options(invite, "Supported")
        if policy.reliable is Reliable.REQUIRED and not wants:
            return 421, None, [("Require", RELIABLE)]
        if policy.reliable is not Reliable.OFF and wants:
            self.reliable = Unacknowledged(Unacknowledged.first(self.wire.chance()))
        return None if self.timer is None else self.timer.refusal(invite)

    # --- provisional responses ----------------------------------------------------------------------------------------

    def ring(self, status: int, body: bytes, headers: HeaderLines, now: float) -> list[Output]:
        """A provisional response; said again every minute, since proxies give up after three (§13.3.1.1)."""
        if self.state is not SessionState.EARLY or self._held is not None:
            return []
        reliable = self.reliable
        if reliable is None or not (body or self.exchanged or self._invite.request.body):
            self._provisional = (status, body, headers)
            return self._ring(status, body, headers, now)
        self._provisional = (status, b"", headers)
        if reliable.response is not None:
            reliable.queue.append((status, body, tuple(headers)))
            return []
        outputs = self._ring(status, body, [*headers, *reliable.next_lines()], now)
        reliable.interval = self.wire.layer.timers.t1
        self.timers["prack"] = now + reliable.interval
        self.timers["no-prack"] = now + self.wire.layer.timers.give_up
        return outputs

    def _ring(self, status: int, body: bytes, headers: HeaderLines, now: float) -> list[Output]:
        assert self.dialog is not None
        self.timers["1xx"] = now + REPEAT_1XX
        self.sdp = body or self.sdp
        lines = [
            ("Contact", self.wire.contact(self._invite.hop, sips=self.dialog.sips)),
            ("Allow", ALLOW),
            *headers,
        ]
        response = response_to(
            self._invite.request, status, to_tag=self.dialog.local_tag, headers=lines, body=body, content_type=SDP
        )
        if self.reliable is not None and response.headers.get("RSeq") is not None:
            self.reliable.response = response
        return list(self.wire.layer.respond(self._invite, response, now))

    def fire(self, name: str, now: float) -> list[Output]:
        """``1xx`` repeats the last provisional; ``prack``, ``no-prack``: the reliable one is not acknowledged."""
        match name:
            case "1xx" if self._provisional is not None:
                return self.ring(*self._provisional, now)
            case "prack" if self.reliable is not None and self.reliable.response is not None:
                self.reliable.interval *= 2
                self.timers["prack"] = now + self.reliable.interval
                return list(self.wire.layer.respond(self._invite, self.reliable.response, now))
            case "no-prack":
                return [*self._final(504, None, (), now), *self.end("timeout", "no-prack", "", now)]
        return super().fire(name, now)

    def _receive_prack(self, transaction: ServerTransaction, request: Request, now: float) -> list[Output]:
        reliable, invite = self.reliable, self._invite.request
        if reliable is None or not reliable.acknowledges(request, invite):
            return self.respond(transaction, 481, now)
        acknowledged, reliable.response = reliable.response, None
        self._stop_repeating()
        answers = acknowledged is not None and bool(acknowledged.body) and not self.exchanged
        self.exchanged = self.exchanged or answers
        if answers and not invite.body:
            outputs = [*self.respond(transaction, 200, now), OfferAnswered(self.id, request.body)]
        elif not request.body:
            outputs = self.respond(transaction, 200, now)
        elif not self.exchanged or self.offer is not None:
            outputs = self.respond(transaction, 491, now)
        else:
            outputs = self.receive_offer(transaction, request, now)
        return [*outputs, *self._go_on(now)]

    def _go_on(self, now: float) -> list[Output]:
        """What had to wait for a PRACK."""
        if self.state is not SessionState.EARLY or self.reliable is None:
            return []
        if self._held is not None:
            body, self._held = self._held, None
            return self.accept(body, now)
        return self.ring(*self.reliable.queue.pop(0), now) if self.reliable.queue else []

    def _stop_repeating(self) -> None:
        for name in ("prack", "no-prack"):
            self.timers.pop(name, None)

    # --- the final response -------------------------------------------------------------------------------------------

    def accept(self, body: bytes, now: float) -> list[Output]:
        """Answer 200 with an SDP, unless that was agreed before; as soon as the last SDP is acknowledged."""
        if self.state is not SessionState.EARLY:
            return []
        if self.reliable is not None:
            self.reliable.queue.clear()
            if self.reliable.response is not None and self.reliable.response.body:
                self._held = body
                return []
        self._stop_repeating()
        self.timers.pop("1xx", None)
        self.state = SessionState.ANSWERED
        body = b"" if self.exchanged else body
        self.exchanged = True
        return self.send_2xx(self._invite, body, now)

    def reject(self, status: int, reason: str | None, headers: HeaderLines, now: float) -> list[Output]:
        """Refuse. Nothing more comes out of the session."""
        if self.state is not SessionState.EARLY:
            return []
        outputs = self.refuse_offer(487, now) + self._final(status, reason, headers, now)
        self.state = SessionState.GONE
        self.timers.clear()
        return outputs

    def hang_up(self, now: float, headers: HeaderLines) -> list[Output]:
        """End it in whatever state it is."""
        if self.state is SessionState.EARLY:
            return [*self._final(480, None, headers, now), *self.end("us", "480", "", now)]
        return super().hang_up(now, headers)

    def receive_cancel(self, transaction: ServerTransaction, reason: str, now: float) -> list[Output]:
        """The caller gives up; after our final response it is too late (§9.2)."""
        if transaction is self._invite and self.state is SessionState.EARLY:
            return [*self._final(487, None, (), now), *self.end("peer", "CANCEL", reason, now)]
        return super().receive_cancel(transaction, reason, now)

    def receive_other(self, transaction: ServerTransaction, request: Request, now: float) -> list[Output]:
        """A PRACK, or an offer within the dialog."""
        if request.method == "PRACK":
            return self._receive_prack(transaction, request, now)
        return super().receive_other(transaction, request, now)

    def receive_request(self, transaction: ServerTransaction, request: Request, now: float) -> list[Output]:
        """A request on the early or the confirmed dialog. A BYE before the answer ends the INVITE too (§15.1.2)."""
        early = self.state is SessionState.EARLY
        outputs = super().receive_request(transaction, request, now)
        if early and self.state is SessionState.GONE and not self._invite.answered:
            outputs[1:1] = self._final(487, None, (), now)
        return outputs

    def _final(self, status: int, reason: str | None, headers: HeaderLines, now: float) -> list[Output]:
        assert self.dialog is not None
        response = response_to(self._invite.request, status, reason, to_tag=self.dialog.local_tag, headers=headers)
        return list(self.wire.layer.respond(self._invite, response, now))
