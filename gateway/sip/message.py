"""SIP messages: split once, understood when asked, written back byte for byte.

``parse_message`` cuts the head into lines and does nothing else; a Via, a From or a CSeq is parsed when a property is
first read and kept. Header values stay the text that came (folds joined by one blank, RFC 3261 §7.3.1), so what has to
be echoed is echoed unchanged. Text is UTF-8 with surrogate escapes: whatever bytes come in go out again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from gateway.errors import ParseError
from gateway.sip.grammar import TOKEN, split_commas, unsigned
from gateway.sip.headers import CSeq, NameAddr, Via
from gateway.sip.uri import Uri, parse_uri

_STATUS = re.compile(r"SIP/2\.0 ([1-6][0-9]{2})(?: (.*))?\Z", re.IGNORECASE | re.DOTALL)
_VERSION = re.compile(r"SIP/[0-9]+\.[0-9]+\Z", re.IGNORECASE)
_COMPACT = {
    "a": "Accept-Contact", "b": "Referred-By", "c": "Content-Type", "d": "Request-Disposition", "e": "Content-Encoding",
    "f": "From", "i": "Call-ID", "j": "Reject-Contact", "k": "Supported", "l": "Content-Length", "m": "Contact",
    "o": "Event", "r": "Refer-To", "s": "Subject", "t": "To", "u": "Allow-Events", "v": "Via", "x": "Session-Expires",
    "y": "Identity",
}  # fmt: skip
# What nearly every line of every message begins with: no need to look whether it is a token.
_NAMES = {
    name: name.lower()
    for name in (
        *("Via", "From", "To", "Call-ID", "CSeq", "Max-Forwards", "Contact", "Record-Route", "Route", "Content-Type"),
        *("Content-Length", "Allow", "Supported", "Require", "User-Agent", "Server", "P-Asserted-Identity", "Privacy"),
        *(
            "Session-Expires",
            "Min-SE",
            "Reason",
            "Accept",
            "P-Early-Media",
            "Date",
            "RSeq",
            "RAck",
            "Content-Disposition",
        ),
    )
}
BODY_LIMIT = 256 * 1024
_CODING = ("utf-8", "surrogateescape")


class Headers:
    """An ordered multimap of header lines. Names compare without case; compact names are written out when read."""

    __slots__ = ("_lines",)

    def __init__(self, lines: Iterable[tuple[str, str]] = ()) -> None:
        self._lines: list[tuple[str, str, str]] = [(name.lower(), name, value) for name, value in lines]

    @classmethod
    def from_lines(cls, lines: list[tuple[str, str, str]]) -> Headers:
        """Take over (lower-case name, name, value) rows as they are."""
        headers = cls.__new__(cls)
        headers._lines = lines
        return headers

    def get(self, name: str) -> str | None:
        """The first line's value."""
        key = name.lower()
        for row in self._lines:
            if row[0] == key:
                return row[2]
        return None

    def get_all(self, name: str) -> list[str]:
        """The value of each line of that name."""
        key = name.lower()
        return [row[2] for row in self._lines if row[0] == key]

    def values(self, name: str) -> list[str]:
        """The comma-separated values over all lines of that name; right only for headers that are lists."""
        found: list[str] = []
        for line in self.get_all(name):
            found += split_commas(line, name)
        return [value for value in found if value]

    def repeated(self, keys: frozenset[str]) -> str | None:
        """The first name that stands on two lines, of those whose lower-case form is in ``keys``."""
        seen: set[str] = set()
        for key, name, _ in self._lines:
            if key in keys:
                if key in seen:
                    return name
                seen.add(key)
        return None

    def add(self, name: str, value: str) -> None:
        """Append a line."""
        self._lines.append((name.lower(), name, value))

    def prepend(self, name: str, value: str) -> None:
        """Put a line before all others."""
        self._lines.insert(0, (name.lower(), name, value))

    def set(self, name: str, value: str) -> None:
        """Replace the first line of that name in its place and drop the others, or append."""
        key = name.lower()
        for index, row in enumerate(self._lines):
            if row[0] == key:
                rest = [other for other in self._lines[index + 1 :] if other[0] != key]
                self._lines[index:] = [(key, name, value), *rest]
                return
        self._lines.append((key, name, value))

    def remove(self, name: str) -> None:
        """Drop every line of that name."""
        key = name.lower()
        self._lines = [row for row in self._lines if row[0] != key]

    def copy(self) -> Headers:
        """An independent copy."""
        return Headers.from_lines(self._lines[:])

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return ((name, value) for _, name, value in self._lines)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None

    def __len__(self) -> int:
        return len(self._lines)

    def lines(self) -> str:
        """The wire form of all lines but Content-Length, each ended by CRLF."""
        return "".join(f"{name}: {value}\r\n" for key, name, value in self._lines if key != "content-length")


class _Message:
    """What requests and responses share. Properties raise ParseError when the header is wrong."""

    __slots__ = ("_call_id", "_contact", "_cseq", "_from", "_record_routes", "_to", "_via", "body", "headers")

    headers: Headers
    body: bytes

    def __init__(self, headers: Headers, body: bytes) -> None:
        self.headers = headers
        self.body = body
        self._via: Via | None = None
        self._from: NameAddr | None = None
        self._to: NameAddr | None = None
        self._cseq: CSeq | None = None
        self._call_id = ""
        self._contact: tuple[NameAddr | None] | None = None
        self._record_routes: list[NameAddr] | None = None

    def _required(self, name: str) -> str:
        value = self.headers.get(name)
        if value is None:
            raise ParseError(name, "missing")
        return value

    @property
    def via(self) -> Via:
        """The topmost Via."""
        if self._via is None:
            self._via = Via.parse(split_commas(self._required("Via"), "Via")[0])
        return self._via

    def note_source(self, host: str, port: int) -> None:
        """Write where the message came from onto the topmost Via (RFC 3261 §18.2.1, RFC 3581 §4)."""
        noted = self.via.with_received(host, port)
        if noted != self._via:
            _first, *others = split_commas(self._required("Via"), "Via")
            key, name = "via", "Via"
            rows = self.headers._lines
            index = next(position for position, row in enumerate(rows) if row[0] == key)
            rows[index] = (key, name, ", ".join((str(noted), *others)))
            self._via = noted

    @property
    def vias(self) -> list[Via]:
        """All Via values, topmost first."""
        values = self.headers.values("Via")
        return [self.via, *map(Via.parse, values[1:])] if values else []

    @property
    def from_(self) -> NameAddr:
        """The From header."""
        if self._from is None:
            self._from = NameAddr.parse(self._required("From"), "From")
        return self._from

    @property
    def to(self) -> NameAddr:
        """The To header."""
        if self._to is None:
            self._to = NameAddr.parse(self._required("To"), "To")
        return self._to

    @property
    def call_id(self) -> str:
        """The Call-ID."""
        if not self._call_id:
            value = self._required("Call-ID")
            if value.split() != [value]:
                raise ParseError("Call-ID", "empty or with white space")
            self._call_id = value
        return self._call_id

    @property
    def cseq(self) -> CSeq:
        """The CSeq header."""
        if self._cseq is None:
            self._cseq = CSeq.parse(self._required("CSeq"))
        return self._cseq

    @property
    def contact(self) -> NameAddr | None:
        """The first Contact; None when absent or ``*``."""
        if self._contact is None:
            values = self.headers.values("Contact")
            self._contact = (NameAddr.parse(values[0], "Contact") if values and values[0] != "*" else None,)
        return self._contact[0]

    @property
    def routes(self) -> list[NameAddr]:
        """The Route values."""
        return [NameAddr.parse(value, "Route") for value in self.headers.values("Route")]

    @property
    def record_routes(self) -> list[NameAddr]:
        """The Record-Route values, in the order of the message."""
        if self._record_routes is None:
            self._record_routes = [
                NameAddr.parse(value, "Record-Route") for value in self.headers.values("Record-Route")
            ]
        return self._record_routes

    @property
    def max_forwards(self) -> int | None:
        """Max-Forwards, None when absent."""
        value = self.headers.get("Max-Forwards")
        return None if value is None else unsigned(value, "Max-Forwards", 255)

    @property
    def content_type(self) -> str:
        """The media type of the body in lower case without parameters, "" when absent."""
        return (self.headers.get("Content-Type") or "").partition(";")[0].strip().lower()

    def _encode(self, start: str) -> bytes:
        head = f"{start}\r\n{self.headers.lines()}Content-Length: {len(self.body)}\r\n\r\n"
        return head.encode(*_CODING) + self.body


class Request(_Message):
    """A request. ``uri_text`` is the Request-URI as it stands; ``version`` as it stands (``SIP/2.0``)."""

    __slots__ = ("_uri", "method", "uri_text", "version")

    def __init__(
        self, method: str, uri_text: str, headers: Headers, body: bytes = b"", version: str = "SIP/2.0"
    ) -> None:
        super().__init__(headers, body)
        self.method = method
        self.uri_text = uri_text
        self.version = version
        self._uri: Uri | None = None

    @property
    def uri(self) -> Uri:
        """The Request-URI."""
        if self._uri is None:
            try:
                self._uri = parse_uri(self.uri_text)
            except ParseError as error:
                raise ParseError("Request-URI", error.detail) from None
        return self._uri

    def __bytes__(self) -> bytes:
        return self._encode(f"{self.method} {self.uri_text} SIP/2.0")

    def __repr__(self) -> str:
        # No URI and no names: a repr may end in a log, and both are people's numbers.
        return f"<Request {self.method}>"


class Response(_Message):
    """A response."""

    __slots__ = ("reason", "status")

    def __init__(self, status: int, reason: str, headers: Headers, body: bytes = b"") -> None:
        super().__init__(headers, body)
        self.status = status
        self.reason = reason

    def __bytes__(self) -> bytes:
        return self._encode(f"SIP/2.0 {self.status} {self.reason}")

    def __repr__(self) -> str:
        return f"<Response {self.status}>"


class Malformed(ParseError):
    """A message that can't be read whole. ``request`` holds enough of it to send the error to, or is None."""

    def __init__(self, field: str, detail: str, request: Request | None = None) -> None:
        super().__init__(field, detail)
        self.request = request


def _unfolded(lines: list[str]) -> list[str]:
    """Header lines with their continuations, joined by one blank (RFC 3261 §7.3.1)."""
    whole: list[list[str]] = []
    for line in lines:
        if line[:1] in (" ", "\t") and whole:
            whole[-1].append(line.strip(" \t"))
        else:
            whole.append([line.rstrip(" \t")])
    return [" ".join(part for part in parts if part) if len(parts) > 1 else parts[0] for parts in whole]


def split_head(text: str) -> tuple[str, list[tuple[str, str, str]], str]:
    """The start line, the header rows, and what is wrong with the rows ("" if nothing)."""
    start, _, rest = text.partition("\r\n")
    rows: list[tuple[str, str, str]] = []
    # A lone CR or LF in a value would be a new line to a lenient peer that we echo it to.
    pairs = text.count("\r\n")
    fault = "" if pairs == text.count("\r") == text.count("\n") else "a bare CR or LF"
    lines = rest.split("\r\n")
    if "\r\n " in rest or "\r\n\t" in rest:
        lines = _unfolded(lines)
    for line in lines:
        if not line:
            continue
        name, colon, value = line.partition(":")
        key = _NAMES.get(name)
        if key is not None and colon:
            rows.append((key, name, value.strip(" \t")))
            continue
        name = name.rstrip(" \t")
        if len(name) == 1:
            name = _COMPACT.get(name.lower(), name)
        if not colon or not TOKEN.match(name):
            fault = "a line that is no header"
            continue
        rows.append((name.lower(), name, value.strip(" \t")))
    return start, rows, fault


def parse_message(data: bytes) -> Request | Response:
    """Read one datagram, or one framed message of a stream.

    A body longer than Content-Length is cut to it, a shorter one is an error (RFC 3261 §18.3). Raises Malformed (which
    knows the request to answer, if it can be answered) or ParseError, never anything else.
    """
    head, gap, body = data.partition(b"\r\n\r\n")
    start, rows, fault = split_head(head.lstrip(b"\r\n").decode(*_CODING))
    headers = Headers.from_lines(rows)
    status = _STATUS.match(start)
    if status is not None:
        if fault:
            raise ParseError("header", fault)
        return Response(int(status[1]), status[2] or "", headers, _body(headers, body, gap))
    if start[:4].upper() == "SIP/":
        raise ParseError("status line", "unreadable")
    parts = start.split(" ")
    request = Request(parts[0], parts[1] if len(parts) > 1 else "", headers)
    answerable = request if TOKEN.match(parts[0]) and "via" in (row[0] for row in rows) else None
    if len(parts) != 3 or not TOKEN.match(parts[0]) or not _VERSION.match(parts[2]):
        raise Malformed("request line", "not a method, a URI and a version", answerable)
    if fault:
        raise Malformed("header", fault, answerable)
    request.version = parts[2].upper()
    try:
        request.body = _body(headers, body, gap)
    except ParseError as error:
        raise Malformed(error.field, error.detail, answerable) from None
    return request


def _body(headers: Headers, body: bytes, gap: bytes) -> bytes:
    stated = headers.get_all("Content-Length")
    if not stated:
        return body
    if len(stated) > 1:
        raise ParseError("Content-Length", "given twice")
    length = unsigned(stated[0], "Content-Length", 2**32 - 1)
    if length > len(body) or (length and not gap):
        raise ParseError("Content-Length", "more than there is")
    return body[:length]
