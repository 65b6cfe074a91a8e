"""A SIP message as it was seen on the wire, and the little that is read of it without parsing it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gateway.sip.hop import Hop

_CALL_ID = re.compile(rb"\n(?:call-id|i)[ \t]*:[ \t]*([^\r\n]+)", re.IGNORECASE)
_TO_TAG = re.compile(rb"\n(?:to|t)[ \t]*:[^\r\n]*;[ \t]*tag[ \t]*=", re.IGNORECASE)
CALLER, CALLEE = 0, 1


@dataclass(frozen=True, slots=True)
class Seen:
    """``at``: UTC epoch seconds. ``sent`` by us to ``peer``, or received from it; ``here`` is our side of the line."""

    at: float
    sent: bool
    peer: Hop
    here: Hop
    data: bytes

    def __repr__(self) -> str:
        """Without what was said: it holds numbers."""
        return f"<Seen {len(self.data)} octets>"


def call_id_of(data: bytes) -> str:
    """The Call-ID of a message, "" when it has none."""
    at = data.find(b"\nCall-ID: ")
    if at > 0:
        return data[at + 10 : data.find(b"\r", at)].strip().decode("utf-8", "replace")
    found = _CALL_ID.search(data)
    return found[1].strip().decode("utf-8", "replace") if found else ""


def begins_call(seen: Seen) -> bool:
    """Whether it is the INVITE that a call comes in with."""
    return not seen.sent and seen.data.startswith(b"INVITE ") and _TO_TAG.search(seen.data) is None


def title_of(data: bytes) -> str:
    """``INVITE``, ``180 Ringing``."""
    line = data.split(b"\r\n", 1)[0].decode("utf-8", "replace")
    return line.partition(" ")[2] if line.startswith("SIP/") else line.partition(" ")[0]
