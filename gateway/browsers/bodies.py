"""Descriptions in the messages of browsers: read, put in another's place, and what ours say of the worker."""

from __future__ import annotations

from gateway.errors import ParseError
from gateway.sdp.description import SessionDescription
from gateway.sip.message import Request, Response
from media.browser import Plain

SDP = "application/sdp"


def with_body(data: bytes, body: bytes) -> bytes:
    """A message with another body, and its length."""
    head, _, _ = data.partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not _is_length(line)]
    return b"\r\n".join([*lines, b"Content-Length: %d" % len(body), b"", body])


def _is_length(line: bytes) -> bool:
    return line.partition(b":")[0].strip().lower() in (b"content-length", b"l")


def description_of(message: Request | Response) -> SessionDescription | None:
    """The description that it carries, if it can be read."""
    if not message.body or message.content_type != SDP:
        return None
    try:
        return SessionDescription.parse(message.body)
    except ParseError:
        return None


def worker_of(description: SessionDescription) -> Plain | None:
    """Where the worker is, by our own description."""
    audio = next((one for one in description.media if one.media == "audio" and one.port), None)
    at = description.connection_of(audio) if audio is not None else None
    if audio is None or at is None or not at.is_literal or at.is_unspecified:
        return None
    return Plain(at.address, audio.port, audio.port + 1)
