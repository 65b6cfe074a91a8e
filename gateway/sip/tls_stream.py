"""One TLS connection as bytes in and bytes out: Python's ssl on memory, so that the stream below it keeps its bounds.

asyncio's own TLS shakes hands before anybody can say who may connect, and buffers outside of the reach of our limits.

    begin            what the side that connects sends first
    receive          bytes of the wire -> plain bytes; ``outgoing`` then holds what must go back
    send             plain bytes -> bytes of the wire
    established      the handshake is over, and whoever we connected to is who it should be
    ended            the other side has said that it sends nothing more
"""

from __future__ import annotations

import contextlib
import ssl

from gateway.sip.tls_names import proves

PART = 1 << 16


class TlsError(Exception):
    """The connection can't be trusted, or is no TLS; the text says why."""


class TlsStream:
    """``name``: whom we connect to. ``accepting``: we were connected to; ``name`` is what the other side's certificate
    must prove, "" if nothing."""

    __slots__ = ("_in", "_name", "_object", "_out", "ended", "established")

    def __init__(self, context: ssl.SSLContext, name: str, *, accepting: bool = False) -> None:
        self._in = ssl.MemoryBIO()
        self._out = ssl.MemoryBIO()
        self._name = name
        self._object = context.wrap_bio(
            self._in, self._out, server_side=accepting, server_hostname=None if accepting else name
        )
        self.established = False
        self.ended = False

    def begin(self) -> bytes:
        """The first flight of the side that connects."""
        self._shake_hands()
        return self.outgoing()

    def receive(self, data: bytes) -> bytes:
        """Take in bytes of the wire; the plain bytes in them. Raises TlsError."""
        self._in.write(data)
        if not self.established:
            self._shake_hands()
        if not self.established:
            return b""
        parts = []
        try:
            while part := self._object.read(PART):
                parts.append(part)
            self.ended = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.ended = True
        except ssl.SSLError as error:
            raise TlsError(_words(error)) from None
        return b"".join(parts)

    def send(self, data: bytes) -> bytes:
        """Plain bytes as bytes of the wire."""
        view = memoryview(data)
        while view:
            view = view[self._object.write(view) :]
        return self.outgoing()

    def outgoing(self) -> bytes:
        """What has to go to the other side: of the handshake, an alert, a key update."""
        return self._out.read()

    def end(self) -> bytes:
        """Our close_notify."""
        if self.established:
            with contextlib.suppress(ssl.SSLError):  # it waits for theirs, which we don't
                self._object.unwrap()
        return self.outgoing()

    @property
    def has_certificate(self) -> bool:
        """Whether the other side has shown a certificate that we trust."""
        return self.established and bool(self._object.getpeercert())

    def _shake_hands(self) -> None:
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return
        except ssl.SSLError as error:
            raise TlsError(_words(error)) from None
        if self._name and not proves(self._object.getpeercert() or {}, self._name):
            raise TlsError(f"the certificate is not one of {self._name}")
        self.established = True


def _words(error: ssl.SSLError) -> str:
    said = getattr(error, "verify_message", None) or error.reason or str(error)
    return str(said).replace("_", " ").lower()
