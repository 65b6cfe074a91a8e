"""What one side of a call does on a trunk beyond RFC 3261: session timers (RFC 4028), reliable provisional responses
(RFC 3262).

    session_expires    seconds; 0: no session timer, and the extension isn't supported
    reliable           OFF, SUPPORTED (when the other side wants it), REQUIRED (no call without it)
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from gateway.sip.message import Request, Response

MIN_SE = 90
"""The least session interval (RFC 4028 §4)."""
TIMER, RELIABLE = "timer", "100rel"
EXTENSIONS = frozenset({TIMER, RELIABLE})
"""Option tags that a trunk may have."""
SUPPORTED = f"{TIMER}, {RELIABLE}"


class Reliable(Enum):
    """Reliable provisional responses on a trunk."""

    OFF = "off"
    SUPPORTED = "supported"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class Policy:
    """The default is plain RFC 3261."""

    session_expires: int = 0
    reliable: Reliable = Reliable.OFF

    @property
    def extensions(self) -> frozenset[str]:
        """Option tags that are understood."""
        timer = {TIMER} if self.session_expires else set()
        return frozenset(timer if self.reliable is Reliable.OFF else timer | {RELIABLE})

    def offered(self) -> list[tuple[str, str]]:
        """The Supported and Require lines of an INVITE of ours."""
        lines = []
        supported = [tag for tag in (TIMER, RELIABLE) if tag in self.extensions]
        if self.reliable is Reliable.REQUIRED:
            lines.append(("Require", supported.pop()))
        return [("Supported", ", ".join(supported)), *lines] if supported else lines


def options(message: Request | Response, name: str) -> frozenset[str]:
    """The option tags of ``Supported``, ``Require`` or ``Unsupported`` (they compare without case)."""
    if message.headers.get(name) is None:
        return frozenset()
    return frozenset(value.lower() for value in message.headers.values(name))
