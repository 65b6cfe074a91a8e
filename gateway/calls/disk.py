"""What the spool's disk has done to recordings lately: for the alarm, the counter and /readyz. Pure."""

from __future__ import annotations

from media.control import SLOW_DISK

LATELY = 300.0
SAY_EVERY = 60.0
_REASONS = {
    "No space left on device": "full",
    "Disk quota exceeded": "full",
    "File too large": "full",
    "Read-only file system": "read_only",
    SLOW_DISK: "slow",
}


class DiskTrouble:
    """``failed`` for each recording that was cut; ``notes`` for who asks how the node is."""

    def __init__(self) -> None:
        self._at = float("-inf")
        self._error = ""
        self._said_at = float("-inf")
        self._unsaid = 0

    def failed(self, error: str, now: float) -> tuple[str, int]:
        """The reason's word; how many are to be told of now (0: not now, once a minute is enough)."""
        self._at, self._error = now, error
        self._unsaid += 1
        reason = _REASONS.get(error, "other")
        if now - self._said_at < SAY_EVERY:
            return reason, 0
        count, self._unsaid, self._said_at = self._unsaid, 0, now
        return reason, count

    def notes(self, now: float) -> list[str]:
        """What is wrong, in words; nothing when it was long ago."""
        return [f"calls are not recorded: {self._error}"] if now - self._at < LATELY else []
