"""What was played to whom: every tone, notice and prompt of a call, for its record.

    Play        begun, as it was told
    Played      from its first to its last packet, as the worker says; nothing when not one was sent
    (neither)   to the end of the call: a call without a recording doesn't wait for its worker's last words

Keys that are passed on are no tones. A worker that dies takes its word with it: what another one plays again counts
from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from media import control


class Tone(NamedTuple):
    """``play``: what for (waiting, ringback, prompt, refusal, notice, last minute); ``file``: the names of its files,
    without their folders."""

    leg: int
    play: str
    file: str
    begin: float
    end: float


class Tones:
    """Of one call. ``_playing`` holds by leg what plays, the newest last: the worker tells of one after the other."""

    __slots__ = ("_heard", "_playing")

    def __init__(self) -> None:
        self._playing: list[tuple[int, str, str, float]] = []
        self._heard: list[Tone] = []

    def begin(self, leg: int, play: str, files: Sequence[str], now: float) -> None:
        """The worker is told to play."""
        self._playing.append((leg, play, " + ".join(path.rpartition("/")[2] for path in files), now))

    def played(self, report: control.Played) -> None:
        """It was heard; what began first is told of first."""
        for place, (leg, play, file, _) in enumerate(self._playing):
            if leg == report.leg and play == report.play:
                del self._playing[place]
                if report.started:
                    self._heard.append(Tone(leg, play, file, report.started, report.ended))
                return

    def until(self, ended: float) -> tuple[Tone, ...]:
        """All of it, for a call that ended then."""
        cut = [Tone(leg, play, file, begun, ended) for leg, play, file, begun in self._playing if begun < ended]
        heard = [tone._replace(end=min(tone.end, ended)) for tone in self._heard if tone.begin < ended]
        return tuple(sorted([*heard, *cut], key=lambda tone: tone.begin))
