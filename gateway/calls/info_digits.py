"""Digits in SIP INFO: application/dtmf-relay and application/dtmf, two forms that no RFC describes but phones send.

    application/dtmf-relay    Signal=5 and Duration=160, each on a line of its own
    application/dtmf          the digit alone

``*`` and ``#`` may come as 10 and 11, A to D as 12 to 15. Anything else is no digit; the INFO was answered 200 already.
"""

from __future__ import annotations

import re

_SIGNAL = re.compile(rb"^[ \t]*signal[ \t]*=[ \t]*([^\s;]{1,2})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_NUMBERED = {"10": "*", "11": "#", "12": "A", "13": "B", "14": "C", "15": "D"}
_KEYS = frozenset("0123456789*#ABCD")


def info_digit(content_type: str, body: bytes) -> str:
    """The key that an INFO reports, or ""."""
    match content_type.partition(";")[0].strip().lower():
        case "application/dtmf-relay":
            found = _SIGNAL.search(body[:512])
            raw = found[1] if found else b""
        case "application/dtmf":
            raw = body[:16].strip()
        case _:
            return ""
    text = raw.decode("ascii", "replace").upper()
    key = _NUMBERED.get(text, text)
    return key if key in _KEYS else ""
