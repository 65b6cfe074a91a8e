"""The server's half of digest authentication: challenges that cost no memory, and the judging of answers.

    nonce        milliseconds - serial number - HMAC over both: nothing is kept of it until a right answer has used it
    age          older than ``life`` (60 s at most), not ours, or of a time before we began: Verdict.STALE
    nc           must rise with each use (RFC 7616 §3.4); again or lower: Verdict.STALE
    memory       the last nc of each nonce in use; when ``limit`` of them are, the oldest goes, and whatever was handed
                 out before it and isn't known is stale: forgetting never lets a replay in

STALE is said only to somebody who knows the secret (RFC 7616 §3.3), so a phone that was away doesn't ask its user for
the password. Challenges go out in the order of ``algorithms``: the strongest first (RFC 8760 §2.3).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from enum import Enum

from gateway.errors import ParseError
from gateway.sip.digest import HASHES, Challenge, Credentials, is_right, secret_of
from gateway.sip.uri import equivalent, parse_uri

LIFE_LIMIT = 60.0


class Verdict(Enum):
    """What an answer is worth. MISDIRECTED is right but for another URI (400, RFC 7616 §3.4.6)."""

    RIGHT = "right"
    STALE = "stale"
    WRONG = "wrong"
    MISDIRECTED = "misdirected"


class Verifier:
    """One realm. ``key``: at least 16 secret bytes; ``algorithms``: those that are offered, in order of preference."""

    __slots__ = ("_floor", "_key", "_limit", "_nobody", "_serial", "_used", "algorithms", "life", "qop", "realm")

    def __init__(
        self,
        key: bytes,
        realm: str,
        *,
        algorithms: tuple[str, ...] = ("SHA-256",),
        qop: tuple[str, ...] = ("auth",),
        life: float = LIFE_LIMIT,
        limit: int = 20_000,
    ) -> None:
        if not 0 < life <= LIFE_LIMIT or len(key) < 16 or limit < 1:
            raise ValueError("a nonce lives 60 s at most, under a key of at least 16 bytes")
        if not algorithms or not qop or any(name not in HASHES for name in algorithms):
            raise ValueError("no algorithm, one that is unknown, or no qop")
        self.realm = realm
        self.algorithms = algorithms
        self.qop = qop
        self.life = life
        self._key = key
        self._limit = limit
        self._serial = 0
        self._used: dict[str, tuple[int, float]] = {}
        self._floor = float("-inf")
        # Whoever names a user that there isn't is compared with this: it takes as long as a wrong password.
        self._nobody = {name: secret_of(name, "", realm, key.hex()) for name in algorithms}

    def __len__(self) -> int:
        return len(self._used)

    def challenges(self, now: float, *, stale: bool = False) -> list[str]:
        """The values of WWW-Authenticate or Proxy-Authenticate, one header line each, in order of preference."""
        self._serial += 1
        said = f"{int(now * 1000):x}-{self._serial:x}"
        nonce = f"{said}-{self._mac(said)}"
        return [str(Challenge(self.realm, nonce, name, self.qop, None, stale)) for name in self.algorithms]

    def find(self, values: Iterable[str]) -> Credentials | None:
        """Those credentials of a request that are of our realm; ParseError when a Digest value can't be read."""
        for value in values:
            if value[:6].lower() == "digest":
                said = Credentials.parse(value)
                if said.realm == self.realm:
                    return said
        return None

    def judge(
        self, said: Credentials, secret: str | None, method: str, uri_text: str, now: float, body: bytes = b""
    ) -> Verdict:
        """``secret``: the HA1 of ``said.username`` under ``said.algorithm``; None: there is no such user."""
        if said.realm != self.realm or said.algorithm not in self.algorithms or said.qop not in self.qop:
            return Verdict.WRONG
        known = self._nobody[said.algorithm] if secret is None else secret
        if not is_right(said, known, method, body) or secret is None:
            return Verdict.WRONG
        if not _same_uri(said.uri, uri_text):
            return Verdict.MISDIRECTED
        issued = self._issued(said.nonce)
        if issued is None or not 0 <= now - issued <= self.life:
            return Verdict.STALE
        return Verdict.RIGHT if self._counts(said.nonce, said.nc, issued, now) else Verdict.STALE

    def _mac(self, said: str) -> str:
        return hmac.new(self._key, said.encode(), hashlib.sha256).hexdigest()[:32]

    def _issued(self, nonce: str) -> float | None:
        said, _, mac = nonce.rpartition("-")
        if not said.isascii() or not mac.isascii() or not hmac.compare_digest(self._mac(said), mac):
            return None
        return int(said.partition("-")[0], 16) / 1000

    def _counts(self, nonce: str, nc: int, issued: float, now: float) -> bool:
        """Note the use of a nonce; False when it was used so before."""
        used = self._used
        known = used.get(nonce)
        if known is not None:
            if nc <= known[0]:
                return False
            used[nonce] = (nc, issued)
            return True
        if issued <= self._floor or nc < 1:
            return False
        while used:
            oldest, (_, when) = next(iter(used.items()))
            if len(used) < self._limit and now - when <= self.life:
                break
            del used[oldest]
            self._floor = max(self._floor, when)
        used[nonce] = (nc, issued)
        return issued > self._floor


def _same_uri(said: str, uri_text: str) -> bool:
    if said == uri_text:
        return True
    try:
        return equivalent(parse_uri(said), parse_uri(uri_text))
    except ParseError:
        return False
