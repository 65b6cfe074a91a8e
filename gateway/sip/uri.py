"""URIs as they stand in SIP: ``sip:``/``sips:`` (RFC 3261 §19.1), ``tel:`` (RFC 3966), anything else unread.

``str`` gives back what was parsed. Escapes are left alone, since unescaping twice changes who is meant (RFC 4475
§3.1.1.3); only :func:`number_text` unescapes, once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from gateway.errors import ParseError
from gateway.sip.grammar import HOST, Params, format_params, param

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*\Z")
_USER = re.compile(r"[^\s<>\"\x00-\x1f@\[\]{}|\\^`]+\Z")
_REST = re.compile(r"[^\s<>\"\x00-\x1f]*\Z")
_TEL = re.compile(r"\+?[0-9A-Fa-f*#().\s-]+\Z")
_PLAIN = re.compile(
    r"(sips?):(?:([^\s<>\"@:;?\[\]{}|\\^`]+)@)?([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?"
    r"(?:;([^\s<>\"@?\x00-\x1f]*))?\Z"
)


def _uri_params(text: str) -> Params:
    found: list[tuple[str, str | None]] = []
    for item in text.split(";"):
        name, equals, value = item.partition("=")
        if not name or (equals and not value):
            raise ParseError("URI", "an empty parameter")
        found.append((name.lower(), value if equals else None))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class SipUri:
    """``scheme:user:password@host:port;params?headers``; ``host`` keeps IPv6 brackets; ``user`` "" when absent."""

    scheme: str
    user: str
    password: str | None
    host: str
    port: int | None = None
    params: Params = ()
    headers: str = ""

    def param(self, name: str) -> str | None:
        """A URI parameter; "" for a flag, None when absent."""
        return param(self.params, name)

    @property
    def host_port(self) -> str:
        """``host`` or ``host:port``."""
        return self.host if self.port is None else f"{self.host}:{self.port}"

    def __str__(self) -> str:
        user = f"{self.user}{'' if self.password is None else ':' + self.password}@" if self.user else ""
        headers = f"?{self.headers}" if self.headers else ""
        return f"{self.scheme}:{user}{self.host_port}{format_params(self.params)}{headers}"


@dataclass(frozen=True, slots=True)
class TelUri:
    """``tel:number;params``."""

    number: str
    params: Params = ()

    def param(self, name: str) -> str | None:
        """A parameter; None when absent."""
        return param(self.params, name)

    def __str__(self) -> str:
        return f"tel:{self.number}{format_params(self.params)}"


@dataclass(frozen=True, slots=True)
class OtherUri:
    """A scheme that we don't speak; ``rest`` is everything behind the colon."""

    scheme: str
    rest: str

    def __str__(self) -> str:
        return f"{self.scheme}:{self.rest}"


Uri = SipUri | TelUri | OtherUri


def parse_uri(text: str) -> Uri:
    """Read an absolute URI. ParseError when it is none, or a broken one of a scheme that we speak."""
    plain = _PLAIN.match(text)
    if plain:
        scheme, user, host, port, params = plain.groups()
        found = () if params is None else _uri_params(params)
        return SipUri(scheme, user or "", None, host, _port(port) if port else None, found)
    scheme, colon, rest = text.partition(":")
    if not colon or not _SCHEME.match(scheme) or not rest or not _REST.match(rest):
        raise ParseError("URI", "not an absolute URI")
    match scheme.lower():
        case "sip" | "sips" as known:
            return _parse_sip(known, rest)
        case "tel":
            number, semicolon, params = rest.partition(";")
            if not _TEL.match(number):
                raise ParseError("URI", "not a telephone number")
            return TelUri(number, _uri_params(params) if semicolon else ())
        case _:
            return OtherUri(scheme, rest)


def _port(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 0 < int(text) < 65536:
        raise ParseError("URI", "a port out of range")
    return int(text)


def _parse_sip(scheme: str, rest: str) -> SipUri:
    # A user part may hold ; and ? (RFC 3261 §25.1 user-unreserved), so the @ is looked for first.
    userinfo, at, hostpart = rest.rpartition("@")
    hostpart, question, headers = hostpart.partition("?")
    address, semicolon, params = hostpart.partition(";")
    user, password = "", None
    if at:
        user, colon, secret = userinfo.partition(":")
        password = secret if colon else None
        if not _USER.match(user) or (secret and not _USER.match(secret)):
            raise ParseError("URI", "an unreadable user part")
    if address.startswith("["):
        host, bracket, port = address.partition("]")
        host += bracket
        if port and not port.startswith(":"):
            raise ParseError("URI", "an unreadable host")
        port = port[1:]
    else:
        host, colon, port = address.partition(":")
        if colon and not port:
            raise ParseError("URI", "an empty port")
    if not HOST.match(host):
        raise ParseError("URI", "an unreadable host")
    found = _uri_params(params) if semicolon else ()
    return SipUri(scheme, user, password, host, _port(port) if port else None, found, headers if question else "")


def number_text(uri: Uri) -> str | None:
    """The number that a ``sip:`` user part or a ``tel:`` URI spells, with a numeric phone-context put before it.

    None when there is none. Parameters of a telephone-subscriber in a user part (``+86138;phone-context=+86@``) count
    like those of a ``tel:`` URI (RFC 3261 §19.1.6).
    """
    match uri:
        case SipUri(user=""):
            return None
        case SipUri(user=user):
            number, _, rest = unquote(user).partition(";")
            context = next((item[14:] for item in rest.lower().split(";") if item.startswith("phone-context=")), None)
        case TelUri(number=number):
            context = uri.param("phone-context")
        case _:
            return None
    if context and context.startswith("+") and not number.startswith("+"):
        number = context + (number[1:] if number.startswith("0") and len(number) > 4 else number)
    return number or None


def equivalent(one: Uri, other: Uri) -> bool:
    """Whether two URIs mean the same (RFC 3261 §19.1.4): for SIP an absent port is not 5060, and user, ttl, method and
    maddr must stand in both or in none; what else stands in one only is passed over. Others compare without case.
    """
    if not isinstance(one, SipUri) or not isinstance(other, SipUri):
        return str(one).lower() == str(other).lower()
    if (one.scheme, one.host.lower(), one.port) != (other.scheme, other.host.lower(), other.port):
        return False
    if _unquoted(one.user) != _unquoted(other.user) or _unquoted(one.password) != _unquoted(other.password):
        return False
    mine, theirs = ({name: (_unquoted(value) or "").lower() for name, value in uri.params} for uri in (one, other))
    if any(mine.get(name) != theirs.get(name) for name in ("user", "ttl", "method", "maddr")):
        return False
    if any(theirs.get(name, value) != value for name, value in mine.items()):
        return False
    return sorted(one.headers.split("&")) == sorted(other.headers.split("&"))


def _unquoted(text: str | None) -> str | None:
    # Bytes that are no UTF-8 stay different from each other.
    return None if text is None else unquote(text, errors="surrogateescape")
