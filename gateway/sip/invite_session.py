"""One INVITE session of one leg: what both sides have in common once there is a dialog.

    EARLY      the INVITE has no final response                 (invite_client.py, invite_server.py)
    ANSWERED   our 2xx is out and not acknowledged              2xx again at T1, 2*T1 ... T2; no ACK in 64*T1: BYE
    CONFIRMED  both sides know; re-INVITE, UPDATE, INFO, BYE    this file
    GONE       nothing more comes out of it

The timers are ``2xx`` and ``no-ack`` (RFC 3261 §13.3.1.4), ``glare`` (§14.1), those of the subclasses (``1xx``,
``cancel``) and none else. A session that we hang up while our 2xx is not acknowledged says Ended at once, but its BYE
waits for the ACK or for the end of the wait (§15).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Protocol

from gateway.sip.account import CREDENTIALS, Account
from gateway.sip.build import response_to
from gateway.sip.dialog import Dialog
from gateway.sip.message import Request, Response
from gateway.sip.methods import ALLOW, refused_within
from gateway.sip.outputs import Confirmed, Ended, InfoReceived, OfferAnswered, OfferRefused, Output, ReInvited
from gateway.sip.screening import SDP
from gateway.sip.transaction import ClientTransaction, ServerTransaction, Transmit
from gateway.sip.wire import Wire

HeaderLines = Sequence[tuple[str, str]]
GLARE_TRIES = 3


class SessionState(Enum):
    """See the module's table."""

    EARLY = "early"
    ANSWERED = "answered"
    CONFIRMED = "confirmed"
    GONE = "gone"


class Home(Protocol):
    """Where a session lives: what a response brought is to be settled there (``sessions.Sessions``)."""

    def settle(self, session: InviteSession, outputs: list[Output]) -> list[Output]:
        """Note the session's new deadline, or its end."""


class InviteSession:
    """The established half; subclasses add how it comes to be. Every method returns the outputs in order.

    It owns its client transactions: the layer gives it their responses (``transaction.Owner``).
    """

    __slots__ = ("_interval", "_offer", "_offer_body", "_offer_tries", "_pending", "_unacked", "account", "armed",
                 "bye_headers", "dialog", "home", "id", "owns_call_id", "pinned", "state", "timers",
                 "wire")  # fmt: skip
    home: Home

    def __init__(self, session: str, wire: Wire) -> None:
        self.id = session
        self.wire = wire
        self.state = SessionState.EARLY
        self.dialog: Dialog | None = None
        self.timers: dict[str, float] = {}
        self.armed: float | None = None
        self.owns_call_id = False
        self.account: Account | None = None
        self.pinned = False
        """Its dialogs are: see dialog.py."""
        self.bye_headers: HeaderLines | None = None
        """Set: a BYE with these headers goes out as soon as the ACK has come (or will not come)."""
        self._unacked: tuple[ServerTransaction, Response] | None = None
        self._interval = 0.0
        self._offer: ClientTransaction | None = None
        self._offer_body = b""
        self._offer_tries = 0
        self._pending: ServerTransaction | None = None

    # --- time -------------------------------------------------------------------------------------------------------

    @property
    def deadline(self) -> float | None:
        """The earliest timer."""
        return min(self.timers.values()) if self.timers else None

    def handle_timeout(self, now: float) -> list[Output]:
        """Fire what is due."""
        outputs: list[Output] = []
        for name in [name for name, due in sorted(self.timers.items(), key=lambda row: row[1]) if due <= now]:
            if self.timers.pop(name, None) is not None:
                outputs += self.fire(name, now)
        return outputs

    def fire(self, name: str, now: float) -> list[Output]:
        """One timer."""
        match name:
            case "2xx" if self._unacked is not None:
                self._interval = min(2 * self._interval, self.wire.layer.timers.t2)
                self.timers["2xx"] = now + self._interval
                return list(self.wire.layer.respond(*self._unacked, now))
            case "no-ack":
                self._acknowledged()
                if self.state is SessionState.GONE:
                    return self._bye(self.bye_headers or (), now)
                return [*self._bye((), now), *self._end("timeout", "no-ack", "", now)]
            case "glare":
                return self._send_offer(now)
        return []

    # --- the layer above ----------------------------------------------------------------------------------------------

    def hang_up(self, now: float, headers: HeaderLines) -> list[Output]:
        """End an established session."""
        if self.state is SessionState.ANSWERED:
            self.bye_headers = headers
            return self._end("us", "BYE", "", now, keep_waiting=True)
        if self.state is SessionState.CONFIRMED:
            return [*self._bye(headers, now), *self._end("us", "BYE", "", now)]
        return []

    def reoffer(self, body: bytes, now: float) -> list[Output]:
        """Send a re-INVITE with an offer."""
        if self.state is not SessionState.CONFIRMED:
            return []
        if self._offer is not None or self._pending is not None:
            return [OfferRefused(self.id, 491)]
        if "glare" in self.timers:
            # The wait goes on; when it is over the newer offer is sent.
            self._offer_body = body
            return []
        self._offer_body = body
        self._offer_tries = 0
        return self._send_offer(now)

    def answer_offer(self, body: bytes, now: float) -> list[Output]:
        """Answer ReInvited with 200 and an SDP."""
        pending, self._pending = self._pending, None
        if pending is None:
            return []
        return self.send_2xx(pending, body, now, tracked=pending.request.method == "INVITE")

    def refuse_offer(self, status: int, now: float) -> list[Output]:
        """Refuse ReInvited; what was agreed before still holds (§14.2)."""
        pending, self._pending = self._pending, None
        if pending is None:
            return []
        return list(self.wire.layer.respond(pending, response_to(pending.request, status), now))

    def info(self, content_type: str, body: bytes, now: float) -> list[Output]:
        """Send an INFO."""
        if self.dialog is None or self.state is not SessionState.CONFIRMED:
            return []
        request, hop = self.dialog.request("INFO", via=self.wire.via, body=body, content_type=content_type)
        return list(self.wire.layer.send(request, hop, self, now)[1])

    # --- the layer below ----------------------------------------------------------------------------------------------

    def receive_request(self, transaction: ServerTransaction, request: Request, now: float) -> list[Output]:
        """A request within the dialog that is no retransmission, no ACK and no CANCEL."""
        assert self.dialog is not None
        respond = self.wire.layer.respond
        if not self.dialog.accepts(request):
            return list(respond(transaction, response_to(request, 500, headers=[("Retry-After", "0")]), now))
        if self.dialog.pinned:
            # A phone may come back by another connection, or from another port of its NAT.
            self.dialog.hop = transaction.hop
        match request.method:
            case "BYE":
                return self._receive_bye(transaction, request, now)
            case "INVITE" | "UPDATE":
                return self._receive_offer(transaction, request, now)
            case "INFO":
                outputs: list[Output] = list(respond(transaction, response_to(request, 200), now))
                return [*outputs, InfoReceived(self.id, request.content_type, request.body)]
            case "OPTIONS":
                return list(respond(transaction, response_to(request, 200, headers=[("Allow", ALLOW)]), now))
        status, reason, headers = refused_within(request.method)
        return list(respond(transaction, response_to(request, status, reason, headers=headers), now))

    def receive_cancel(self, transaction: ServerTransaction, now: float) -> list[Output]:
        """A CANCEL of a re-INVITE that we have not answered."""
        if self._pending is transaction:
            return self.refuse_offer(487, now)
        return []

    def receive_ack(self, request: Request, now: float) -> list[Output]:
        """The ACK of one of our 2xx."""
        if self._unacked is None or request.cseq.number != self._unacked[0].request.cseq.number:
            return []
        self._acknowledged()
        if self.state is SessionState.GONE:
            return self._bye(self.bye_headers or (), now)
        first = self.state is SessionState.ANSWERED
        self.state = SessionState.CONFIRMED
        if first or request.body:
            return [Confirmed(self.id, request.body)]
        return []

    def receive_response(self, transaction: ClientTransaction, response: Response, now: float) -> list[Output]:
        """A response to a request of ours."""
        return self.home.settle(self, self.answered(transaction, response, now))

    def failed(self, transaction: ClientTransaction, reason: str, now: float) -> list[Output]:
        """A request of ours got no answer."""
        return self.home.settle(self, self.unanswered(transaction, reason, now))

    def renumbered(self, transaction: ClientTransaction) -> int | None:
        """The CSeq number for a repeat with credentials: the dialog's next."""
        if self.dialog is None:
            return transaction.request.cseq.number + 1
        self.dialog.local_cseq += 1
        return self.dialog.local_cseq

    def repeated(self, old: ClientTransaction, new: ClientTransaction) -> None:
        """A request of ours has been sent again."""
        if old is self._offer:
            self._offer = new

    def answered(self, transaction: ClientTransaction, response: Response, now: float) -> list[Output]:
        """A response to a request of ours within the dialog."""
        if transaction.request.method != "INVITE":
            return self._lost(response.status, now) if transaction.request.method == "INFO" else []
        if 200 <= response.status < 300:
            outputs = self._ack(transaction.request, now)
            if transaction is not self._offer or self.dialog is None:
                return outputs
            self._offer = None
            self.dialog.refresh_target(response)
            return [*outputs, OfferAnswered(self.id, response.body)]
        if transaction is not self._offer or response.status < 200:
            return []
        self._offer = None
        if response.status == 491 and self._offer_tries < GLARE_TRIES and self.state is SessionState.CONFIRMED:
            # §14.1: the owner of the Call-ID waits 2.1 to 4 s, the other 0 to 2 s, in steps of 10 ms.
            low, high = (2.1, 4.0) if self.owns_call_id else (0.0, 2.0)
            self.timers["glare"] = now + round(low + (high - low) * self.wire.chance(), 2)
            return []
        return self._lost(response.status, now) or [OfferRefused(self.id, response.status)]

    def unanswered(self, transaction: ClientTransaction, reason: str, now: float) -> list[Output]:
        """A request of ours within the dialog got no answer."""
        if transaction is self._offer:
            self._offer = None
        if transaction.request.method in ("INVITE", "INFO") and self.state is SessionState.CONFIRMED:
            return [
                *self._bye((), now),
                *self._end("timeout", "transport" if reason == "transport" else "408", "", now),
            ]
        return []

    # --- inside -------------------------------------------------------------------------------------------------------

    def send_2xx(
        self, transaction: ServerTransaction, body: bytes, now: float, *, tracked: bool = True
    ) -> list[Output]:
        """Answer 200; ``tracked``: an INVITE's, repeated until its ACK."""
        assert self.dialog is not None
        headers = [("Contact", self.wire.contact(transaction.hop)), ("Allow", ALLOW)]
        response = response_to(
            transaction.request, 200, to_tag=self.dialog.local_tag, headers=headers, body=body, content_type=SDP
        )
        if tracked:
            timers = self.wire.layer.timers
            self._unacked = (transaction, response)
            self._interval = timers.t1
            self.timers["2xx"] = now + timers.t1
            self.timers["no-ack"] = now + timers.give_up
        return list(self.wire.layer.respond(transaction, response, now))

    def _receive_bye(self, transaction: ServerTransaction, request: Request, now: float) -> list[Output]:
        outputs: list[Output] = list(self.wire.layer.respond(transaction, response_to(request, 200), now))
        if self.state is SessionState.GONE:
            self.timers.clear()
            self.bye_headers = None
            return outputs
        return [*outputs, *self._end("peer", "BYE", request.headers.get("Reason") or "", now)]

    def _receive_offer(self, transaction: ServerTransaction, request: Request, now: float) -> list[Output]:
        assert self.dialog is not None
        respond = self.wire.layer.respond
        if self.state is SessionState.GONE:
            return list(respond(transaction, response_to(request, 481), now))
        if self._pending is not None or (request.method == "UPDATE" and self.state is SessionState.ANSWERED):
            return list(respond(transaction, response_to(request, 500, headers=[("Retry-After", "3")]), now))
        if self._offer is not None or (self._unacked is not None and request.method == "INVITE"):
            return list(respond(transaction, response_to(request, 491), now))
        self.dialog.refresh_target(request)
        if request.method == "UPDATE" and not request.body:
            # RFC 3311 §5.2: without an offer it only refreshes.
            return self.send_2xx(transaction, b"", now, tracked=False)
        self._pending = transaction
        outputs: list[Output] = []
        if request.method == "INVITE":
            outputs += respond(transaction, response_to(request, 100), now)
        return [*outputs, ReInvited(self.id, request.body)]

    def _send_offer(self, now: float) -> list[Output]:
        if self.dialog is None or self.state is not SessionState.CONFIRMED:
            return []
        if self._pending is not None:
            return [OfferRefused(self.id, 491)]
        self._offer_tries += 1
        headers = [("Allow", ALLOW)]
        request, hop = self.dialog.request(
            "INVITE",
            via=self.wire.via,
            contact=self.wire.contact,
            headers=headers,
            body=self._offer_body,
            content_type=SDP,
        )
        self._offer, outputs = self.wire.layer.send(request, hop, self, now)
        return list(outputs)

    def _ack(self, invite: Request, now: float) -> list[Output]:
        assert self.dialog is not None
        headers = [] if self.account is None else [row for row in invite.headers if row[0] in CREDENTIALS]
        request, hop = self.dialog.request("ACK", via=self.wire.via, cseq=invite.cseq.number, headers=headers)
        return [Transmit(bytes(request), hop, request)]

    def _bye(self, headers: HeaderLines, now: float) -> list[Output]:
        if self.dialog is None:
            return []
        self.bye_headers = None
        request, hop = self.dialog.request("BYE", via=self.wire.via, headers=headers)
        return list(self.wire.layer.send(request, hop, self if self.account else None, now)[1])

    def _lost(self, status: int, now: float) -> list[Output]:
        """408 and 481 end a dialog (§12.2.1.2)."""
        if status not in (408, 481) or self.state is not SessionState.CONFIRMED:
            return []
        return [*self._bye((), now), *self._end("peer", str(status), "", now)]

    def _acknowledged(self) -> None:
        self._unacked = None
        self.timers.pop("2xx", None)
        self.timers.pop("no-ack", None)

    def _end(self, by: str, how: str, reason: str, now: float, *, keep_waiting: bool = False) -> list[Output]:
        """The one place where a session that was accepted (or came in) is over."""
        if self.state is SessionState.GONE:
            return []
        outputs = self.refuse_offer(487, now) if self._pending is not None else []
        self.state = SessionState.GONE
        if self._offer is not None:
            # Our re-INVITE would wait for ever in Proceeding: nobody wants its answer any more.
            self.wire.layer.forget(self._offer)
            self._offer = None
        if not keep_waiting:
            self._unacked = None
            self.timers.clear()
        return [*outputs, Ended(self.id, by, how, reason)]
