"""Session descriptions (RFC 4566): read from bytes liberally, written strictly.

    session     v=  o=  s=  i= u= e= p=  c=  b=  t= r= z= k=  a=
    each media  m=  i=  c=  b=  k=  a=

Lines are ``<letter>=<value>`` and end in CRLF, or LF from careless writers. ``v=0``, ``o=`` and the grammar of ``m=``
and ``c=`` are insisted on; a missing ``s=`` or ``t=`` and lines of unknown letters are let pass, since carriers send
such things and nothing depends on them. ``c=``, ``a=`` (direction, ptime) hold for a media line that has none of its
own. Text is kept as it came: bytes that are no UTF-8 survive a round trip as surrogate escapes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from gateway.errors import ParseError

DIRECTIONS = frozenset({"sendrecv", "sendonly", "recvonly", "inactive"})
MAX_MEDIA = 32

Attribute = tuple[str, str | None]


def read_number(field_name: str, text: str, *, high: int) -> int:
    """A plain decimal number in 0..high. Raises ParseError (``int`` alone would take ``+1``, ``1_0`` and ``١``)."""
    if not (text.isascii() and text.isdigit() and len(text) <= 20) or int(text) > high:
        raise ParseError(field_name, f"{text[:24]!r} is no number in 0..{high}")
    return int(text)


@dataclass(frozen=True, slots=True)
class Origin:
    """``o=``: who made the description. ``version`` grows by one with each change (RFC 3264 §8)."""

    username: str
    session_id: int
    version: int
    family: str
    address: str

    @classmethod
    def parse(cls, text: str) -> Origin:
        parts = text.split()
        if len(parts) != 6 or parts[3] != "IN":
            raise ParseError("o=", "wants username, two numbers, IN, family and address")
        high = 2**64 - 1
        return cls(
            parts[0], read_number("o=", parts[1], high=high), read_number("o=", parts[2], high=high), parts[4], parts[5]
        )

    def __str__(self) -> str:
        return f"{self.username} {self.session_id} {self.version} IN {self.family} {self.address}"


@dataclass(frozen=True, slots=True)
class Connection:
    """``c=``: where media is to be sent. ``address`` is an IP literal of that family, or a host name."""

    family: str
    address: str

    @classmethod
    def parse(cls, text: str) -> Connection:
        parts = text.split()
        if len(parts) != 3 or parts[0] != "IN" or parts[1] not in ("IP4", "IP6"):
            raise ParseError("c=", "wants IN, IP4 or IP6, and an address")
        return cls(parts[1], parts[2])

    @classmethod
    def at(cls, host: str) -> Connection:
        """The connection line of an IP literal."""
        return cls("IP6" if ":" in host else "IP4", host)

    @property
    def is_literal(self) -> bool:
        """False for a host name, a multicast scope (``/127``), or a literal of the other family."""
        return _literal(self.family, self.address) is not None

    @property
    def is_unspecified(self) -> bool:
        """True for 0.0.0.0 and ``::``, the hold of RFC 2543 (RFC 3264 §8.4)."""
        literal = _literal(self.family, self.address)
        return literal is not None and literal.is_unspecified

    def __str__(self) -> str:
        return f"IN {self.family} {self.address}"


@lru_cache(maxsize=1024)
def _literal(family: str, address: str) -> IPv4Address | IPv6Address | None:
    """A carrier sends its calls' audio from few addresses, and each is asked about several times in a call."""
    try:
        if family == "IP4":
            return IPv4Address(address)
        found = IPv6Address(address)
        return found if found.scope_id is None else None
    except AddressValueError:
        return None


@dataclass(frozen=True, slots=True)
class Encoding:
    """``a=rtpmap``: what a payload type means. Names compare without case, so ``name`` is lower case."""

    name: str
    clock: int
    channels: int = 1


# RFC 3551 §6: payload types that need no rtpmap, as far as a telephone meets them.
STATIC_ENCODINGS = {
    0: Encoding("pcmu", 8000),
    3: Encoding("gsm", 8000),
    4: Encoding("g723", 8000),
    8: Encoding("pcma", 8000),
    9: Encoding("g722", 8000),
    13: Encoding("cn", 8000),
    15: Encoding("g728", 8000),
    18: Encoding("g729", 8000),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaDescription:
    """One ``m=`` line with what belongs to it. ``port`` 0 means refused or gone (RFC 3264 §6, §8.2)."""

    media: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    port_count: int = 1
    connection: Connection | None = None
    others: tuple[tuple[str, str], ...] = ()
    attributes: tuple[Attribute, ...] = ()

    def attribute(self, name: str) -> str | None:
        """The value of the first ``a=name:value``; None when it is absent or has no value."""
        return next((value for key, value in self.attributes if key == name), None)

    @property
    def payload_types(self) -> tuple[int, ...]:
        """The formats that are RTP payload types, in the order of preference; others are passed over."""
        numbers = (int(text) for text in self.formats if text.isascii() and text.isdigit() and len(text) <= 3)
        return tuple(number for number in numbers if number < 128)

    def encoding(self, payload_type: int) -> Encoding | None:
        """What ``payload_type`` means here; None when nothing says, or says it in a form that can't be read."""
        stated = _encodings(self.attributes)
        return stated[payload_type] if payload_type in stated else STATIC_ENCODINGS.get(payload_type)

    def lines(self) -> Iterable[str]:
        count = f"/{self.port_count}" if self.port_count != 1 else ""
        yield f"m={self.media} {self.port}{count} {self.protocol} {' '.join(self.formats)}"
        yield from (f"i={value}" for letter, value in self.others if letter == "i")
        if self.connection is not None:
            yield f"c={self.connection}"
        yield from (f"{letter}={value}" for letter, value in self.others if letter != "i")
        yield from _attribute_lines(self.attributes)


@lru_cache(maxsize=256)
def _encodings(attributes: tuple[Attribute, ...]) -> Mapping[int, Encoding | None]:
    """What each ``a=rtpmap`` says, the first of a payload type counting; a carrier's are the same in every call."""
    found: dict[int, Encoding | None] = {}
    for key, value in attributes:
        number, _, text = (value or "").partition(" ")
        if (
            key == "rtpmap"
            and number.isascii()
            and number.isdigit()
            and len(number) <= 3
            and str(int(number)) == number
        ):
            found.setdefault(int(number), _encoding(text))
    return found


def _encoding(text: str) -> Encoding | None:
    name, *rest = text.strip().split("/")
    if not rest or not all(part.isascii() and part.isdigit() and len(part) <= 9 for part in rest[:2]):
        return None
    return Encoding(name.lower(), int(rest[0]), int(rest[1]) if len(rest) > 1 else 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionDescription:
    """A whole description. ``others`` holds the session lines that nobody here asks about, in their order."""

    origin: Origin
    name: str = "-"
    connection: Connection | None = None
    others: tuple[tuple[str, str], ...] = ()
    times: tuple[tuple[str, str], ...] = (("t", "0 0"),)
    attributes: tuple[Attribute, ...] = ()
    media: tuple[MediaDescription, ...] = ()

    @classmethod
    def parse(cls, data: bytes) -> SessionDescription:
        """Read the body of a message. Raises ParseError, whose ``field`` is the line at fault (``m=``)."""
        return _parse(data)

    @classmethod
    def _read(cls, data: bytes) -> SessionDescription:
        lines = _split_lines(data)
        if not lines or lines[0] != ("v", "0"):
            raise ParseError("v=", "a description starts with v=0")
        head: list[tuple[str, str]] = []
        blocks: list[list[tuple[str, str]]] = []
        for line in lines[1:]:
            if line[0] == "m":
                blocks.append([line])
            else:
                (blocks[-1] if blocks else head).append(line)
        if len(blocks) > MAX_MEDIA:
            raise ParseError("m=", f"more than {MAX_MEDIA} media lines")
        origins = [value for letter, value in head if letter == "o"]
        if len(origins) != 1:
            raise ParseError("o=", "wants exactly one")
        return cls(
            origin=Origin.parse(origins[0]),
            name=next((value for letter, value in head if letter == "s"), "-"),
            connection=_connection(head),
            others=tuple(line for line in head if line[0] in "iuepbk"),
            times=tuple(line for line in head if line[0] in "trz"),
            attributes=_attributes(head),
            media=tuple(_parse_media(block) for block in blocks),
        )

    def connection_of(self, media: MediaDescription) -> Connection | None:
        """Its own ``c=`` line, else the session's."""
        return media.connection or self.connection

    def direction_of(self, media: MediaDescription) -> str:
        """One of DIRECTIONS: its own, else the session's, else sendrecv (RFC 4566 §6)."""
        for key, _ in (*media.attributes, *self.attributes):
            if key in DIRECTIONS:
                return key
        return "sendrecv"

    def milliseconds_of(self, media: MediaDescription, name: str) -> int | None:
        """``ptime`` or ``maxptime`` of a media line, else the session's; None when absent or unreadable."""
        for key, value in (*media.attributes, *self.attributes):
            text = (value or "").strip()
            if key == name and text.isascii() and text.isdigit() and len(text) <= 5 and int(text) > 0:
                return int(text)
        return None

    def __bytes__(self) -> bytes:
        lines = ["v=0", f"o={self.origin}", f"s={self.name}"]
        early = [f"{letter}={value}" for letter, value in self.others if letter in "iuep"]
        lines += sorted(early, key=lambda line: "iuep".index(line[0]))
        if self.connection is not None:
            lines.append(f"c={self.connection}")
        lines += [f"b={value}" for letter, value in self.others if letter == "b"]
        lines += [f"{letter}={value}" for letter, value in self.times]
        lines += [f"k={value}" for letter, value in self.others if letter == "k"]
        lines += _attribute_lines(self.attributes)
        for media in self.media:
            lines += media.lines()
        return "".join(line + "\r\n" for line in lines).encode("utf-8", "surrogateescape")


@lru_cache(maxsize=128)
def _parse(data: bytes) -> SessionDescription:
    """An offer is read when it comes, to refuse it at the door, and again once there are ports to answer it with."""
    return SessionDescription._read(data)


def _split_lines(data: bytes) -> list[tuple[str, str]]:
    lines = []
    for raw in data.decode("utf-8", "surrogateescape").split("\n"):
        line = raw.removesuffix("\r")
        if not line:
            continue
        letter, equals, value = line[:1], line[1:2], line[2:]
        if equals != "=" or "\0" in line or "\r" in line:
            raise ParseError("SDP", "a line is not <letter>=<value>")
        lines.append((letter, value))
    return lines


def _connection(lines: Iterable[tuple[str, str]]) -> Connection | None:
    return next((Connection.parse(value) for letter, value in lines if letter == "c"), None)


def _attributes(lines: Iterable[tuple[str, str]]) -> tuple[Attribute, ...]:
    found: list[Attribute] = []
    for letter, text in lines:
        if letter == "a":
            name, colon, value = text.partition(":")
            found.append((name.strip(), value if colon else None))
    return tuple(found)


def _attribute_lines(attributes: Iterable[Attribute]) -> Iterable[str]:
    return (f"a={name}" if value is None else f"a={name}:{value}" for name, value in attributes)


def _parse_media(block: list[tuple[str, str]]) -> MediaDescription:
    parts = block[0][1].split()
    if len(parts) < 4:
        raise ParseError("m=", "wants media, port, protocol and formats")
    port, slash, count = parts[1].partition("/")
    return MediaDescription(
        media=parts[0],
        port=read_number("m=", port, high=65535),
        port_count=read_number("m=", count, high=65535) if slash else 1,
        protocol=parts[2],
        formats=tuple(parts[3:]),
        connection=_connection(block),
        others=tuple(line for line in block if line[0] in "ibk"),
        attributes=_attributes(block),
    )
