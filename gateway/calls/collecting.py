"""COLLECTING: AXE, the caller hears a prompt and dials the extension of the A that he wants (section 4.1).

    prompt plays           as early media (183); a caller who can't have any is answered first (200), or he would hear
                           nothing and his digits could not come through
    a digit                stops the prompt; the extension is complete with its last digit, with # behind at least one,
                           or ``next_digit_timeout`` after a digit; * begins anew
    complete               looked up: connected, or "wrong, once more", or refused when all tries are used up
    nothing dialled        ``first_digit_timeout`` after the prompt: the prompt again, or refused with NO_DIGITS

The ``collectInfo`` event is given once: for the extension that was found, or for the last wrong one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.bindings.decisions import Collect, Decision, Reject
from gateway.calls.events import Collected
from gateway.calls.leg import Leg
from gateway.calls.outputs import Publish, Resolve
from gateway.calls.phase import CallState, Phase
from gateway.causes import Cause
from media import control

if TYPE_CHECKING:
    from gateway.calls.call import Call

_PLAY = "prompt"


class Collecting(Phase):
    """``_digits``: dialled in this try; ``_left``: tries after this one; ``_looking``: the look-up runs."""

    __slots__ = ("_digits", "_left", "_looking", "_plan")
    state = CallState.COLLECTING

    def __init__(self, call: Call, plan: Collect) -> None:
        super().__init__(call)
        self._plan = plan
        self._digits = ""
        self._left = plan.tries - 1
        self._looking = False

    def enter(self, now: float) -> None:
        """Prompt."""
        call = self.call
        if call.caller.early_media:
            call.sip(call.caller.tell_media(now))
        else:
            call.sip(call.caller.accept(now))
        call.media.listen(control.CALLER, True)
        self._prompt("enter_extension", now)

    def _prompt(self, kind: str, now: float) -> None:
        call = self.call
        self._digits = ""
        self._looking = False
        file = call.settings.tones.find(call.record.application, kind, self._plan.tones)
        if file is None:
            call.set_alarm("digit", now + call.settings.first_digit_timeout)
            return
        call.media.play(control.CALLER, _PLAY, (file,), now)
        call.set_alarm("digit", now + call.settings.prompt_cap)

    def pressed(self, leg: Leg, digit: str, now: float) -> None:
        """A key of the caller."""
        if self._looking or leg.side != control.CALLER:
            return
        call = self.call
        call.media.stop(control.CALLER, _PLAY)
        if digit == "*":
            self._digits = ""
        elif digit.isdigit():
            self._digits += digit
        if self._digits and (digit == "#" or len(self._digits) >= self._plan.length):
            self._look_up(now)
        else:
            settings = call.settings
            call.set_alarm(
                "digit", now + (settings.next_digit_timeout if self._digits else settings.first_digit_timeout)
            )

    def _look_up(self, now: float) -> None:
        call, record = self.call, self.call.record
        self._looking = True
        call.clear_alarm("digit")
        call.out.append(Resolve(call.id, record.trunk, record.caller, record.x, now, self._digits))
        call.set_alarm("route", now + call.settings.route_timeout)

    def alarm(self, name: str, now: float) -> None:
        """No further digit, no digit at all, or no answer of the database."""
        if name == "route":
            self.route_failed(now)
        elif self._digits:
            self._look_up(now)
        elif self._left > 0:
            self._left -= 1
            self._prompt("enter_extension", now)
        else:
            self._refuse(Cause.NO_DIGITS, "no_extension", now)

    def routed(self, decision: Decision, now: float) -> None:
        """Whose extension it is."""
        call = self.call
        if not self._looking:
            return
        call.clear_alarm("route")
        if isinstance(decision, Reject) and decision.cause is Cause.EXTENSION_UNKNOWN and self._left > 0:
            self._left -= 1
            self._prompt("wrong_extension", now)
            return
        call.change(extension=self._digits)
        call.out.append(Publish(call.id, call.event(Collected, now, digits=self._digits)))
        call.media.listen(control.CALLER, False)
        call.go_on(decision, now)

    def route_failed(self, now: float) -> None:
        """The node can't route."""
        self.call.end(Cause.NO_ROUTE, now, status=503)

    def _refuse(self, cause: Cause, kind: str, now: float) -> None:
        plan, own = self._plan, self._plan.tones
        self.call.media.listen(control.CALLER, False)
        self.call.go_on(
            Reject(cause=cause, tone=kind, file=own.get(kind, ""), application=plan.application, mode=plan.mode), now
        )

    def report(self, report: control.Report, now: float) -> None:
        """A digit, or the end of the prompt."""
        match report:
            case control.Digit(leg=side, digit=digit):
                leg = self.call.caller
                if side == leg.side:
                    self.pressed(leg, digit, now)
            case control.Played(play="prompt") if not self._digits and not self._looking:
                if report.error:
                    self._refuse(Cause.COLLECT_FAILED, "failed", now)
                elif report.completed:
                    self.call.set_alarm("digit", now + self.call.settings.first_digit_timeout)
            case _:
                pass
