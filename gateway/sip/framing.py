"""Messages out of a byte stream (RFC 3261 §18.3), with CRLF keep-alives (RFC 5626 §3.5.1).

Content-Length decides; where it is absent on a stream the body is empty. Everything is bounded, and a head that can't
be trusted ends the connection: after it nobody knows where the next message starts.
"""

from __future__ import annotations

from gateway.errors import ParseError
from gateway.sip.grammar import unsigned
from gateway.sip.message import BODY_LIMIT, split_head

HEAD_LIMIT = 64 * 1024


class StreamFramer:
    """Bytes in, whole messages out. After a ParseError the connection must be closed; ``rest`` is what lay there."""

    __slots__ = ("_buffer", "_need", "pings")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._need = 0
        self.pings = 0
        """Double-CRLF pings seen since the owner last set this to 0; each wants one CRLF back."""

    @property
    def rest(self) -> bytes:
        """What has come and is no whole message yet."""
        return bytes(self._buffer)

    def feed(self, data: bytes) -> list[bytes]:
        """Take in bytes; return the messages that are complete. Raises ParseError."""
        self._buffer += data
        messages: list[bytes] = []
        while True:
            if self._need == 0:
                self._skip_keep_alives()
                end = self._buffer.find(b"\r\n\r\n")
                if end < 0:
                    if len(self._buffer) > HEAD_LIMIT:
                        raise ParseError("head", "too long")
                    return messages
                if end > HEAD_LIMIT:
                    raise ParseError("head", "too long")
                self._need = end + 4 + self._content_length(bytes(self._buffer[:end]))
            if len(self._buffer) < self._need:
                return messages
            messages.append(bytes(self._buffer[: self._need]))
            del self._buffer[: self._need]
            self._need = 0

    def _skip_keep_alives(self) -> None:
        while self._buffer.startswith(b"\r\n\r\n"):
            self.pings += 1
            del self._buffer[:4]
        if self._buffer.startswith(b"\r\n") and len(self._buffer) > 3:
            del self._buffer[:2]

    @staticmethod
    def _content_length(head: bytes) -> int:
        _, rows, _ = split_head(head.decode("utf-8", "surrogateescape"))
        stated = [value for key, _, value in rows if key == "content-length"]
        if len(stated) > 1:
            raise ParseError("Content-Length", "given twice")
        return unsigned(stated[0], "Content-Length", BODY_LIMIT) if stated else 0
