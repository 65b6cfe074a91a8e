"""Requests as they come: a retransmission, one within a dialog, or one that has to find its door.

    parsed -> screened -> ACK, CANCEL -> transaction? -> dialog? -> session, or the door of its method

A door takes requests outside of any dialog. Who wants a method puts his into ``doors``; one without a door gets the row
of ``methods``. What starts nothing is answered without state (RFC 3261 §8.2.7), so a stranger's messages cost no
memory. Where ``unknown`` says that a source is nobody's it is not even answered: all that it finds are doors that ask
who is there (authenticator.py). While the node drains (``accepting`` False), the methods of ``NEW`` get 503; so does
under load what has waited too long (``refuse_new``, overload.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from gateway.errors import ParseError
from gateway.sip.build import response_to
from gateway.sip.hop import Hop
from gateway.sip.invite_server import ServerSession
from gateway.sip.message import Malformed, Request
from gateway.sip.methods import ALLOW, Refusal, refused_outside
from gateway.sip.outputs import Incoming, Offence, Output
from gateway.sip.overload import MARK
from gateway.sip.policy import SUPPORTED
from gateway.sip.screening import SDP, screen
from gateway.sip.server_transaction import ServerTransaction
from gateway.sip.sessions import Sessions
from gateway.sip.stateless import answer, reply_hop
from gateway.sip.transaction import Transmit
from gateway.sip.wire import Wire

RETRY_AFTER = ("Retry-After", "10")
MALFORMED = "malformed"
NEW = frozenset({"INVITE", "MESSAGE", "OPTIONS"})
Door = Callable[[Request, Hop, float], list[Output]]


class Reception:
    """``counters`` is the user agent's."""

    __slots__ = ("_layer", "_sessions", "_wire", "accepting", "counters", "doors", "unknown")

    def __init__(self, wire: Wire, sessions: Sessions, counters: Counter[str]) -> None:
        self._wire = wire
        self._layer = wire.layer
        self._sessions = sessions
        self.counters = counters
        self.accepting = True
        self.unknown: Callable[[Hop, float], bool] = _nobody
        self.doors: dict[str, Door] = {"INVITE": self._receive_invite, "OPTIONS": self._receive_options}

    def receive(self, request: Request, source: Hop, now: float) -> list[Output]:
        """Any request. Raises Malformed."""
        method = request.method
        if request.version != "SIP/2.0":
            # Its Via may be of another version too, so nothing else of it is looked at.
            return [] if method == "ACK" else self.answer(request, source, now, (505, None, []))
        _note(request, source)
        refusal = screen(request, self.doors)
        if method == "ACK":
            return [] if refusal else self._receive_ack(request, now)
        if refusal is not None:
            return self.answer(request, source, now, refusal)
        if method == "CANCEL":
            return self._receive_cancel(request, source, now)
        again = self._layer.find_server(request)
        if again is not None:
            return list(self._layer.receive_again(again, request, now))
        if request.to.tag:
            return self._receive_within(request, source, now)
        if not self.accepting and method in NEW:
            return self.answer(request, source, now, (503, None, [RETRY_AFTER]))
        door = self.doors.get(method)
        return (
            self.answer(request, source, now, refused_outside(method)) if door is None else door(request, source, now)
        )

    def refuse_new(self, request: Request, source: Hop, now: float) -> list[Output]:
        """503 for what has waited too long, unless it is known. Raises Malformed."""
        _note(request, source)
        if self._layer.find_server(request) is not None:
            return self.receive(request, source, now)
        return self.answer(request, source, now, (503, None, [RETRY_AFTER]), MARK)

    def answer(self, request: Request, source: Hop, now: float, refusal: Refusal, mark: str = "") -> list[Output]:
        """Answer at once and without state."""
        if self.unknown(source, now):
            self.counters["not answered"] += 1
            return []
        status, reason, headers = refusal
        self.counters[f"answered {status}"] += 1
        return [answer(request, source, status, reason, headers, mark)]

    def answer_malformed(self, error: Malformed, source: Hop, now: float) -> list[Output]:
        """400, where there is somebody to tell."""
        request = error.request
        if request is None or request.method == "ACK":
            self.counters[f"dropped {error.field}"] += 1
            return [Offence(source, MALFORMED)]
        told = self.answer(request, source, now, (400, f"Bad Request ({error.field})", []))
        return [*told, Offence(source, MALFORMED)]

    def _receive_within(self, request: Request, source: Hop, now: float) -> list[Output]:
        session = self._sessions.of_dialog(request)
        if session is None:
            return self.answer(request, source, now, (481, None, []))
        transaction = self._layer.accept(request, reply_hop(request, source))
        return self._sessions.settle(session, session.receive_request(transaction, request, now))

    def _receive_options(self, request: Request, source: Hop, now: float) -> list[Output]:
        lines = [("Allow", ALLOW), ("Accept", SDP), ("Supported", SUPPORTED)]
        return self.answer(request, source, now, (200, None, lines))

    def _receive_invite(self, request: Request, source: Hop, now: float) -> list[Output]:
        if self._layer.is_merged(request):
            return self.answer(request, source, now, (482, None, []))
        transaction = self._layer.accept(request, reply_hop(request, source))
        assert isinstance(transaction, ServerTransaction)
        session = ServerSession(self._wire.token(), self._wire, transaction, source)
        transaction.owner = session
        assert session.dialog is not None
        self._sessions.add(session, session.dialog.local_tag)
        outputs: list[Output] = list(self._layer.respond(transaction, response_to(request, 100), now))
        return [*self._sessions.settle(session, outputs), Incoming(session.id, request, source)]

    def _receive_ack(self, request: Request, now: float) -> list[Output]:
        outputs: list[Output] = []
        transaction = self._layer.find_server(request, "INVITE")
        if transaction is not None:
            outputs += self._layer.receive_again(transaction, request, now)
        session = self._sessions.of_dialog(request)
        if session is not None:
            outputs += self._sessions.settle(session, session.receive_ack(request, now))
        return outputs

    def _receive_cancel(self, request: Request, source: Hop, now: float) -> list[Output]:
        transaction = self._layer.find_server(request, "INVITE")
        if transaction is None:
            return self.answer(request, source, now, (481, None, []))
        session = transaction.owner or self._sessions.of_dialog(request)
        tag = session.dialog.local_tag if session is not None and session.dialog is not None else None
        response = response_to(request, 200, to_tag=tag)
        outputs: list[Output] = [Transmit(bytes(response), reply_hop(request, source), response)]
        if session is not None:
            reason = ", ".join(request.headers.get_all("Reason"))
            outputs += self._sessions.settle(session, session.receive_cancel(transaction, reason, now))
        return outputs


def _note(request: Request, source: Hop) -> None:
    try:
        request.note_source(source.host, source.port)
    except ParseError as error:
        raise Malformed(error.field, error.detail, request) from None


def _nobody(source: Hop, now: float) -> bool:
    return False
