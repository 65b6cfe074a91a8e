"""Answers that leave nothing behind (RFC 3261 §8.2.7): where they go, and a To tag that is the same each time."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

from gateway.errors import ParseError
from gateway.sip.build import response_to
from gateway.sip.hop import Hop
from gateway.sip.message import Request, parse_message
from gateway.sip.transaction import Transmit


def answer(
    request: Request,
    source: Hop,
    status: int,
    reason: str | None = None,
    headers: Iterable[tuple[str, str]] = (),
    mark: str = "",
) -> Transmit:
    """A response to ``request``, which came from ``source``, without a transaction. ``mark`` begins its tag."""
    seed = "\n".join((request.headers.get("Via") or "", request.headers.get("Call-ID") or ""))
    tag = f"{mark}{zlib.crc32(seed.encode('utf-8', 'surrogateescape')):08x}"
    response = response_to(request, status, reason, to_tag=tag, headers=headers)
    return Transmit(bytes(response), reply_hop(request, source), response)


def refuse(data: bytes, source: Hop, status: int, reason: str) -> list[Transmit]:
    """Answer a request, whatever it wants; nothing for anything else."""
    try:
        request = parse_message(data)
        if not isinstance(request, Request) or request.method == "ACK":
            return []
        request.note_source(source.host, source.port)
    except ParseError:
        return []
    return [answer(request, source, status, reason)]


def reply_hop(request: Request, source: Hop) -> Hop:
    """Where a response goes (§18.2.2): the source; on UDP without rport to the port that the Via names."""
    try:
        via = request.via
    except ParseError:
        return source
    if source.transport != "udp" or via.rport is not None:
        return source
    return Hop("udp", source.host, via.port or 5060)
