"""The session of an INVITE that came to us, until it is answered (RFC 3261 §13.3)."""

from __future__ import annotations

from gateway.sip.build import response_to
from gateway.sip.dialog import Dialog
from gateway.sip.hop import Hop
from gateway.sip.invite_session import HeaderLines, InviteSession, SessionState
from gateway.sip.message import Request
from gateway.sip.methods import ALLOW
from gateway.sip.outputs import Output
from gateway.sip.screening import SDP
from gateway.sip.transaction import ServerTransaction
from gateway.sip.wire import Wire

REPEAT_1XX = 60.0


class ServerSession(InviteSession):
    """``invite``: its server transaction, to which nothing but 100 has been answered."""

    __slots__ = ("_invite", "_provisional")

    def __init__(self, session: str, wire: Wire, invite: ServerTransaction, source: Hop) -> None:
        super().__init__(session, wire)
        self._invite = invite
        self._provisional: tuple[int, bytes, HeaderLines] | None = None
        self.dialog = Dialog.of_server(invite.request, wire.token(), source)

    def ring(self, status: int, body: bytes, headers: HeaderLines, now: float) -> list[Output]:
        """A provisional response; said again every minute, since proxies give up after three (§13.3.1.1)."""
        if self.state is not SessionState.EARLY:
            return []
        assert self.dialog is not None
        self._provisional = (status, body, headers)
        self.timers["1xx"] = now + REPEAT_1XX
        lines = [("Contact", self.wire.contact(self._invite.hop)), ("Allow", ALLOW), *headers]
        response = response_to(
            self._invite.request, status, to_tag=self.dialog.local_tag, headers=lines, body=body, content_type=SDP
        )
        return list(self.wire.layer.respond(self._invite, response, now))

    def accept(self, body: bytes, now: float) -> list[Output]:
        """Answer 200 with an SDP."""
        if self.state is not SessionState.EARLY:
            return []
        self.state = SessionState.ANSWERED
        self.timers.pop("1xx", None)
        return self.send_2xx(self._invite, body, now)

    def reject(self, status: int, reason: str | None, headers: HeaderLines, now: float) -> list[Output]:
        """Refuse. Nothing more comes out of the session."""
        if self.state is not SessionState.EARLY:
            return []
        outputs = self._final(status, reason, headers, now)
        self.state = SessionState.GONE
        self.timers.clear()
        return outputs

    def hang_up(self, now: float, headers: HeaderLines) -> list[Output]:
        """End it in whatever state it is."""
        if self.state is SessionState.EARLY:
            return [*self._final(480, None, headers, now), *self._end("us", "480", "", now)]
        return super().hang_up(now, headers)

    def receive_cancel(self, transaction: ServerTransaction, now: float) -> list[Output]:
        """The caller gives up; after our final response it is too late (§9.2)."""
        if transaction is self._invite and self.state is SessionState.EARLY:
            return [*self._final(487, None, (), now), *self._end("peer", "CANCEL", "", now)]
        return super().receive_cancel(transaction, now)

    def receive_request(self, transaction: ServerTransaction, request: Request, now: float) -> list[Output]:
        """A request on the early or the confirmed dialog."""
        early = self.state is SessionState.EARLY
        if early and request.method in ("INVITE", "UPDATE"):
            # §14.2: a second INVITE before the final response to the first; an UPDATE has nothing to change yet.
            return list(
                self.wire.layer.respond(transaction, response_to(request, 500, headers=[("Retry-After", "3")]), now)
            )
        outputs = super().receive_request(transaction, request, now)
        if early and request.method == "BYE" and not self._invite.answered:
            outputs[1:1] = self._final(487, None, (), now)
        return outputs

    def fire(self, name: str, now: float) -> list[Output]:
        """``1xx`` repeats the last provisional."""
        if name == "1xx" and self._provisional is not None:
            return self.ring(*self._provisional, now)
        return super().fire(name, now)

    def _final(self, status: int, reason: str | None, headers: HeaderLines, now: float) -> list[Output]:
        assert self.dialog is not None
        response = response_to(self._invite.request, status, reason, to_tag=self.dialog.local_tag, headers=headers)
        return list(self.wire.layer.respond(self._invite, response, now))
