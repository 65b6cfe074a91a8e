"""SIP messages by method, code, trunk, direction and transport, told from their first bytes and their CSeq.

A message is not parsed for it: the method of a request is its first word, that of a response the last word of the CSeq
line (RFC 3261 §8.1.1.5). Methods and codes that are not registered are ``other`` and ``4xx``, so a hostile peer can't
make new time series.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from gateway.metrics.tally import Labels, Tally
from gateway.sip.hop import Hop

NAME = "maskline_sip_messages_total"
_METHODS = {
    name.encode(): name
    for name in (
        *("INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "PRACK", "UPDATE", "INFO", "MESSAGE", "REFER"),
        *("NOTIFY", "SUBSCRIBE", "PUBLISH"),
    )
}
_CODES = {
    str(code).encode(): str(code)
    for code in (
        *(100, 180, 181, 182, 183, 199, 200, 202, 204, 300, 301, 302, 305, 380, 400, 401, 402, 403, 404, 405, 406),
        *(407, 408, 410, 412, 413, 414, 415, 416, 417, 420, 421, 422, 423, 424, 425, 428, 429, 430, 433, 436, 437),
        *(438, 439, 440, 469, 470, 480, 481, 482, 483, 484, 485, 486, 487, 488, 489, 491, 493, 494, 500, 501, 502),
        *(503, 504, 505, 513, 555, 580, 600, 603, 604, 606, 607, 608),
    )
}
_CSEQ = re.compile(rb"\ncseq[ \t]*:[ \t\r\n]*[0-9]+[ \t\r\n]+([^\r\n \t]+)", re.IGNORECASE)


def kind_of(data: bytes) -> tuple[str, str]:
    """Method and code of a message; the code of a request is ""."""
    if data[:8] != b"SIP/2.0 ":
        return _METHODS.get(data[: data.find(b" ", 0, 12)], "other"), ""
    at = data.find(b"\nCSeq: ")
    if at > 0:
        method = data[at + 7 : data.find(b"\r", at)].rpartition(b" ")[2]
    else:
        found = _CSEQ.search(data)
        method = found[1] if found else b""
    code = data[8:11]
    known = _CODES.get(code)
    if known is None:
        known = code[:1].decode() + "xx" if code[:1] in b"123456" and code else "other"
    return _METHODS.get(method, "other"), known


class Traffic:
    """``trunk_of(host)`` names the trunk of an address; None: it has none."""

    def __init__(self, tally: Tally, trunk_of: Callable[[str], str | None]) -> None:
        self._counts = tally.counts(NAME)
        self._trunk_of = trunk_of

    def received(self, data: bytes, source: Hop) -> None:
        """A message has come."""
        self._count(data, source, "in")

    def sent(self, data: bytes, target: Hop) -> None:
        """A message goes."""
        self._count(data, target, "out")

    def _count(self, data: bytes, hop: Hop, direction: str) -> None:
        method, code = kind_of(data)
        labels: Labels = (method, code, self._trunk_of(hop.host) or "", direction, hop.transport)
        counts = self._counts
        counts[labels] = counts.get(labels, 0) + 1
