"""Which call, and which side of it, a Call-ID belongs to; known for a while after the call, for what comes late."""

from __future__ import annotations

from collections.abc import Callable

Known = tuple[str, int]
"""The call's session id, and messages.CALLER or CALLEE."""
MOST = 20_000


class Threads:
    """``call_of(Call-ID)`` asks the exchange, which knows the calls that stand."""

    def __init__(self, call_of: Callable[[str], Known | None]) -> None:
        self._call_of = call_of
        self._known: dict[str, Known] = {}

    def find(self, call_id: str) -> Known | None:
        """None: no call's."""
        known = self._known.get(call_id)
        if known is None:
            known = self._call_of(call_id)
            if known is not None:
                while len(self._known) >= MOST:
                    del self._known[next(iter(self._known))]
                self._known[call_id] = known
        return known
