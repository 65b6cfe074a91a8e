"""The session of an INVITE that we send, until it is answered (RFC 3261 §13.2, §9.1).

event                         then
1xx                           Progress (each early dialog's); a CANCEL that waits for it goes out
2xx                           ACK, Accepted; when we have given up: ACK, BYE, Ended
2xx of another To tag         a forked branch: ACK and BYE, no output (§13.2.2.4)
the same 2xx again            the same ACK again
refusal, time-out             Rejected
we give up                    CANCEL, but not before a 1xx; no final answer in 64*T1: Rejected 408
"""

from __future__ import annotations

from gateway.sip.build import REASONS, cancel_for, response_to
from gateway.sip.dialog import Dialog
from gateway.sip.invite_session import HeaderLines, InviteSession, SessionState
from gateway.sip.message import Request, Response
from gateway.sip.outputs import Accepted, Output, Progress, Rejected
from gateway.sip.transaction import ClientTransaction, ServerTransaction, State
from gateway.sip.wire import Wire


class ClientSession(InviteSession):
    """``begin`` sends the INVITE."""

    __slots__ = ("_given_up", "_headers", "_invite", "_last")

    def __init__(self, session: str, wire: Wire) -> None:
        super().__init__(session, wire)
        self.owns_call_id = True
        self._invite: ClientTransaction
        self._given_up = False
        self._headers: HeaderLines = ()
        self._last: dict[str, list[Output]] = {}

    def begin(self, transaction: ClientTransaction) -> None:
        """Name the INVITE's transaction."""
        self._invite = transaction

    def renumbered(self, transaction: ClientTransaction) -> int | None:
        """An INVITE that was given up is not repeated."""
        if transaction is self._invite and (self._given_up or self.state is not SessionState.EARLY):
            return None
        return super().renumbered(transaction)

    def repeated(self, old: ClientTransaction, new: ClientTransaction) -> None:
        """A request of ours, maybe the INVITE, has been sent again."""
        if old is self._invite:
            self._invite = new
        super().repeated(old, new)

    @property
    def unheard(self) -> bool:
        """Nothing has come back yet, not even a 100."""
        return self._invite.state is State.CALLING

    def hang_up(self, now: float, headers: HeaderLines) -> list[Output]:
        """CANCEL while it rings, BYE when it is up."""
        if self.state is not SessionState.EARLY:
            return super().hang_up(now, headers)
        if self._given_up:
            return []
        self._given_up = True
        self._headers = headers
        if self._invite.state is State.TERMINATED:
            return self._reject(503, REASONS[503], None)
        return self._cancel(now) if self._invite.state is State.PROCEEDING else []

    def answered(self, transaction: ClientTransaction, response: Response, now: float) -> list[Output]:
        """A response to the INVITE, or to something later."""
        if transaction is not self._invite:
            return super().answered(transaction, response, now)
        if response.status < 200:
            return self._receive_provisional(response, now)
        if response.status < 300:
            return self._receive_2xx(response, now)
        if self.state is SessionState.EARLY:
            return self._reject(response.status, response.reason, response)
        return []

    def unanswered(self, transaction: ClientTransaction, reason: str, now: float) -> list[Output]:
        """Nothing came, or nothing could be sent."""
        if transaction is self._invite:
            if self.state is not SessionState.EARLY:
                return []
            status = 503 if reason == "transport" else 408
            return self._reject(status, REASONS[status], None)
        return super().unanswered(transaction, reason, now)

    def receive_request(self, transaction: ServerTransaction, request: Request, now: float) -> list[Output]:
        """A request of the callee. On an early dialog only BYE means anything: that branch is over."""
        if self.state is not SessionState.EARLY:
            return super().receive_request(transaction, request, now)
        if request.method != "BYE":
            answer = response_to(request, 500, headers=[("Retry-After", "1")])
            return list(self.wire.layer.respond(transaction, answer, now))
        outputs: list[Output] = list(self.wire.layer.respond(transaction, response_to(request, 200), now))
        self.wire.layer.forget(self._invite)
        return [*outputs, *self._reject(487, REASONS[487], None)]

    def fire(self, name: str, now: float) -> list[Output]:
        """``cancel``: no final response came to a cancelled INVITE (§9.1)."""
        if name == "cancel" and self.state is SessionState.EARLY:
            self.wire.layer.forget(self._invite)
            return self._reject(408, REASONS[408], None)
        return super().fire(name, now)

    def _receive_provisional(self, response: Response, now: float) -> list[Output]:
        if self.state is not SessionState.EARLY:
            return []
        if self._given_up:
            return [] if "cancel" in self.timers else self._cancel(now)
        if response.status == 100:
            return []
        if response.to.tag and self.dialog is None:
            self.dialog = self._dialog_of(response)
        return [Progress(self.id, response.status, response.reason, response.body, response)]

    def _receive_2xx(self, response: Response, now: float) -> list[Output]:
        tag = response.to.tag or ""
        if tag in self._last:
            return list(self._last[tag])
        dialog = self._dialog_of(response)
        first = self.state is SessionState.EARLY
        kept, self.dialog = self.dialog, dialog
        ack = self._ack(self._invite.request, now)
        self._last[tag] = ack
        if not first:
            outputs = [*ack, *self._bye((), now)]
            self.dialog = kept
            return outputs
        self.timers.pop("cancel", None)
        self.state = SessionState.CONFIRMED
        if kept is not None and kept.remote_tag == tag:
            # Requests of the callee on the early dialog have counted already.
            dialog.remote_cseq = kept.remote_cseq
            dialog.local_cseq = max(dialog.local_cseq, kept.local_cseq)
        if self._given_up:
            return [*ack, *self._bye(self._headers, now), *self._end("us", "CANCEL", "", now)]
        return [*ack, Accepted(self.id, response.body, response)]

    def _cancel(self, now: float) -> list[Output]:
        cancel = cancel_for(self._invite.request)
        for name, value in self._headers:
            cancel.headers.add(name, value)
        self.timers["cancel"] = now + self.wire.layer.timers.give_up
        return list(self.wire.layer.send(cancel, self._invite.hop, None, now)[1])

    def _reject(self, status: int, reason: str, response: Response | None) -> list[Output]:
        self.state = SessionState.GONE
        self.timers.clear()
        return [Rejected(self.id, status, reason, response)]

    def _dialog_of(self, response: Response) -> Dialog:
        dialog = Dialog.of_client(self._invite.request, response, self._invite.hop)
        dialog.pinned = self.pinned
        return dialog
