"""What the volumes of recordings have room for, and what the spool's has done to recordings lately: for the alarm, the
metrics, /readyz, and for calls that must be recorded. Pure; ``gateway.space`` looks at the volumes.

    state   when                                                  back when
    ok
    low     less than ``low_percent`` of the volume is free       a fifth more than that is free
    full    less than ``least`` bytes are free                    a quarter more than that is free
    away    it is read-only, not there, or doesn't answer         it can be written

Each change of state is one line in the log; what stays bad is said again every hour.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from media.control import SLOW_DISK

LATELY = 300.0
SAY_EVERY = 60.0
SAY_AGAIN = 3600.0
SPARED = 10.0
"""For so long after it has failed a recording, a disk isn't trusted with one that must be."""
SPOOL = "spool"
_REASONS = {
    "No space left on device": "full",
    "Disk quota exceeded": "full",
    "File too large": "full",
    "Read-only file system": "read_only",
    SLOW_DISK: "slow",
}

State = Literal["ok", "low", "full", "away"]


@dataclass(frozen=True, slots=True)
class Room:
    """What was seen of a volume: bytes; ``trouble``: why it can't be written, "" when it can."""

    free: int = 0
    total: int = 0
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """A line for the log."""

    volume: str
    state: State
    room: Room


class Volume:
    """One volume's state."""

    def __init__(self, low_percent: float, least: int) -> None:
        self._low = low_percent / 100
        self._least = least
        self._said_at = 0.0
        self.state: State = "ok"
        self.room = Room()

    def saw(self, room: Room, now: float) -> bool:
        """It is like this now; whether that is to be told."""
        before, self.state, self.room = self.state, self._next(room), room
        tell = self.state != before or (self.state != "ok" and now - self._said_at >= SAY_AGAIN)
        if tell:
            self._said_at = now
        return tell

    def _next(self, room: Room) -> State:
        if room.trouble:
            return "away"
        least, low = float(self._least), self._low * room.total
        if self.state == "full":
            least *= 1.25
        if self.state in ("low", "full"):
            low *= 1.2
        return "full" if room.free < least else "low" if room.free < low else "ok"


class DiskTrouble:
    """``failed`` for each recording that was cut, ``saw`` for each look; ``notes`` for who asks how the node is."""

    def __init__(self, low_percent: float = 10.0, least: int = 64 << 20) -> None:
        self._at = float("-inf")
        self._error = ""
        self._said_at = float("-inf")
        self._unsaid = 0
        self._limits = low_percent, least
        self.volumes: dict[str, Volume] = {}

    def saw(self, volume: str, room: Room, now: float) -> Told | None:
        """A look at a volume; what is to be told of it."""
        one = self.volumes.setdefault(volume, Volume(*self._limits))
        return Told(volume, one.state, room) if one.saw(room, now) else None

    def takes(self, now: float) -> bool:
        """Whether the spool can be trusted with a recording."""
        spool = self.volumes.get(SPOOL)
        return now - self._at >= SPARED and (spool is None or spool.state in ("ok", "low"))

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
        notes = [f"calls are not recorded: {self._error}"] if now - self._at < LATELY else []
        return notes + [told(name, one.state, one.room) for name, one in self.volumes.items() if one.state != "ok"]


def told(volume: str, state: State, room: Room) -> str:
    """A state in words."""
    if state == "away":
        return f"the volume of the {volume} can't be written: {room.trouble}"
    free = f"{room.free / (1 << 30):.1f} GiB free"
    words = {"ok": "has room again", "low": "is nearly full", "full": "is full"}
    return f"the volume of the {volume} {words[state]}: {free} of {room.total / (1 << 30):.1f}"
