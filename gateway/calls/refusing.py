"""REFUSING: the caller is told by a tone, once, as early media (183), why the call can't be; then comes the status."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.calls.leg import Leg, LegState
from gateway.calls.phase import CallState, Phase
from gateway.causes import Cause
from media import control

if TYPE_CHECKING:
    from gateway.bindings.decisions import Reject
    from gateway.calls.call import Call

_PLAY = "refusal"


def refusal_tone(call: Call, decision: Reject) -> str | None:
    """The file that explains a refusal to the caller: the customer's own, else the one of its kind."""
    return call.tone(decision.file) or call.settings.tones.find(call.record.application, decision.tone, {})


class Refusing(Phase):
    """The tone plays to the caller; there is no callee."""

    __slots__ = ("_cause", "_file")
    state = CallState.REFUSING

    def __init__(self, call: Call, cause: Cause, file: str) -> None:
        super().__init__(call)
        self._cause = cause
        self._file = file

    def enter(self, now: float) -> None:
        """Play."""
        self.call.sip(self.call.caller.tell_media(now))
        self.call.media.play(control.CALLER, _PLAY, (self._file,), now)
        self.call.set_alarm("cap", now + self.call.settings.refusal_cap)

    def alarm(self, name: str, now: float) -> None:
        """The tone has had its time."""
        self.call.end(self._cause, now)

    def report(self, report: control.Report, now: float) -> None:
        """The tone is over, or can't be played: either way the caller gets its status."""
        if isinstance(report, control.Played) and report.play == _PLAY:
            self.call.end(self._cause, now)

    def left(self, leg: Leg, now: float) -> None:
        """The caller has heard enough: the refusal is still why the call failed."""
        leg.state = LegState.GONE
        self.call.end(self._cause, now)

    def media_lost(self, now: float) -> None:
        """Nothing more to hear; the cause stands."""
        self.call.end(self._cause, now)
