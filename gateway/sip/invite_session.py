"""One INVITE session of one leg: what both sides have in common once there is a dialog.

    EARLY      the INVITE has no final response                 (invite_client.py, invite_server.py)
    ANSWERED   our 2xx is out and not acknowledged              2xx again at T1, 2*T1 ... T2; no ACK in 64*T1: BYE
    CONFIRMED  both sides know: INFO, BYE                       this file
               re-INVITE, UPDATE                                (invite_offers.py)
               session timer                                    (invite_refresh.py)
    GONE       nothing more comes out of it

    timer      what happens                                     RFC
    2xx        our 2xx again                                    3261 §13.3.1.4
    no-ack     the ACK never came: BYE                          3261 §13.3.1.4
    glare      our offer again after a 491                      3261 §14.1
    refresh    a refresh of the session                         4028 §10
    expired    nobody refreshed it: BYE                         4028 §10
    1xx        our provisional response again                   3261 §13.3.1.1
    prack      our reliable one again, until its PRACK          3262 §3
    no-prack   the PRACK never came: 504                        3262 §3
    cancel     no final response to a cancelled INVITE          3261 §9.1

A session that we hang up while our 2xx is not acknowledged says Ended at once, but its BYE waits for the ACK or for the
end of the wait (§15).
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
from gateway.sip.outputs import NO_ACK, Confirmed, Ended, InfoReceived, Output
from gateway.sip.policy import Policy
from gateway.sip.screening import INFO_TYPES, SDP
from gateway.sip.server_transaction import ServerTransaction
from gateway.sip.transaction import ClientTransaction, Transmit
from gateway.sip.wire import Wire

HeaderLines = Sequence[tuple[str, str]]
PLAIN = Policy()


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

    __slots__ = ("_interval", "account", "armed", "bye_headers", "dialog", "home", "id", "owns_call_id", "pinned",
                 "policy", "state", "timers", "unacked", "wire")  # fmt: skip
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
        self.policy = PLAIN
        self.bye_headers: HeaderLines | None = None
        """Set: a BYE with these headers goes out as soon as the ACK has come (or will not come)."""
        self.unacked: tuple[ServerTransaction, Response] | None = None
        """Our 2xx to an INVITE that waits for its ACK."""
        self._interval = 0.0

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
            case "2xx" if self.unacked is not None:
                self._interval = min(2 * self._interval, self.wire.layer.timers.t2)
                self.timers["2xx"] = now + self._interval
                return list(self.wire.layer.respond(*self.unacked, now))
            case "no-ack":
                contact = "" if self.unacked is None else self.unacked[1].headers.get("Contact") or ""
                self._acknowledged()
                if self.state is SessionState.GONE:
                    return self.bye(self.bye_headers or (), now)
                return [*self.bye((), now), *self.end("timeout", NO_ACK, contact, now)]
        return []

    # --- the layer above ----------------------------------------------------------------------------------------------

    def hang_up(self, now: float, headers: HeaderLines) -> list[Output]:
        """End an established session."""
        if self.state is SessionState.ANSWERED:
            self.bye_headers = headers
            return self.end("us", "BYE", "", now, keep_waiting=True)
        if self.state is SessionState.CONFIRMED:
            return [*self.bye(headers, now), *self.end("us", "BYE", "", now)]
        return []

    def info(self, content_type: str, body: bytes, now: float) -> list[Output]:
        """Send an INFO."""
        if self.dialog is None or self.state is not SessionState.CONFIRMED:
            return []
        request, hop = self.dialog.request("INFO", via=self.wire.via, body=body, content_type=content_type)
        return list(self.wire.layer.send(request, hop, self, now)[1])

    # --- the layer below ----------------------------------------------------------------------------------------------

    def dialog_with(self, request: Request) -> Dialog | None:
        """The dialog that a request with our tag belongs to (§12.2.2)."""
        dialog = self.dialog
        if dialog is None or dialog.call_id != request.call_id or dialog.remote_tag != (request.from_.tag or ""):
            return None
        return dialog

    def receive_request(self, transaction: ServerTransaction, request: Request, now: float) -> list[Output]:
        """A request within the dialog that is no retransmission, no ACK and no CANCEL."""
        dialog = self.dialog_with(request)
        if dialog is None or not dialog.accepts(request):
            return self.respond(transaction, 500, now, headers=[("Retry-After", "0")])
        if dialog.pinned:
            # A phone may come back by another connection, or from another port of its NAT.
            dialog.hop = transaction.hop
        match request.method:
            case "BYE":
                return self._receive_bye(transaction, request, now)
            case _ if self.state is SessionState.GONE:
                return self.respond(transaction, 481, now)
            case "INFO":
                return self._receive_info(transaction, request, now)
            case "OPTIONS":
                return self.respond(transaction, 200, now, headers=[("Allow", ALLOW)])
        return self.receive_other(transaction, request, now)

    def receive_other(self, transaction: ServerTransaction, request: Request, now: float) -> list[Output]:
        """A request of another method."""
        status, reason, headers = refused_within(request.method)
        return self.respond(transaction, status, now, reason, headers)

    def receive_cancel(self, transaction: ServerTransaction, reason: str, now: float) -> list[Output]:
        """A CANCEL of an INVITE within the dialog; ``reason``: its Reason, "" without."""
        return []

    def receive_ack(self, request: Request, now: float) -> list[Output]:
        """The ACK of one of our 2xx."""
        if self.unacked is None or request.cseq.number != self.unacked[0].request.cseq.number:
            return []
        self._acknowledged()
        if self.state is SessionState.GONE:
            return self.bye(self.bye_headers or (), now)
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

    def answered(self, transaction: ClientTransaction, response: Response, now: float) -> list[Output]:
        """A response to a request of ours within the dialog."""
        return self.lost(response.status, now) if transaction.request.method == "INFO" else []

    def unanswered(self, transaction: ClientTransaction, reason: str, now: float) -> list[Output]:
        """A request of ours within the dialog got no answer: the other side is gone, unless it was asked to go."""
        if transaction.request.method in ("BYE", "PRACK") or self.state is not SessionState.CONFIRMED:
            return []
        how = "transport" if reason == "transport" else "408"
        return [*self.bye((), now), *self.end("timeout", how, "", now)]

    # --- inside -------------------------------------------------------------------------------------------------------

    def send_2xx(
        self, transaction: ServerTransaction, body: bytes, now: float, *, tracked: bool = True
    ) -> list[Output]:
        """Answer 200; ``tracked``: an INVITE's, repeated until its ACK."""
        assert self.dialog is not None
        headers = [("Contact", self.wire.contact(transaction.hop, sips=self.dialog.sips)), ("Allow", ALLOW)]
        headers += self.agreed(transaction.request, now)
        response = response_to(
            transaction.request, 200, to_tag=self.dialog.local_tag, headers=headers, body=body, content_type=SDP
        )
        if tracked:
            timers = self.wire.layer.timers
            self.unacked = (transaction, response)
            self._interval = timers.t1
            self.timers["2xx"] = now + timers.t1
            self.timers["no-ack"] = now + timers.give_up
        return list(self.wire.layer.respond(transaction, response, now))

    def agreed(self, request: Request, now: float) -> list[tuple[str, str]]:
        """Further lines of the 2xx to ``request``."""
        return []

    def respond(
        self,
        transaction: ServerTransaction,
        status: int,
        now: float,
        reason: str | None = None,
        headers: HeaderLines = (),
    ) -> list[Output]:
        """Answer a request within the dialog."""
        return list(
            self.wire.layer.respond(transaction, response_to(transaction.request, status, reason, headers=headers), now)
        )

    def _receive_info(self, transaction: ServerTransaction, request: Request, now: float) -> list[Output]:
        """Keys, or what we don't know; that harms nothing (RFC 6086 §4.2.2, §5.4)."""
        if request.headers.get("Info-Package") is not None:
            return self.respond(transaction, 469, now, headers=[("Recv-Info", "")])
        if request.body and request.content_type not in INFO_TYPES:
            return self.respond(transaction, 415, now, headers=[("Accept", ", ".join(INFO_TYPES))])
        outputs = self.respond(transaction, 200, now)
        return [*outputs, InfoReceived(self.id, request.content_type, request.body)]

    def _receive_bye(self, transaction: ServerTransaction, request: Request, now: float) -> list[Output]:
        outputs = self.respond(transaction, 200, now)
        if self.state is SessionState.GONE:
            self.timers.clear()
            self.bye_headers = None
            return outputs
        return [*outputs, *self.end("peer", "BYE", ", ".join(request.headers.get_all("Reason")), now)]

    def ack(self, invite: Request, now: float) -> list[Output]:
        assert self.dialog is not None
        headers = [] if self.account is None else [row for row in invite.headers if row[0] in CREDENTIALS]
        request, hop = self.dialog.request("ACK", via=self.wire.via, cseq=invite.cseq.number, headers=headers)
        return [Transmit(bytes(request), hop, request)]

    def bye(self, headers: HeaderLines, now: float) -> list[Output]:
        if self.dialog is None:
            return []
        self.bye_headers = None
        request, hop = self.dialog.request("BYE", via=self.wire.via, headers=headers)
        return list(self.wire.layer.send(request, hop, self if self.account else None, now)[1])

    def lost(self, status: int, now: float) -> list[Output]:
        """408 and 481 end a dialog (§12.2.1.2)."""
        if status not in (408, 481) or self.state is not SessionState.CONFIRMED:
            return []
        return [*self.bye((), now), *self.end("peer", str(status), "", now)]

    def _acknowledged(self) -> None:
        self.unacked = None
        self.timers.pop("2xx", None)
        self.timers.pop("no-ack", None)

    def end(self, by: str, how: str, reason: str, now: float, *, keep_waiting: bool = False) -> list[Output]:
        """The one place where a session that was accepted (or came in) is over."""
        if self.state is SessionState.GONE:
            return []
        self.state = SessionState.GONE
        if keep_waiting:
            self.timers = {name: at for name, at in self.timers.items() if name in ("2xx", "no-ack")}
        else:
            self.unacked = None
            self.timers.clear()
        return [Ended(self.id, by, how, reason)]
