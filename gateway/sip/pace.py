"""When much comes, it is taken in handfuls: to be woken for each message costs more than the message.

A wake, and caches that others have used since, cost as much as parsing does. So while a process is busy it rests for
SECONDS after what it did, and does what has come meanwhile in one go, as a network card gathers its interrupts. With
little to do it is woken at once; no message waits longer than SECONDS.

    BUSY     so many messages a second, and more, are much: twenty calls a second or so
    WINDOW   seconds over which they are counted
"""

from __future__ import annotations

SECONDS = 0.02
BUSY = 300
WINDOW = 0.1


class Pace:
    """Counts messages, and says how long to rest."""

    __slots__ = ("_busy", "_count", "_since")

    def __init__(self) -> None:
        self._count = 0
        self._since = 0.0
        self._busy = False

    def note(self) -> None:
        """A message has come."""
        self._count += 1

    def rest(self, now: float) -> float:
        """What was there is done: for so many seconds nothing needs to be looked at; 0.0: all that comes, at once."""
        passed = now - self._since
        if passed >= WINDOW:
            self._busy = self._count >= BUSY * passed
            self._count, self._since = 0, now
        return SECONDS if self._busy else 0.0
