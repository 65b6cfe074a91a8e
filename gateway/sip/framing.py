"""Messages out of a byte stream (RFC 3261 §18.3), with CRLF keep-alives (RFC 5626 §3.5.1).

Content-Length decides; where it is absent the body is empty, unless a Content-Type says that there is one: on a stream
nobody could tell where that ends (§20.14). Everything is bounded, and a head that can't
be trusted ends the connection: after it nobody knows where the next message starts. So does a first line that isn't
SIP, as soon as it is there: what follows is another protocol's, or the body of a message that lied about its length.
"""

from __future__ import annotations

import re

from gateway.errors import ParseError
from gateway.sip.grammar import unsigned
from gateway.sip.message import BODY_LIMIT, split_head

HEAD_LIMIT = 64 * 1024
_TOP_VIA = re.compile(
    rb"^(?:via|v)[ \t]*:[ \t]*SIP/2\.0/(?:TCP|TLS)[ \t]+"
    rb"(?:\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::(\d{1,5}))?((?:;[^\r\n,]*)?)",
    re.IGNORECASE | re.MULTILINE,
)
_ALIAS = re.compile(rb";[ \t]*alias[ \t]*(?:;|$)", re.IGNORECASE)


def alias_port(message: bytes, default: int) -> int | None:
    """The port at which the sender of a request hears requests too, when it lets them come on the same connection
    (RFC 5923: ``alias`` in the topmost Via)."""
    if message.startswith(b"SIP/2.0"):
        return None
    via = _TOP_VIA.search(message, 0, 4096)
    if via is None or not _ALIAS.search(via[2]):
        return None
    return int(via[1]) if via[1] else default


class StreamFramer:
    """Bytes in, whole messages out. Once ``error`` is set the connection must be closed; ``rest`` is what lay there."""

    __slots__ = ("_begun", "_buffer", "_need", "_searched", "error", "pings")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._need = 0
        self._begun = False
        """The first line is there, and is SIP."""
        self._searched = 0
        """So many bytes hold no end of a head: a trickle is not searched again with each byte."""
        self.error: ParseError | None = None
        """Why the bytes in ``rest`` can't be framed. Messages before them were good and have been returned."""
        self.pings = 0
        """Double-CRLF pings seen since the owner last set this to 0; each wants one CRLF back."""

    @property
    def rest(self) -> bytes:
        """What has come and is no whole message yet."""
        return bytes(self._buffer)

    @property
    def partial(self) -> bool:
        """Whether the beginning of a message waits for its rest; a lone CRLF, kept to see if it is a ping, is none."""
        return not b"\r\n\r".startswith(self._buffer)

    def feed(self, data: bytes) -> list[bytes]:
        """Take in bytes; return the messages that are complete."""
        if self.error is not None:
            return []
        self._buffer += data
        messages: list[bytes] = []
        try:
            while self._ready():
                messages.append(bytes(self._buffer[: self._need]))
                del self._buffer[: self._need]
                self._need = self._searched = 0
                self._begun = False
        except ParseError as error:
            self.error = error
        return messages

    def _ready(self) -> bool:
        """Whether a whole message lies in front. Raises ParseError."""
        if self._need == 0:
            self._skip_keep_alives()
            if not self._begun:
                self._begin()
            end = self._buffer.find(b"\r\n\r\n", self._searched)
            if end > HEAD_LIMIT or (end < 0 and len(self._buffer) > HEAD_LIMIT):
                raise ParseError("head", "too long")
            if end < 0:
                self._searched = max(0, len(self._buffer) - 3)
                return False
            self._need = end + 4 + self._content_length(bytes(self._buffer[:end]))
        return len(self._buffer) >= self._need

    def _skip_keep_alives(self) -> None:
        while self._buffer.startswith(b"\r\n\r\n"):
            self.pings += 1
            del self._buffer[:4]
        if self._buffer.startswith(b"\r\n") and len(self._buffer) > 3:
            del self._buffer[:2]

    def _begin(self) -> None:
        """Look at the first line once it is there. Raises ParseError."""
        end = self._buffer.find(b"\n", self._searched, HEAD_LIMIT)
        if end < 0 or self._buffer.startswith(b"\r\n"):
            return
        if b"SIP/" not in self._buffer[:end]:
            raise ParseError("start line", "no SIP")
        self._begun = True

    @staticmethod
    def _content_length(head: bytes) -> int:
        _, rows, _ = split_head(head.decode("utf-8", "surrogateescape"))
        stated = [value for key, _, value in rows if key == "content-length"]
        if len(stated) > 1:
            raise ParseError("Content-Length", "given twice")
        if not stated and any(key == "content-type" for key, _, _ in rows):
            raise ParseError("Content-Length", "missing")
        return unsigned(stated[0], "Content-Length", BODY_LIMIT) if stated else 0
