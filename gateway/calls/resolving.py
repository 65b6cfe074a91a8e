"""RESOLVING: whose X it is.

A caller who gives up while the look-up runs is not forgotten: only its answer says which application has to be told.
"""

from __future__ import annotations

from gateway.bindings.decisions import Ask, Decision
from gateway.calls.events import CallIn
from gateway.calls.leg import Leg, LegState
from gateway.calls.outputs import CallOpened, Publish, Resolve
from gateway.calls.phase import CallState, Phase
from gateway.causes import Cause


class Resolving(Phase):
    """The binding is being looked up."""

    __slots__ = ("_gave_up_at",)
    state = CallState.RESOLVING

    def enter(self, now: float) -> None:
        """Ask."""
        call = self.call
        self._gave_up_at: float | None = None
        call.out.append(Resolve(call.id, call.record.trunk, call.record.caller, call.record.x, now))
        call.set_alarm("route", now + call.settings.route_timeout)

    def alarm(self, name: str, now: float) -> None:
        """No answer in time: as if it had failed."""
        self.route_failed(now)

    def route_failed(self, now: float) -> None:
        """The node can't route: the caller's carrier may try another one, so 503."""
        if self._gave_up_at is not None:
            self.call.end(self.gave_up, self._gave_up_at)
        else:
            self.call.end(Cause.NO_ROUTE, now, status=503)

    def left(self, leg: Leg, now: float) -> None:
        """The caller gave up; the customer is told when we know which."""
        leg.state = LegState.GONE
        self._gave_up_at = now

    def media_lost(self, now: float) -> None:
        """There is no media yet."""

    def routed(self, decision: Decision, now: float) -> None:
        """The call has an owner: open its record, then ask, connect or refuse."""
        call = self.call
        decision = call.decide(decision, now)
        call.out.append(CallOpened(call.id, call.record))
        if not isinstance(decision, Ask):
            call.out.append(Publish(call.id, call.event(CallIn, call.record.started)))
        if self._gave_up_at is not None:
            call.end(self.gave_up, self._gave_up_at)
        else:
            call.ready(now)
