"""Our registration at a carrier, kept (RFC 3261 §10.2; the waits of RFC 5626 §4.5): REGISTER, and again before its end.

    200           registered until the end that our Contact is given there; again when four fifths have passed
    423           once more at once, with its Min-Expires
    401, 407      answered by the account; refused with credentials: as 403
    403, 404      the account is wrong or locked: again after the longest wait
    other, none   again after a wait that doubles, at the trunk's next peer; sooner while the registration still holds;
                  never before its Retry-After

A registration that can't be refreshed holds until its end. One Call-ID and rising CSeq for all (§10.2). Between
refreshes the flow is kept open by CRLF CRLF (RFC 5626 §3.5.1); when a connection breaks, REGISTER goes at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from gateway.calls.addresses import NOWHERE
from gateway.calls.settings import RegistrationSettings
from gateway.errors import ParseError
from gateway.sip.account import Account
from gateway.sip.grammar import param, retry_seconds
from gateway.sip.headers import NameAddr
from gateway.sip.hop import Hop
from gateway.sip.message import Response
from gateway.sip.outputs import Answered, KeepAlive
from gateway.sip.standalone import send
from gateway.sip.transaction import Transmit
from gateway.sip.uri import SipUri
from gateway.sip.wire import Wire

FIRST_WAIT = 4.0
LONGEST_WAIT = 600.0
UNKNOWN_WAIT = 1.0
MAX_EXPIRES = 86400
_HOPELESS = (401, 403, 404, 407)


class State(Enum):
    """Where a registration stands. LEAVING: its end has been asked for."""

    WAITING = "waiting"
    REGISTERED = "registered"
    LEAVING = "leaving"
    LEFT = "left"


class Registration:
    """``at``: when ``due`` wants to be called. ``status``: the last answer, 0 before the first."""

    __slots__ = ("_account", "_again", "_call_id", "_cseq", "_expires", "_failures", "_peer", "_peers", "_ping",
                 "_settings", "_wire", "asked", "at", "end", "state", "status")  # fmt: skip

    def __init__(
        self, settings: RegistrationSettings, peers: Sequence[Hop], account: Account | None, wire: Wire, at: float
    ) -> None:
        self._settings = settings
        self._peers = peers
        self._peer = 0
        self._account = account
        self._wire = wire
        self._call_id = wire.token()
        self._cseq = 1
        self._expires = settings.expires
        self._failures = 0
        self._again = at
        self._ping = False
        self.asked = ""
        self.at = at
        self.end = 0.0
        self.state = State.WAITING
        self.status = 0

    @property
    def hop(self) -> Hop:
        """Where we are registered, or try to be."""
        return self._peers[self._peer]

    def due(self, now: float) -> list[Transmit | KeepAlive]:
        """Its time has come."""
        if self.state is State.REGISTERED and now >= self.end:
            self.state = State.WAITING
        if self.asked or self.state in (State.LEAVING, State.LEFT):
            # An answer is on its way, or the transaction's time-out; the end of the registration may come before.
            self.at = self.end if self.state is State.REGISTERED else float("inf")
            return []
        if now < self._again:
            ping = self._ping
            self._rest(now)
            return [KeepAlive(self.hop)] if ping else []
        if not self._is_somewhere():
            self._again = self.at = now + UNKNOWN_WAIT
            return []
        return list(self._register(self._expires, now))

    def _is_somewhere(self) -> bool:
        """Whether it is known where a peer is; then that is the one."""
        for _ in self._peers:
            if self.hop != NOWHERE:
                return True
            self._peer = (self._peer + 1) % len(self._peers)
        return False

    def leave(self, now: float) -> list[Transmit]:
        """The node stops."""
        registered, self.state = self.state is State.REGISTERED, State.LEFT
        self.at, self.asked = float("inf"), ""
        if not registered:
            return []
        self.state = State.LEAVING
        return self._register(0, now)

    def broken(self, now: float) -> None:
        """The connection to ``hop`` is gone, and with it the flow that calls come by."""
        if self.state is State.REGISTERED and not self.asked and not self._failures:
            self._ping = False
            self.at = self._again = now

    def answered(self, answer: Answered, now: float) -> list[Transmit]:
        """What came of ``asked``."""
        self.asked = ""
        self._cseq = answer.cseq + 1
        self.status = answer.status
        response = answer.response
        if self.state is State.LEAVING:
            self.state = State.LEFT
            return []
        if response is not None and 200 <= answer.status < 300:
            self._accepted(response, now)
            return []
        if response is not None and answer.status == 423:
            least = retry_seconds(response.headers.get("Min-Expires")) or 0
            if self._expires < least <= MAX_EXPIRES:
                self._expires = least
                return self._register(least, now)
        self._failed(answer, now)
        return []

    def _register(self, expires: int, now: float) -> list[Transmit]:
        hop, wire, settings = self.hop, self._wire, self._settings
        ours = f"<sip:{settings.user}@{settings.domain}>"
        contact = wire.contact(hop).replace("sip:", f"sip:{settings.user}@", 1)
        self._ping = False
        self.asked, outputs = send(
            wire, "REGISTER", hop, f"sip:{settings.domain}", from_=ours, to=ours, call_id=self._call_id,
            cseq=self._cseq, contact=contact, headers=[("Expires", str(expires)), ("Supported", "path")],
            account=self._account, now=now,
        )  # fmt: skip
        self.at = self.end if self.state is State.REGISTERED else float("inf")
        return outputs

    def _accepted(self, response: Response, now: float) -> None:
        seconds = self._granted(response)
        if seconds <= 0:
            self._failed(Answered("", 200, 0, None), now)
            return
        self._failures = 0
        self.state = State.REGISTERED
        self.end = now + seconds
        # Not all trunks at once.
        self._again = now + seconds * (0.75 + 0.1 * self._wire.chance())
        self._rest(now)

    def _rest(self, now: float) -> None:
        """Until the next REGISTER, or the next sign of life before it."""
        every = self._settings.keep_alive
        self._ping = self.state is State.REGISTERED and 0 < every < self._again - now
        self.at = now + every if self._ping else self._again

    def _granted(self, response: Response) -> int:
        """For how long: what stands at our Contact, else Expires, else what we asked for (§10.2.4)."""
        for text in response.headers.values("Contact"):
            try:
                contact = NameAddr.parse(text, "Contact")
            except ParseError:
                continue
            if isinstance(contact.uri, SipUri) and contact.uri.user == self._settings.user:
                seconds = retry_seconds(param(contact.params, "expires"))
                if seconds is not None:
                    return min(seconds, MAX_EXPIRES)
        seconds = retry_seconds(response.headers.get("Expires"))
        return self._expires if seconds is None else min(seconds, MAX_EXPIRES)

    def _failed(self, answer: Answered, now: float) -> None:
        wait = LONGEST_WAIT if answer.status in _HOPELESS else min(LONGEST_WAIT, FIRST_WAIT * 2.0**self._failures)
        if self.state is State.REGISTERED:
            # The nearer its end, the sooner: a few more tries before calls stop.
            wait = min(wait, max(FIRST_WAIT, (self.end - now) / 3))
        self._failures = min(self._failures + 1, 16)
        wait *= 0.5 + 0.5 * self._wire.chance()
        if answer.response is not None:
            wait = max(wait, min(retry_seconds(answer.response.headers.get("Retry-After")) or 0, 3600))
        if answer.status not in _HOPELESS:
            self._peer = (self._peer + 1) % len(self._peers)
        self._again = now + wait
        self.at = min(self._again, self.end) if self.state is State.REGISTERED else self._again
