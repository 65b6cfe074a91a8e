"""The header values that a user agent must understand: Via, name-addr (From, To, Contact, Route ...), CSeq.

Frozen values with ``parse`` and ``str``. What the protocol says to echo is echoed from the raw text, not from these.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from gateway.errors import ParseError
from gateway.sip.grammar import HOST, TOKEN, Params, format_params, is_token, param, parse_params, unsigned
from gateway.sip.hop import DEFAULT_PORTS
from gateway.sip.uri import SipUri, Uri, parse_uri

MAGIC = "z9hG4bK"
_VIA = re.compile(
    r"SIP\s*/\s*2\.0\s*/\s*([A-Za-z0-9.!%*_+`'~-]+)\s+(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)\s*(?::\s*([0-9]{1,5})\s*)?"
    r"(?:;(.*))?\Z",
    re.IGNORECASE | re.DOTALL,
)
_CSEQ = re.compile(r"([0-9]{1,10})\s+(\S+)\Z")
CSEQ_LIMIT = 2**32 - 1
_OVER_TLS = {"udp": "tls", "tcp": "tls", "ws": "wss"}


@dataclass(frozen=True, slots=True)
class Via:
    """One Via value (RFC 3261 §20.42). ``transport`` in upper case; ``host`` keeps IPv6 brackets."""

    transport: str
    host: str
    port: int | None
    params: Params = ()

    @classmethod
    def parse(cls, text: str) -> Via:
        """Read one value. Raises ParseError."""
        match = _VIA.match(text.strip())
        if match is None or not HOST.match(match[2]):
            raise ParseError("Via", "unreadable")
        port = unsigned(match[3], "Via", 65535) if match[3] else None
        return cls(
            match[1].upper(), match[2], port, parse_params(match[4].strip(), "Via") if match[4] is not None else ()
        )

    @property
    def branch(self) -> str:
        """The branch, "" when there is none."""
        return param(self.params, "branch") or ""

    @property
    def received(self) -> str | None:
        """The address that the message came from, as the receiver noted it."""
        return param(self.params, "received")

    @property
    def rport(self) -> str | None:
        """The response port (RFC 3581): "" when it is asked for and not yet filled in."""
        return param(self.params, "rport")

    @property
    def sent_by(self) -> str:
        """``host:port`` in lower case, the default port filled in: what transactions are matched by (§17.2.3)."""
        return f"{self.host.lower()}:{self.port or DEFAULT_PORTS.get(self.transport.lower(), 5060)}"

    def with_received(self, host: str, port: int) -> Via:
        """This value as the receiving side must note it: ``received``, and ``rport`` filled in where asked for.

        ``received`` is added when the sent-by host isn't the source (§18.2.1), and always with rport (RFC 3581 §4).
        """
        params = tuple(item for item in self.params if item[0] not in ("received", "rport"))
        asked = self.rport is not None
        if asked or self.host.strip("[]").lower() != host.lower():
            params += (("received", host),)
        if asked:
            params += (("rport", str(port)),)
        return replace(self, params=params)

    def __str__(self) -> str:
        port = "" if self.port is None else f":{self.port}"
        return f"SIP/2.0/{self.transport} {self.host}{port}{format_params(self.params)}"


@dataclass(frozen=True, slots=True)
class NameAddr:
    """``"display" <uri>;params`` (§20.10). ``display`` is without quotes."""

    display: str
    uri: Uri
    params: Params = ()

    @classmethod
    def parse(cls, text: str, field: str = "address") -> NameAddr:
        """Read a name-addr or an addr-spec. In the second form parameters are the header's, not the URI's (§20)."""
        text = text.strip()
        if text.startswith('"'):
            end = _closing_quote(text, field)
            display, rest = text[1:end].replace("\\", ""), text[end + 1 :].lstrip()
            if not rest.startswith("<"):
                raise ParseError(field, "no URI behind the display name")
        elif "<" in text:
            display, _, rest = text.partition("<")
            display, rest = display.strip(), "<" + rest
            if display and not all(is_token(word) for word in display.split()):
                raise ParseError(field, "a display name that needs quotes")
        else:
            address, semicolon, params = text.partition(";")
            if "?" in address or "," in address:
                raise ParseError(field, "a URI that needs angle brackets")
            return cls("", _uri(address.rstrip(), field), parse_params(params, field) if semicolon else ())
        inner, bracket, after = rest[1:].partition(">")
        after = after.strip()
        if not bracket or (after and not after.startswith(";")):
            raise ParseError(field, "unbalanced angle brackets")
        return cls(display, _uri(inner, field), parse_params(after[1:].strip(), field) if after else ())

    @property
    def tag(self) -> str | None:
        """The tag, None when there is none."""
        return param(self.params, "tag")

    def __str__(self) -> str:
        quoted = self.display.replace("\\", "\\\\").replace('"', '\\"')
        name = f'"{quoted}" ' if self.display else ""
        return f"{name}<{self.uri}>{format_params(self.params)}"


def _closing_quote(text: str, field: str) -> int:
    position = 1
    while position < len(text):
        if text[position] == "\\":
            position += 1
        elif text[position] == '"':
            return position
        position += 1
    raise ParseError(field, "unbalanced quote")


def _uri(text: str, field: str) -> Uri:
    try:
        return parse_uri(text)
    except ParseError as error:
        raise ParseError(field, error.detail) from None


@dataclass(frozen=True, slots=True)
class CSeq:
    """``number method`` (§20.16); the number fits 32 bits."""

    number: int
    method: str

    @classmethod
    def parse(cls, text: str) -> CSeq:
        """Raises ParseError."""
        match = _CSEQ.match(text.strip())
        if match is None or not TOKEN.match(match[2]) or int(match[1]) > CSEQ_LIMIT:
            raise ParseError("CSeq", "not a sequence number and a method")
        return cls(int(match[1]), match[2])

    def __str__(self) -> str:
        return f"{self.number} {self.method}"


def contact_hop_text(uri: Uri) -> tuple[str, str, int] | None:
    """Transport, host and port that a SIP URI names, defaults filled in (RFC 3263 §4); None for other schemes.

    ``maddr`` is not followed: it would let a peer name any address to send to without showing it as the host.
    """
    if not isinstance(uri, SipUri):
        return None
    transport = (uri.param("transport") or "udp").lower()
    if uri.scheme == "sips":
        transport = _OVER_TLS.get(transport, transport)
    return transport, uri.host.strip("[]"), uri.port or DEFAULT_PORTS.get(transport, 5060)
