"""The whole SIP side as one pure machine: bytes from a hop in, bytes for hops and the life of sessions out.

    receive_message -> parse -> note the source -> transaction? -> screen -> dialog? -> session, or an answer from here

What comes outside of any dialog and starts nothing is answered without state (RFC 3261 §8.2.7), so a stranger's
messages cost no memory. Whatever the bytes are, nothing is raised: what can be answered gets its status, the rest is
dropped, and both are counted in ``counters``.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable
from itertools import count

from gateway.errors import ParseError
from gateway.sip.build import request as build_request
from gateway.sip.build import response_to
from gateway.sip.hop import Hop
from gateway.sip.invite_client import ClientSession
from gateway.sip.invite_server import ServerSession
from gateway.sip.invite_session import SDP, HeaderLines, InviteSession, SessionState
from gateway.sip.message import Malformed, Request, Response, parse_message
from gateway.sip.outputs import (
    Accepted,
    Confirmed,
    Ended,
    Incoming,
    InfoReceived,
    Offence,
    OfferAnswered,
    OfferRefused,
    Output,
    PageAnswered,
    PageReceived,
    Progress,
    ReInvited,
    Rejected,
)
from gateway.sip.paging import Page, Pager
from gateway.sip.screening import ALLOW, screen, screen_response
from gateway.sip.stateless import answer, reply_hop
from gateway.sip.transaction import ClientTransaction, Deliver, Failed, ServerTransaction, Timers, Transmit
from gateway.sip.wire import UserAgentSettings, Wire

__all__ = [
    "Accepted",
    "Confirmed",
    "Ended",
    "Incoming",
    "InfoReceived",
    "Offence",
    "OfferAnswered",
    "OfferRefused",
    "Output",
    "PageAnswered",
    "PageReceived",
    "Progress",
    "ReInvited",
    "Rejected",
    "Timers",
    "Transmit",
    "UserAgent",
    "UserAgentSettings",
]

UDP_LIMIT = 1300
RETRY_AFTER = ("Retry-After", "10")
MALFORMED = "malformed"


class UserAgent:
    """``token()`` gives fresh unguessable text for tags, branches and Call-IDs."""

    def __init__(self, settings: UserAgentSettings, token: Callable[[], str]) -> None:
        self.settings = settings
        self.wire = Wire(settings, token)
        self.layer = self.wire.layer
        self.pager = Pager(self.wire)
        self.accepting = True
        self.counters: Counter[str] = Counter()
        self._sessions: dict[str, InviteSession] = {}
        self._by_tag: dict[str, InviteSession] = {}
        self._tags: dict[str, str] = {}
        """The local tag of each session: a caller's session has no dialog before the first tagged response."""
        self._heap: list[tuple[float, int, InviteSession]] = []
        self._order = count()

    # --- state ------------------------------------------------------------------------------------------------------

    @property
    def sessions(self) -> int:
        """Sessions not yet forgotten."""
        return len(self._sessions)

    @property
    def deadline(self) -> float | None:
        """When ``handle_timeout`` is due."""
        heap = self._heap
        while heap and heap[0][2].armed != heap[0][0]:
            heapq.heappop(heap)
        mine = heap[0][0] if heap else None
        theirs = self.layer.deadline
        if mine is None or theirs is None:
            return theirs if mine is None else mine
        return min(mine, theirs)

    def handle_timeout(self, now: float) -> list[Output]:
        """Do what is due."""
        outputs: list[Output] = []
        for found in self.layer.handle_timeout(now):
            if isinstance(found, Transmit):
                outputs.append(found)
            else:
                outputs += self._failed(*found, now)
        while self._heap and self._heap[0][0] <= now:
            due, _, session = heapq.heappop(self._heap)
            if session.armed == due:
                session.armed = None
                outputs += self._settle(session, session.handle_timeout(now))
        return outputs

    # --- from the transport -----------------------------------------------------------------------------------------

    def receive_message(self, data: bytes, source: Hop, now: float) -> list[Output]:
        """A datagram, or a whole message of a stream. Never raises."""
        try:
            message = parse_message(data)
            if isinstance(message, Response):
                return self._receive_response(message, now)
            return self._receive_request(message, source, now)
        except Malformed as error:
            return self._answer_malformed(error, source)
        except ParseError as error:
            self.counters[f"dropped {error.field}"] += 1
            return [Offence(source, MALFORMED)]

    def receive_malformed(self, data: bytes, source: Hop, now: float) -> list[Output]:
        """A stream's bytes that can't be framed: answer 400 where possible; the transport closes."""
        try:
            message = parse_message(data)
        except Malformed as error:
            return self._answer_malformed(error, source)
        except ParseError:
            self.counters["dropped framing"] += 1
            return [Offence(source, MALFORMED)]
        if isinstance(message, Request):
            return self._answer_malformed(Malformed("framing", "unreadable", message), source)
        return []

    def transport_failed(self, hop: Hop, now: float) -> list[Output]:
        """What was sent to ``hop`` can't get there."""
        outputs: list[Output] = []
        for transaction, failed in self.layer.transport_failed(hop):
            outputs += self._failed(transaction, failed, now)
        return outputs

    # --- verbs ------------------------------------------------------------------------------------------------------

    def invite(
        self,
        target: Hop,
        uri_text: str,
        *,
        from_: str,
        to: str,
        headers: HeaderLines = (),
        body: bytes = b"",
        now: float,
    ) -> tuple[str, list[Output]]:
        """Call somebody: the session's id, and the INVITE. ``from_`` and ``to`` are name-addrs without tags."""
        wire = self.wire
        tag = wire.token()
        session = ClientSession(wire.token(), wire)
        made = build_request(
            "INVITE",
            uri_text,
            via=wire.via(target),
            from_=f"{from_};tag={tag}",
            to=to,
            call_id=wire.token(),
            cseq=1,
            contact=wire.contact(target),
            headers=[("Allow", ALLOW), ("User-Agent", self.settings.product), *headers],
            body=body,
            content_type=SDP,
        )
        transaction, outputs = self.layer.send(made, target, session, now)
        if target.transport == "udp" and len(transaction.data) > UDP_LIMIT:
            self.counters["INVITE over 1300 bytes on UDP"] += 1
        assert isinstance(transaction, ClientTransaction)
        session.begin(transaction)
        self._sessions[session.id] = self._by_tag[tag] = session
        self._tags[session.id] = tag
        return session.id, self._settle(session, list(outputs))

    def unheard(self, session: str) -> bool:
        """Whether nothing at all has come back to an INVITE of ours."""
        found = self._sessions.get(session)
        return isinstance(found, ClientSession) and found.unheard

    def ring(
        self, session: str, now: float, status: int = 180, body: bytes = b"", headers: HeaderLines = ()
    ) -> list[Output]:
        """A provisional response of a session that came in."""
        found = self._sessions.get(session)
        if not isinstance(found, ServerSession):
            return []
        return self._settle(found, found.ring(status, body, headers, now))

    def accept(self, session: str, body: bytes, now: float) -> list[Output]:
        """Answer a session that came in."""
        found = self._sessions.get(session)
        return self._settle(found, found.accept(body, now)) if isinstance(found, ServerSession) else []

    def reject(
        self, session: str, status: int, now: float, reason: str | None = None, headers: HeaderLines = ()
    ) -> list[Output]:
        """Refuse a session that came in."""
        found = self._sessions.get(session)
        if not isinstance(found, ServerSession):
            return []
        return self._settle(found, found.reject(status, reason, headers, now))

    def hang_up(self, session: str, now: float, headers: HeaderLines = ()) -> list[Output]:
        """End a session, whatever its state: BYE, CANCEL or a refusal."""
        return self._with(session, lambda found: found.hang_up(now, headers))

    def reoffer(self, session: str, body: bytes, now: float) -> list[Output]:
        """Send a re-INVITE with an offer."""
        return self._with(session, lambda found: found.reoffer(body, now))

    def answer_offer(self, session: str, body: bytes, now: float) -> list[Output]:
        """Answer ReInvited with an SDP."""
        return self._with(session, lambda found: found.answer_offer(body, now))

    def refuse_offer(self, session: str, status: int, now: float) -> list[Output]:
        """Refuse ReInvited."""
        return self._with(session, lambda found: found.refuse_offer(status, now))

    def info(self, session: str, content_type: str, body: bytes, now: float) -> list[Output]:
        """Send an INFO."""
        return self._with(session, lambda found: found.info(content_type, body, now))

    # --- inside: requests -------------------------------------------------------------------------------------------

    def _receive_request(self, request: Request, source: Hop, now: float) -> list[Output]:
        if request.version != "SIP/2.0":
            # Its Via may be of another version too, so nothing else of it is looked at.
            return [] if request.method == "ACK" else self._answer(request, source, 505)
        try:
            request.note_source(source.host, source.port)
        except ParseError as error:
            raise Malformed(error.field, error.detail, request) from None
        refusal = screen(request)
        if request.method == "ACK":
            return [] if refusal else self._receive_ack(request, now)
        if refusal is not None:
            status, reason, headers = refusal
            return self._answer(request, source, status, reason, headers)
        if request.method == "CANCEL":
            return self._receive_cancel(request, source, now)
        again = self.layer.find_server(request)
        if again is not None:
            return list(self.layer.receive_again(again, request, now))
        if request.to.tag:
            session = self._dialog_of(request)
            if session is None:
                return self._answer(request, source, 481)
            transaction = self.layer.accept(request, reply_hop(request, source))
            return self._settle(session, session.receive_request(transaction, request, now))
        if request.method == "INVITE":
            return self._receive_invite(request, source, now)
        if not self.accepting and request.method in ("MESSAGE", "OPTIONS"):
            return self._answer(request, source, 503, None, [RETRY_AFTER])
        if request.method == "MESSAGE":
            return list(self.pager.receive(request, source))
        if request.method == "OPTIONS":
            return self._answer(request, source, 200, None, [("Allow", ALLOW), ("Accept", SDP)])
        return self._answer(request, source, 481)

    def _receive_invite(self, request: Request, source: Hop, now: float) -> list[Output]:
        if not self.accepting:
            return self._answer(request, source, 503, None, [RETRY_AFTER])
        if self.layer.is_merged(request):
            return self._answer(request, source, 482)
        hop = reply_hop(request, source)
        transaction = self.layer.accept(request, hop)
        assert isinstance(transaction, ServerTransaction)
        session = ServerSession(self.wire.token(), self.wire, transaction, source)
        transaction.owner = session
        assert session.dialog is not None
        self._sessions[session.id] = self._by_tag[session.dialog.local_tag] = session
        self._tags[session.id] = session.dialog.local_tag
        outputs: list[Output] = list(self.layer.respond(transaction, response_to(request, 100), now))
        return [*self._settle(session, outputs), Incoming(session.id, request, source)]

    def _receive_ack(self, request: Request, now: float) -> list[Output]:
        transaction = self.layer.find_server(request, "INVITE")
        if transaction is not None and request.to.tag and self._dialog_of(request) is None:
            return list(self.layer.receive_again(transaction, request, now))
        if transaction is not None:
            outputs: list[Output] = list(self.layer.receive_again(transaction, request, now))
        else:
            outputs = []
        session = self._dialog_of(request)
        if session is not None:
            outputs += self._settle(session, session.receive_ack(request, now))
        return outputs

    def _receive_cancel(self, request: Request, source: Hop, now: float) -> list[Output]:
        transaction = self.layer.find_server(request, "INVITE")
        if transaction is None:
            return self._answer(request, source, 481)
        session = transaction.owner if isinstance(transaction.owner, InviteSession) else self._dialog_of(request)
        tag = session.dialog.local_tag if session is not None and session.dialog is not None else None
        response = response_to(request, 200, to_tag=tag)
        outputs: list[Output] = [Transmit(bytes(response), reply_hop(request, source), response)]
        if session is not None:
            outputs += self._settle(session, session.receive_cancel(transaction, now))
        return outputs

    def _dialog_of(self, request: Request) -> InviteSession | None:
        session = self._by_tag.get(request.to.tag or "")
        if session is None or session.dialog is None:
            return None
        dialog = session.dialog
        same = dialog.call_id == request.call_id and dialog.remote_tag == (request.from_.tag or "")
        return session if same else None

    # --- inside: responses ------------------------------------------------------------------------------------------

    def _receive_response(self, response: Response, now: float) -> list[Output]:
        if not screen_response(response):
            self.counters["dropped response"] += 1
            return []
        transaction, found = self.layer.receive_response(response, now)
        if transaction is None:
            self.counters["stray response"] += 1
            return []
        outputs: list[Output] = []
        for output in found:
            match output:
                case Transmit():
                    outputs.append(output)
                case Deliver() if isinstance(transaction.owner, Page):
                    outputs += self.pager.answered(transaction.owner, response)
                case Deliver() if isinstance(transaction.owner, InviteSession):
                    session = transaction.owner
                    outputs += self._settle(session, session.receive_response(transaction, response, now))
                case _:
                    pass
        return outputs

    def _failed(self, transaction: object, failed: Failed, now: float) -> list[Output]:
        if not isinstance(transaction, ClientTransaction):
            return []
        if isinstance(transaction.owner, Page):
            return list(self.pager.failed(transaction.owner, failed))
        if not isinstance(transaction.owner, InviteSession):
            return []
        session = transaction.owner
        return self._settle(session, session.failed(transaction, failed.reason, now))

    def _answer(
        self, request: Request, source: Hop, status: int, reason: str | None = None, headers: HeaderLines = ()
    ) -> list[Output]:
        self.counters[f"answered {status}"] += 1
        return [answer(request, source, status, reason, headers)]

    def _answer_malformed(self, error: Malformed, source: Hop) -> list[Output]:
        request = error.request
        if request is None or request.method == "ACK":
            self.counters[f"dropped {error.field}"] += 1
            return [Offence(source, MALFORMED)]
        return [*self._answer(request, source, 400, f"Bad Request ({error.field})"), Offence(source, MALFORMED)]

    # --- inside: sessions -------------------------------------------------------------------------------------------

    def _with(self, session: str, act: Callable[[InviteSession], list[Output]]) -> list[Output]:
        found = self._sessions.get(session)
        return [] if found is None else self._settle(found, act(found))

    def _settle(self, session: InviteSession, outputs: list[Output]) -> list[Output]:
        """Forget a session that is over; put one that waits into the heap under its new deadline."""
        deadline = session.deadline
        if session.state is SessionState.GONE and deadline is None:
            self._forget(session)
        elif deadline != session.armed:
            session.armed = deadline
            if deadline is not None:
                heapq.heappush(self._heap, (deadline, next(self._order), session))
        return outputs

    def _forget(self, session: InviteSession) -> None:
        session.armed = None
        if self._sessions.pop(session.id, None) is None:
            return
        self._by_tag.pop(self._tags.pop(session.id), None)
