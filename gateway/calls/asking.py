"""ASKING: X mode, the customer's server is asked who is to be reached (privatenumber.md section 4.3).

The question is the ``callin`` event itself, so none is published. No answer, a bad one and a server that can't be
reached end the call alike, with NO_BINDING; whoever asks says so by a Reject. The alarm is only a net under it.
"""

from __future__ import annotations

from dataclasses import replace

from gateway.bindings.decisions import Ask, Connect, Decision, Reject
from gateway.calls.outputs import Consult
from gateway.calls.phase import CallState, Phase
from gateway.causes import Cause


class Asking(Phase):
    """The question is out."""

    __slots__ = ()
    state = CallState.ASKING

    def enter(self, now: float) -> None:
        """Ask."""
        call, record = self.call, self.call.record
        call.out.append(Consult(call.id, record.application, record.caller, record.x, record.started))
        call.set_alarm("question", now + call.settings.question_timeout)

    def alarm(self, name: str, now: float) -> None:
        """Nobody has answered."""
        self.route_failed(now)

    def route_failed(self, now: float) -> None:
        """As a bad answer."""
        call = self.call
        mode = call.decision.mode if call.decision is not None else None
        refusal = Reject(cause=Cause.NO_BINDING, tone="no_binding", application=call.record.application, mode=mode)
        call.go_on(refusal, now)

    def routed(self, decision: Decision, now: float) -> None:
        """The answer; how it is recorded the application says."""
        asked = self.call.decision
        if isinstance(decision, Connect) and isinstance(asked, Ask):
            decision = replace(decision, recording=asked.recording)
        self.call.go_on(decision, now)

    def media_lost(self, now: float) -> None:
        """There is no media yet."""
