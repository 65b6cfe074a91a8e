"""Digest authentication (RFC 3261 §22, RFC 7616, RFC 8760): what is said, and how an answer is made and judged.

    challenge     WWW-Authenticate, Proxy-Authenticate      a server's question
    credentials   Authorization, Proxy-Authorization        a client's answer

    HA1       H(user:realm:password)            of a -sess algorithm: H(HA1:nonce:cnonce)
    HA2       H(method:uri)                     of auth-int: H(method:uri:H(body))
    response  H(HA1:nonce:nc:cnonce:qop:HA2)    without qop (RFC 2069): H(HA1:nonce:HA2)

A client answers the topmost challenge that it can (RFC 8760 §2.4): ``choose``, then ``respond``. It counts ``nc`` for
each nonce, and with a -sess algorithm keeps its cnonce as long as the nonce. The server's half is ``verifier``.
Texts are hashed without their quotes and escapes. ``username*`` and userhash are not understood.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gateway.errors import ParseError
from gateway.sip.grammar import is_token, split_commas

_SPLIT = re.compile(r"Digest[ \t]+(.*)\Z", re.IGNORECASE | re.DOTALL)
_NC = re.compile(r"[0-9A-Fa-f]{8}\Z")
_HEX = re.compile(r"[0-9A-Fa-f]{32,128}\Z")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"\Z', re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_CODING = ("utf-8", "surrogateescape")
QOPS = ("auth", "auth-int")

Hash = Callable[[bytes], str]


def _named(name: str) -> Hash:
    return lambda data: hashlib.new(name, data, usedforsecurity=False).hexdigest()


_PLAIN: dict[str, Hash] = {"SHA-256": _named("sha256"), "MD5": _named("md5")}
if "sha512_256" in hashlib.algorithms_available:
    _PLAIN["SHA-512-256"] = _named("sha512_256")
HASHES: dict[str, Hash] = {**_PLAIN, **{f"{name}-sess": made for name, made in _PLAIN.items()}}
"""Every algorithm that we speak, under its registered name (RFC 8760 §2.1)."""
_CANONICAL = {name.lower(): name for name in HASHES}


@dataclass(frozen=True, slots=True)
class Challenge:
    """One challenge. ``algorithm`` as registered, or as it came when we don't speak it; ``qop`` () of RFC 2069."""

    realm: str
    nonce: str
    algorithm: str = "MD5"
    qop: tuple[str, ...] = ()
    opaque: str | None = None
    stale: bool = False

    @classmethod
    def parse(cls, text: str) -> Challenge:
        """Read a WWW-Authenticate or Proxy-Authenticate value. Raises ParseError."""
        found = _parameters(text, "challenge")
        _demand(found, ("realm", "nonce"), "challenge")
        qop = tuple(item.lower() for item in re.split(r"[,\s]+", found.get("qop", "")) if item)
        return cls(
            found["realm"], found["nonce"], _algorithm(found, "challenge"), qop, found.get("opaque"),
            found.get("stale", "").lower() == "true",
        )  # fmt: skip

    @property
    def supported(self) -> bool:
        """Whether we can answer it."""
        return self.algorithm in HASHES and (not self.qop or any(one in QOPS for one in self.qop))

    def __str__(self) -> str:
        parts = [f"realm={_quote(self.realm)}", f"nonce={_quote(self.nonce)}"]
        if self.opaque is not None:
            parts.append(f"opaque={_quote(self.opaque)}")
        if self.stale:
            parts.append("stale=true")
        parts.append(f"algorithm={self.algorithm}")
        if self.qop:
            parts.append(f"qop={_quote(','.join(self.qop))}")
        return "Digest " + ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Credentials:
    """One answer. ``qop`` "" is RFC 2069's, which has no ``nc`` and no ``cnonce``."""

    username: str
    realm: str
    nonce: str
    uri: str
    response: str
    algorithm: str = "MD5"
    qop: str = ""
    nc: int = 0
    cnonce: str = ""
    opaque: str | None = None

    @classmethod
    def parse(cls, text: str) -> Credentials:
        """Read an Authorization or Proxy-Authorization value. Raises ParseError."""
        field = "credentials"
        found = _parameters(text, field)
        _demand(found, ("username", "realm", "nonce", "uri", "response"), field)
        qop, nc, cnonce = found.get("qop", "").lower(), found.get("nc", ""), found.get("cnonce", "")
        if not _HEX.match(found["response"]):
            raise ParseError(field, "a response that is no digest")
        if qop and (qop not in QOPS or not _NC.match(nc) or not cnonce):
            raise ParseError(field, "a qop that can't be, or without nc and cnonce")
        return cls(
            found["username"], found["realm"], found["nonce"], found["uri"], found["response"].lower(),
            _algorithm(found, field), qop, int(nc, 16) if qop else 0, cnonce, found.get("opaque"),
        )  # fmt: skip

    def __str__(self) -> str:
        parts = [
            f"username={_quote(self.username)}", f"realm={_quote(self.realm)}", f"nonce={_quote(self.nonce)}",
            f"uri={_quote(self.uri)}", f'response="{self.response}"', f"algorithm={self.algorithm}",
        ]  # fmt: skip
        if self.cnonce:
            parts.append(f"cnonce={_quote(self.cnonce)}")
        if self.qop:
            parts += [f"qop={self.qop}", f"nc={self.nc:08x}"]
        if self.opaque is not None:
            parts.append(f"opaque={_quote(self.opaque)}")
        return "Digest " + ", ".join(parts)

    def __repr__(self) -> str:
        # No name, no URI, no digest: a repr may end in a log, and a digest can be guessed at.
        return f"<Credentials {self.algorithm}>"


# --- what both sides compute ------------------------------------------------------------------------------------------


def secret_of(algorithm: str, username: str, realm: str, password: str) -> str:
    """HA1, which stands for the password at its realm; the same for an algorithm and its -sess form."""
    return HASHES[algorithm](f"{username}:{realm}:{password}".encode(*_CODING))


def expected_response(said: Credentials, secret: str, method: str, body: bytes = b"") -> str:
    """The response that ``said`` must hold when its sender knows ``secret`` (HA1). Its own response is not read."""
    hashed = HASHES[said.algorithm]

    def digest(*parts: str) -> str:
        return hashed(":".join(parts).encode(*_CODING))

    if said.algorithm.endswith("-sess"):
        secret = digest(secret, said.nonce, said.cnonce)
    what = digest(method, said.uri, hashed(body)) if said.qop == "auth-int" else digest(method, said.uri)
    if not said.qop:
        return digest(secret, said.nonce, what)
    return digest(secret, said.nonce, f"{said.nc:08x}", said.cnonce, said.qop, what)


def is_right(said: Credentials, secret: str, method: str, body: bytes = b"") -> bool:
    """Whether the sender knows the secret; compared in constant time."""
    return hmac.compare_digest(expected_response(said, secret, method, body), said.response)


# --- the client -------------------------------------------------------------------------------------------------------


def choose(values: Iterable[str], realm: str | None = None) -> Challenge | None:
    """The topmost challenge that we can answer, of ``realm`` if one is named; None: there is none.

    What is unreadable, or of another scheme, is passed over: another one may be for us.
    """
    for value in values:
        try:
            challenge = Challenge.parse(value)
        except ParseError:
            continue
        if challenge.supported and realm in (None, challenge.realm):
            return challenge
    return None


def respond(
    challenge: Challenge,
    username: str,
    password: str,
    method: str,
    uri: str,
    *,
    cnonce: str,
    nc: int = 1,
    body: bytes = b"",
    integrity: bool = False,
) -> Credentials:
    """Credentials for a challenge that is ``supported``; auth-int where it alone is offered, or ``integrity`` wants it.

    ``cnonce`` is fresh unguessable text; ``nc`` counts the requests made with this nonce, from 1.
    """
    qop = ""
    if challenge.qop:
        wanted = QOPS[::-1] if integrity else QOPS
        qop = next(one for one in wanted if one in challenge.qop)
    session = challenge.algorithm.endswith("-sess")
    said = Credentials(
        username, challenge.realm, challenge.nonce, uri, "", challenge.algorithm, qop, nc if qop else 0,
        cnonce if qop or session else "", challenge.opaque,
    )  # fmt: skip
    secret = secret_of(challenge.algorithm, username, challenge.realm, password)
    answered = expected_response(said, secret, method, body)
    return Credentials(
        said.username, said.realm, said.nonce, uri, answered, said.algorithm, qop, said.nc, said.cnonce, said.opaque
    )


# --- the words --------------------------------------------------------------------------------------------------------


def _parameters(text: str, field: str) -> dict[str, str]:
    match = _SPLIT.match(text.strip())
    if match is None:
        raise ParseError(field, "not of the Digest scheme")
    found: dict[str, str] = {}
    for item in split_commas(match[1], field):
        name, equals, value = item.partition("=")
        name, value = name.strip().lower(), value.strip()
        if not item:
            continue
        if not equals or not is_token(name):
            raise ParseError(field, "a parameter without a name or a value")
        if name in found:
            raise ParseError(field, "a parameter given twice")
        found[name] = _unquote(value, field)
    return found


def _unquote(value: str, field: str) -> str:
    if value.startswith('"'):
        match = _QUOTED.match(value)
        if match is None:
            raise ParseError(field, "unbalanced quote")
        value = _ESCAPE.sub(r"\1", match[1])
    elif not value or '"' in value or any(char.isspace() for char in value):
        # More than a token is let pass without quotes: there are stacks that forget them.
        raise ParseError(field, "a parameter without a value")
    if _CONTROL.search(value):
        raise ParseError(field, "a control character")
    return value


def _quote(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _demand(found: dict[str, str], names: tuple[str, ...], field: str) -> None:
    for name in names:
        if name not in found:
            raise ParseError(field, f"no {name}")


def _algorithm(found: dict[str, str], field: str) -> str:
    name = found.get("algorithm", "MD5")
    if not is_token(name):
        raise ParseError(field, "an unreadable algorithm")
    return _CANONICAL.get(name.lower(), name)
