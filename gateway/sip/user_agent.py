"""The whole SIP side as one pure machine: bytes from a hop in, bytes for hops and the life of sessions out.

    receive_message -> parse -> a request: reception            -> session, or a door
                             -> a response: transaction_layer   -> the owner of its transaction

Whatever the bytes are, nothing is raised: what can be answered gets its status, the rest is dropped, and both are
counted in ``counters``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from gateway.errors import ParseError
from gateway.sip.account import CHALLENGED, Account, repeat
from gateway.sip.build import request as build_request
from gateway.sip.dialog import is_sips
from gateway.sip.hop import Hop
from gateway.sip.invite_client import ClientSession
from gateway.sip.invite_refresh import RefreshingSession
from gateway.sip.invite_server import ServerSession
from gateway.sip.invite_session import PLAIN, HeaderLines
from gateway.sip.message import Malformed, Request, Response, parse_message
from gateway.sip.methods import ALLOW, Refusal
from gateway.sip.outputs import (
    Accepted,
    Answered,
    Confirmed,
    ContactsChanged,
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
from gateway.sip.paging import Pager
from gateway.sip.policy import Policy
from gateway.sip.reception import MALFORMED, Reception
from gateway.sip.registrar import Registrar
from gateway.sip.screening import SDP, screen_response
from gateway.sip.sessions import Sessions
from gateway.sip.transaction import ClientTransaction, Deliver, Failed, Timers, Transmit
from gateway.sip.wire import UserAgentSettings, Wire

__all__ = [
    "Accepted",
    "Answered",
    "Confirmed",
    "ContactsChanged",
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


class UserAgent:
    """``token()`` gives fresh unguessable text for tags, branches and Call-IDs.

    Other machines build on it: what they want to receive outside of dialogs gets a door in ``reception.doors``, and
    what they send (``wire.layer.send``) is told to its ``Owner``.
    """

    def __init__(self, settings: UserAgentSettings, token: Callable[[], str]) -> None:
        self.settings = settings
        self.wire = Wire(settings, token)
        self.layer = self.wire.layer
        self.counters: Counter[str] = self.wire.large.counters
        self._sessions = Sessions()
        self.reception = Reception(self.wire, self._sessions, self.counters)
        self.pager = Pager(self.wire)
        self.reception.doors["MESSAGE"] = self.pager.receive
        self.registrar: Registrar | None = None

    def serve(self, registrar: Registrar) -> None:
        """Take REGISTERs from here on."""
        self.registrar = registrar
        self.reception.doors["REGISTER"] = registrar.receive

    # --- state ------------------------------------------------------------------------------------------------------

    @property
    def sessions(self) -> int:
        """Sessions not yet forgotten."""
        return len(self._sessions)

    @property
    def accepting(self) -> bool:
        """Whether something new may begin; False while the node drains."""
        return self.reception.accepting

    @accepting.setter
    def accepting(self, value: bool) -> None:
        self.reception.accepting = value

    @property
    def deadline(self) -> float | None:
        """When ``handle_timeout`` is due."""
        mine, theirs = self._sessions.deadline, self.layer.deadline
        if self.registrar is not None and (its := self.registrar.deadline) is not None:
            theirs = its if theirs is None else min(its, theirs)
        if mine is None or theirs is None:
            return theirs if mine is None else mine
        return min(mine, theirs)

    def handle_timeout(self, now: float) -> list[Output]:
        """Do what is due."""
        outputs = self._told(self.layer.handle_timeout(now), now)
        outputs += self._sessions.handle_timeout(now)
        return outputs if self.registrar is None else outputs + self.registrar.handle_timeout(now)

    # --- from the transport -----------------------------------------------------------------------------------------

    def receive_message(self, data: bytes, source: Hop, now: float) -> list[Output]:
        """A datagram, or a whole message of a stream. Never raises."""
        try:
            message = parse_message(data)
            if isinstance(message, Response):
                return self._receive_response(message, now)
            return self.reception.receive(message, source, now)
        except Malformed as error:
            return self.reception.answer_malformed(error, source, now)
        except ParseError as error:
            self.counters[f"dropped {error.field}"] += 1
            return [Offence(source, MALFORMED)]

    def refuse_new(self, data: bytes, source: Hop, now: float) -> list[Output]:
        """A message that begins something and has waited too long (overload.py). Never raises."""
        try:
            message = parse_message(data)
            return self.reception.refuse_new(message, source, now) if isinstance(message, Request) else []
        except Malformed as error:
            return self.reception.answer_malformed(error, source, now)
        except ParseError as error:
            self.counters[f"dropped {error.field}"] += 1
            return [Offence(source, MALFORMED)]

    def receive_malformed(self, data: bytes, source: Hop, now: float) -> list[Output]:
        """A stream's bytes that can't be framed: answer 400 where possible; the transport closes."""
        try:
            message = parse_message(data)
        except Malformed as error:
            return self.reception.answer_malformed(error, source, now)
        except ParseError:
            self.counters["dropped framing"] += 1
            return [Offence(source, MALFORMED)]
        if isinstance(message, Request):
            return self.reception.answer_malformed(Malformed("framing", "unreadable", message), source, now)
        return []

    def transport_failed(self, hop: Hop, now: float) -> list[Output]:
        """What was sent to ``hop`` can't get there."""
        return self._told(self.layer.transport_failed(hop, now), now)

    def connection_closed(self, hop: Hop, now: float) -> list[Output]:
        """A connection is gone."""
        return [] if self.registrar is None else self.registrar.connection_closed(hop, now)

    @staticmethod
    def _told(found: Iterable[Transmit | tuple[ClientTransaction, Failed]], now: float) -> list[Output]:
        """What the owners of failed transactions make of it."""
        outputs: list[Output] = []
        for one in found:
            if isinstance(one, Transmit):
                outputs.append(one)
            elif one[0].owner is not None:
                outputs += one[0].owner.failed(one[0], one[1].reason, now)
        return outputs

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
            if isinstance(output, Transmit):
                outputs.append(output)
            elif isinstance(output, Deliver) and transaction.owner is not None:
                again = repeat(self.wire, transaction, response, now) if response.status in CHALLENGED else None
                if again is not None:
                    outputs += again
                    continue
                outputs += transaction.owner.receive_response(transaction, response, now)
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
        account: Account | None = None,
        pinned: bool = False,
        policy: Policy = PLAIN,
        max_forwards: int = 70,
        now: float,
    ) -> tuple[str, list[Output]]:
        """Call somebody: the session's id, and the INVITE. ``from_`` and ``to`` are name-addrs without tags; by
        ``account`` we are known there. ``pinned``: whatever follows goes to ``target`` too (dialog.py).
        ``max_forwards``: what is left of the caller's."""
        wire = self.wire
        tag = wire.token()
        # The session bears the name of its Call-ID, so whoever sees a message on the wire can tell whose it is.
        session = ClientSession(wire.token(), wire)
        session.account = account
        session.pinned = pinned
        session.govern(policy)
        made = build_request(
            "INVITE",
            uri_text,
            via=wire.via(target),
            from_=f"{from_};tag={tag}",
            to=to,
            call_id=session.id,
            cseq=1,
            contact=wire.contact(target, sips=is_sips(uri_text)),
            headers=[
                ("Allow", ALLOW),
                *policy.offered(),
                *session.asked_first(),
                ("User-Agent", self.settings.product),
                *headers,
            ],
            body=body,
            content_type=SDP,
            max_forwards=max_forwards,
        )
        transaction, outputs = self.layer.send(made, target, session, now)
        session.begin(transaction)
        self._sessions.add(session, tag)
        return session.id, self._sessions.settle(session, list(outputs))

    def identify(self, session: str, account: Account) -> None:
        """Where a session leads we are known by ``account``."""
        found = self._sessions.get(session)
        if found is not None:
            found.account = account

    def pin(self, session: str) -> None:
        """What a session that came in sends goes where its INVITE came from (dialog.py)."""
        found = self._sessions.get(session)
        if found is not None and found.dialog is not None:
            found.dialog.pinned = True

    def admit(self, session: str, policy: Policy) -> Refusal | None:
        """Let a session that came in go on under ``policy``; or why it can't."""
        found = self._sessions.get(session)
        return found.admit(policy) if isinstance(found, ServerSession) else None

    def is_acknowledged(self, session: str) -> bool:
        """Whether our provisional responses in a session that came in are acknowledged (RFC 3262)."""
        found = self._sessions.get(session)
        return isinstance(found, ServerSession) and found.reliable is not None

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
        return self._sessions.settle(found, found.ring(status, body, headers, now))

    def accept(self, session: str, body: bytes, now: float) -> list[Output]:
        """Answer a session that came in."""
        found = self._sessions.get(session)
        return self._sessions.settle(found, found.accept(body, now)) if isinstance(found, ServerSession) else []

    def reject(
        self, session: str, status: int, now: float, reason: str | None = None, headers: HeaderLines = ()
    ) -> list[Output]:
        """Refuse a session that came in."""
        found = self._sessions.get(session)
        if not isinstance(found, ServerSession):
            return []
        return self._sessions.settle(found, found.reject(status, reason, headers, now))

    def hang_up(self, session: str, now: float, headers: HeaderLines = ()) -> list[Output]:
        """End a session, whatever its state: BYE, CANCEL or a refusal."""
        return self._with(session, lambda found: found.hang_up(now, headers))

    def reoffer(self, session: str, body: bytes, now: float, method: str = "INVITE") -> list[Output]:
        """Send an offer by re-INVITE, or by UPDATE."""
        return self._with(session, lambda found: found.reoffer(body, now, method))

    def may_offer(self, session: str) -> bool:
        """Whether ``reoffer`` would send a re-INVITE at once."""
        found = self._sessions.get(session)
        return found is not None and found.may_offer

    def answer_offer(self, session: str, body: bytes, now: float) -> list[Output]:
        """Answer ReInvited with an SDP."""
        return self._with(session, lambda found: found.answer_offer(body, now))

    def refuse_offer(self, session: str, status: int, now: float) -> list[Output]:
        """Refuse ReInvited."""
        return self._with(session, lambda found: found.refuse_offer(status, now))

    def info(self, session: str, content_type: str, body: bytes, now: float) -> list[Output]:
        """Send an INFO."""
        return self._with(session, lambda found: found.info(content_type, body, now))

    def _with(self, session: str, act: Callable[[RefreshingSession], list[Output]]) -> list[Output]:
        found = self._sessions.get(session)
        return [] if found is None else self._sessions.settle(found, act(found))
