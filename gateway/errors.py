"""The two families of error: ours, which are bugs and loud, and the peer's, which know the answer they deserve.

Nothing here is a module-level instance: an exception that is raised twice grows its traceback for ever.
"""

from __future__ import annotations


class PeerError(Exception):
    """Something the other side did wrong. ``status`` and ``reason`` are the SIP answer it gets."""

    status = 400
    reason = "Bad Request"

    def __init__(self, detail: str, *, status: int | None = None, reason: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        if status is not None:
            self.status = status
        if reason is not None:
            self.reason = reason


class ParseError(PeerError):
    """Bytes that don't follow a grammar. ``field`` names the header, SDP line or start line that is wrong."""

    def __init__(self, field: str, detail: str, *, status: int | None = None, reason: str | None = None) -> None:
        super().__init__(f"{field}: {detail}", status=status, reason=reason)
        self.field = field
