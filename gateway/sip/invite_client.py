"""The session of an INVITE that we send, until it is answered (RFC 3261 §13.2, §9.1).

event                         then
1xx                           Progress (each early dialog's); a CANCEL that waits for it goes out
1xx that wants a PRACK        PRACK, then Progress; a repeat or one out of order neither (RFC 3262 §4)
2xx                           ACK, Accepted; when we have given up: ACK, BYE, Ended
2xx of another To tag         a forked branch: ACK and BYE, no output (§13.2.2.4)
the same 2xx again            the same ACK again
422                           the INVITE again with the interval that is asked for (RFC 4028 §7.3)
refusal, time-out             Rejected
we give up                    CANCEL, but not before a 1xx; no final answer in 64*T1: Rejected 408

Each To tag of a 1xx is a dialog of its own, with its own order of requests and of reliable responses.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.sip.build import REASONS, cancel_for, renewed
from gateway.sip.dialog import Dialog
from gateway.sip.early_media import sends
from gateway.sip.invite_refresh import RefreshingSession
from gateway.sip.invite_session import HeaderLines, SessionState
from gateway.sip.message import Request, Response
from gateway.sip.outputs import Accepted, Output, Progress, Rejected
from gateway.sip.reliable import Received, rseq_of
from gateway.sip.server_transaction import ServerTransaction
from gateway.sip.transaction import ClientTransaction, State
from gateway.sip.wire import Wire

BRANCHES = 16
"""Early dialogs and answers of one INVITE that are followed; a peer that makes more only wants memory."""


@dataclass(slots=True)
class Early:
    """A dialog before its answer."""

    dialog: Dialog
    received: Received = field(default_factory=Received)


class ClientSession(RefreshingSession):
    """``begin`` sends the INVITE."""

    __slots__ = ("_early", "_given_up", "_headers", "_invite", "_last")

    def __init__(self, session: str, wire: Wire) -> None:
        super().__init__(session, wire)
        self.owns_call_id = True
        self._invite: ClientTransaction
        self._given_up = False
        self._headers: HeaderLines = ()
        self._early: dict[str, Early] = {}
        self._last: dict[str, list[Output]] = {}

    def begin(self, transaction: ClientTransaction) -> None:
        """Name the INVITE's transaction."""
        self._invite = transaction
        self.sdp = transaction.request.body

    def renumbered(self, transaction: ClientTransaction) -> int | None:
        """An INVITE that was given up is not repeated."""
        if transaction is self._invite:
            if self._given_up or self.state is not SessionState.EARLY:
                return None
            return transaction.request.cseq.number + 1
        early = self._early.get(transaction.request.to.tag or "")
        if early is not None:
            # A challenged PRACK counts on in its own dialog.
            early.dialog.local_cseq += 1
            return early.dialog.local_cseq
        return super().renumbered(transaction)

    def repeated(self, old: ClientTransaction, new: ClientTransaction) -> None:
        """A request of ours, maybe the INVITE, has been sent again."""
        if old is self._invite:
            self._invite = new
            self._early.clear()
            self.dialog = None
        super().repeated(old, new)

    @property
    def unheard(self) -> bool:
        """Nothing has come back yet, not even a 100."""
        return self._invite.state is State.CALLING

    def dialog_with(self, request: Request) -> Dialog | None:
        """Before the answer, any of the early dialogs."""
        early = self._early.get(request.from_.tag or "") if self.state is SessionState.EARLY else None
        if early is None or early.dialog.call_id != request.call_id:
            return super().dialog_with(request)
        return early.dialog

    # --- the layer above ----------------------------------------------------------------------------------------------

    def hang_up(self, now: float, headers: HeaderLines) -> list[Output]:
        """CANCEL while it rings, BYE when it is up."""
        if self.state is not SessionState.EARLY:
            return super().hang_up(now, headers)
        if self._given_up:
            return []
        self._given_up = True
        self._headers = headers
        if self._invite.state is State.TERMINATED:
            return self._reject(503, REASONS[503], None, now)
        return self._cancel(now) if self._invite.state is State.PROCEEDING else []

    # --- the layer below ----------------------------------------------------------------------------------------------

    def answered(self, transaction: ClientTransaction, response: Response, now: float) -> list[Output]:
        """A response to the INVITE, or to something later."""
        if transaction is not self._invite:
            return super().answered(transaction, response, now)
        if response.status < 200:
            return self._receive_provisional(response, now)
        if response.status < 300:
            return self._receive_2xx(response, now)
        if self.state is not SessionState.EARLY:
            return []
        if response.status == 422 and not self._given_up and self.timer is not None and self.timer.raised(response):
            return self._invite_again(now)
        return self._reject(response.status, response.reason, response, now)

    def unanswered(self, transaction: ClientTransaction, reason: str, now: float) -> list[Output]:
        """Nothing came, or nothing could be sent."""
        if transaction is self._invite:
            if self.state is not SessionState.EARLY:
                return []
            status = 503 if reason == "transport" else 408
            return self._reject(status, REASONS[status], None, now)
        return super().unanswered(transaction, reason, now)

    def receive_request(self, transaction: ServerTransaction, request: Request, now: float) -> list[Output]:
        """A request of the callee. On an early dialog a BYE means that its branch is over."""
        early = self.state is SessionState.EARLY
        if not early or request.method != "BYE":
            return super().receive_request(transaction, request, now)
        outputs = self.respond(transaction, 200, now)
        self.wire.layer.forget(self._invite)
        return [*outputs, *self._reject(487, REASONS[487], None, now)]

    def fire(self, name: str, now: float) -> list[Output]:
        """``cancel``: no final response came to a cancelled INVITE (§9.1)."""
        if name == "cancel" and self.state is SessionState.EARLY:
            self.wire.layer.forget(self._invite)
            return self._reject(408, REASONS[408], None, now)
        return super().fire(name, now)

    # --- inside -------------------------------------------------------------------------------------------------------

    def _receive_provisional(self, response: Response, now: float) -> list[Output]:
        if self.state is not SessionState.EARLY:
            return []
        if self._given_up:
            return [] if "cancel" in self.timers else self._cancel(now)
        if response.status == 100:
            return []
        outputs: list[Output] = []
        early = self._early_dialog(response)
        number = rseq_of(response)
        if early is not None and number is not None:
            if not early.received.take(number):
                return []
            outputs = self._prack(early.dialog, number, now)
            self.exchanged = self.exchanged or bool(response.body)
        found = Progress(self.id, response.status, response.reason, response.body, response, sends(response))
        return [*outputs, found]

    def _early_dialog(self, response: Response) -> Early | None:
        tag = response.to.tag
        if not tag:
            return None
        self.note_allow(response)
        early = self._early.get(tag)
        if early is None and len(self._early) < BRANCHES:
            early = self._early[tag] = Early(self._dialog_of(response))
            if self.dialog is None:
                self.dialog = early.dialog
        return early

    def _prack(self, dialog: Dialog, number: int, now: float) -> list[Output]:
        rack = [("RAck", f"{number} {self._invite.request.cseq.number} INVITE")]
        request, hop = dialog.request("PRACK", via=self.wire.via, headers=rack)
        return list(self.wire.layer.send(request, hop, self, now)[1])

    def _receive_2xx(self, response: Response, now: float) -> list[Output]:
        tag = response.to.tag or ""
        if tag in self._last:
            return list(self._last[tag])
        if len(self._last) >= BRANCHES:
            return []
        dialog = self._dialog_of(response)
        early = self._early.get(tag)
        if early is not None:
            # Requests on the early dialog have counted already, and a PRACK of ours may still be repeated.
            dialog.remote_cseq = early.dialog.remote_cseq
            dialog.local_cseq = max(dialog.local_cseq, early.dialog.local_cseq)
        first = self.state is SessionState.EARLY
        kept, self.dialog = self.dialog, dialog
        ack = self.ack(self._invite.request, now)
        self._last[tag] = ack
        if not first:
            outputs = [*ack, *self.bye((), now)]
            self.dialog = kept
            return outputs
        self.timers.pop("cancel", None)
        self.state = SessionState.CONFIRMED
        self._early.clear()
        if self._given_up:
            return [*ack, *self.bye(self._headers, now), *self.end("us", "CANCEL", "", now)]
        self.exchanged = True
        self.note_allow(response)
        self.renewed(response, now)
        return [*ack, Accepted(self.id, response.body, response)]

    def _invite_again(self, now: float) -> list[Output]:
        old = self._invite
        again = renewed(old.request, self.wire.via(old.hop), old.request.cseq.number + 1, self.asked_first())
        transaction, outputs = self.wire.layer.send(again, old.hop, self, now)
        self.repeated(old, transaction)
        return list(outputs)

    def _cancel(self, now: float) -> list[Output]:
        cancel = cancel_for(self._invite.request)
        for name, value in self._headers:
            cancel.headers.add(name, value)
        self.timers["cancel"] = now + self.wire.layer.timers.give_up
        return list(self.wire.layer.send(cancel, self._invite.hop, None, now)[1])

    def _reject(self, status: int, reason: str, response: Response | None, now: float) -> list[Output]:
        outputs = self.refuse_offer(487, now)
        self.state = SessionState.GONE
        self.timers.clear()
        self._early.clear()
        return [*outputs, Rejected(self.id, status, reason, response)]

    def _dialog_of(self, response: Response) -> Dialog:
        dialog = Dialog.of_client(self._invite.request, response, self._invite.hop)
        dialog.pinned = self.pinned
        return dialog
