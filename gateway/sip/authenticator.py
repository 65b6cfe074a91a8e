"""Who sent a request (RFC 3261 §22): asked for with a challenge, without state, and told by the answer to it.

    no credentials of our realm    401 or 407 with a fresh challenge
    a wrong answer, no such user   the same, and an offence (gate.py): the two can't be told apart from outside
    an old nonce, a used nc        the same with stale=true: the phone tries again by itself
    a right answer for another URI 400, and an offence
    unreadable                     400, and an offence

ACK and CANCEL are never challenged (§22.1): they belong to an INVITE that was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from gateway.errors import ParseError
from gateway.sip.hop import Hop
from gateway.sip.message import Request
from gateway.sip.methods import Refusal
from gateway.sip.outputs import Incoming, Offence, Output, PageReceived
from gateway.sip.stateless import answer
from gateway.sip.verifier import Verdict, Verifier

DIGEST = "digest"
_CHALLENGES = {401: "WWW-Authenticate", 407: "Proxy-Authenticate"}
_ANSWERS = ("Authorization", "Proxy-Authorization")
Door = Callable[[Request, Hop, float], list[Output]]


@dataclass(frozen=True, slots=True)
class Refused:
    """What the sender gets; ``offence``: what the door is told of him, or ""."""

    refusal: Refusal
    offence: str = ""


class Authenticator:
    """``secret(user, algorithm)``: his HA1, None when there is no such user."""

    __slots__ = ("_secret", "_verifier")

    def __init__(self, verifier: Verifier, secret: Callable[[str, str], str | None]) -> None:
        self._verifier = verifier
        self._secret = secret

    def brings_credentials(self, request: Request) -> bool:
        """Whether a request answers a challenge of our realm, rightly or not."""
        values = [value for name in _ANSWERS for value in request.headers.get_all(name)]
        try:
            return bool(values) and self._verifier.find(values) is not None
        except ParseError:
            return False

    def judge(self, request: Request, status: int, now: float) -> str | Refused:
        """The user who sent it, or what it gets. ``status``: 401 or 407."""
        try:
            said = self._verifier.find(value for name in _ANSWERS for value in request.headers.get_all(name))
        except ParseError as error:
            return Refused((400, f"Bad Request ({error.field})", []), DIGEST)
        if said is None:
            return Refused(self._challenge(status, now))
        secret = self._secret(said.username, said.algorithm)
        match self._verifier.judge(said, secret, request.method, request.uri_text, now, request.body):
            case Verdict.RIGHT:
                return said.username
            case Verdict.STALE:
                return Refused(self._challenge(status, now, stale=True))
            case Verdict.MISDIRECTED:
                return Refused((400, "Bad Request (credentials)", []), DIGEST)
            case Verdict.WRONG:
                return Refused(self._challenge(status, now), DIGEST)

    def guarding(self, door: Door, asks: Callable[[Request, Hop, float], bool]) -> Door:
        """A door that lets in whom it knows, and asks who somebody is where ``asks`` says so (407)."""

        def challenged(request: Request, source: Hop, now: float) -> list[Output]:
            if not asks(request, source, now):
                return door(request, source, now)
            user = self.judge(request, 407, now)
            if isinstance(user, Refused):
                return refused(user, request, source)
            return [
                replace(one, user=user) if isinstance(one, Incoming | PageReceived) else one
                for one in door(request, source, now)
            ]

        return challenged

    def _challenge(self, status: int, now: float, *, stale: bool = False) -> Refusal:
        name = _CHALLENGES[status]
        return status, None, [(name, value) for value in self._verifier.challenges(now, stale=stale)]


def refused(found: Refused, request: Request, source: Hop) -> list[Output]:
    """The answer, without state, and what the door is told."""
    told: list[Output] = [answer(request, source, *found.refusal)]
    return [*told, Offence(source, found.offence)] if found.offence else told
