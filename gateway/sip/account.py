"""We at a carrier's: the credentials of one trunk, and the repeat of a request that was challenged (RFC 3261 §22).

    401, 407 with a challenge of the account's realm      the request again: next CSeq, new branch, credentials
    the same once more, stale                             once more with the new nonce
    the same once more, not stale                         the password is wrong: the refusal stands
    another realm, a scheme or algorithm we don't speak   the refusal stands

A challenge is kept: later requests carry credentials at once, and count ``nc`` (RFC 7616 §3.4). A registrar's is kept
for REGISTER alone: in an INVITE its answer would travel on to whoever is called. ACK repeats those of its INVITE
(§22.1), CANCEL has none. An account belongs to a trunk, and only requests to that trunk are given it, so that nobody on
the other leg gets a digest to guess at (security.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway.sip.digest import Challenge, choose, respond
from gateway.sip.message import Headers, Request, Response
from gateway.sip.transaction import ClientTransaction, Transmit
from gateway.sip.wire import Wire

TRIES = 2
CREDENTIALS = ("Authorization", "Proxy-Authorization")
CHALLENGED = (401, 407)
_WAYS = {401: ("WWW-Authenticate", "Authorization"), 407: ("Proxy-Authenticate", "Proxy-Authorization")}


@dataclass(slots=True)
class _Held:
    challenge: Challenge
    cnonce: str
    nc: int = 0


class Account:
    """``problem`` is "" or why the last challenge was not answered well: ``realm`` (none that is ours), ``refused``."""

    __slots__ = ("_held", "_integrity", "_password", "_token", "problem", "realm", "user")

    def __init__(
        self, user: str, password: str, realm: str, token: Callable[[], str], *, integrity: bool = False
    ) -> None:
        self.user = user
        self.realm = realm
        self.problem = ""
        self._password = password
        self._integrity = integrity
        self._token = token
        self._held: dict[tuple[str, bool], _Held] = {}
        """By the header that answers, and whether it is for REGISTER."""

    def __repr__(self) -> str:
        return f"<Account at {self.realm}>"

    def take(self, response: Response, tries: int) -> bool:
        """A request was challenged, after ``tries`` answers to challenges: whether another answer makes sense."""
        asked, said = _WAYS[response.status]
        key = said, response.cseq.method == "REGISTER"
        challenge = choose(response.headers.get_all(asked), self.realm)
        if challenge is None:
            self.problem = "realm"
            return False
        if tries >= TRIES or (tries and not challenge.stale):
            self.problem = "refused"
            self._held.pop(key, None)
            return False
        self.problem = ""
        self._held[key] = _Held(challenge, self._token())
        return True

    def sign(self, request: Request) -> None:
        """Put in the credentials for what is asked for here, as far as it is known; a CANCEL has none."""
        if request.method == "CANCEL":
            return
        for (said, registering), held in self._held.items():
            if registering != (request.method == "REGISTER"):
                continue
            held.nc += 1
            credentials = respond(
                held.challenge, self.user, self._password, request.method, request.uri_text,
                cnonce=held.cnonce, nc=held.nc, body=request.body, integrity=self._integrity,
            )  # fmt: skip
            request.headers.set(said, str(credentials))


def repeat(wire: Wire, transaction: ClientTransaction, response: Response, now: float) -> list[Transmit] | None:
    """The request of ``transaction`` once more, with credentials; None: ``response`` is its last word."""
    owner = transaction.owner
    if owner is None or owner.account is None:
        return None
    number = owner.renumbered(transaction)
    if number is None or not owner.account.take(response, transaction.tries):
        return None
    old = transaction.request
    fresh = {"via": wire.via(transaction.hop), "cseq": f"{number} {old.method}"}
    headers = [(name, fresh.get(name.lower(), value)) for name, value in old.headers if name not in CREDENTIALS]
    again, outputs = wire.layer.send(
        Request(old.method, old.uri_text, Headers(headers), old.body), transaction.hop, owner, now
    )
    again.tries = transaction.tries + 1
    owner.repeated(transaction, again)
    return outputs
