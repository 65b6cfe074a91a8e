"""What a media worker holds of a session, as far as it was told: another one is told the same when it dies.

Connect, Listen     the last one of each leg
Relay, Watch        the last one
Play                of each leg, until it is stopped, replaced, or reported to be over: a notice that was cut off
                    is heard from its start to its end
Record              until the disk has failed it; goes on in another file, from the same beginning
SendDigits          not kept: a key that the other side has got already must not come twice
"""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from media import control
from media.control import Command, part_path

_OF_A_LEG = (control.Connect, control.Listen, control.Play)
_OF_BOTH = (control.Relay, control.Watch, control.Record)


@dataclass(slots=True)
class Ledger:
    """Commands of one session, without Open and Close."""

    _held: dict[tuple[type, int], Command] = field(default_factory=dict)

    def note(self, command: Command) -> None:
        """It is, or would be, carried out."""
        kind = type(command)
        if kind in _OF_BOTH:
            self._held[kind, -1] = command
        elif isinstance(command, _OF_A_LEG):
            self._held[kind, command.leg] = command
        elif isinstance(command, control.Stop):
            self._stopped(command.leg, command.play)
        elif isinstance(command, control.SendDigits):
            self._stopped(command.leg, "")

    def heard(self, report: control.Report) -> None:
        """What the worker says of it."""
        if isinstance(report, control.Played):
            # One that was stopped or replaced has been forgotten by then; its name may be that of the next.
            if report.completed or report.error:
                self._stopped(report.leg, report.play)
        elif isinstance(report, control.SpoolFailed):
            self._held.pop((control.Record, -1), None)

    def commands(self, part: int) -> list[Command]:
        """What another worker is to be told; a recording goes on in its file number ``part``."""
        return [_again(command, part) for command in self._held.values()]

    def _stopped(self, leg: int, play: str) -> None:
        held = self._held.get((control.Play, leg))
        if isinstance(held, control.Play) and play in ("", held.play):
            del self._held[control.Play, leg]


def _again(command: Command, part: int) -> Command:
    match command:
        case control.Record(path=path):
            return msgspec.structs.replace(command, path=part_path(path, part))
        case control.Connect():
            return msgspec.structs.replace(command, resumed=True)
        case _:
            return command
