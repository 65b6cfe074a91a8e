"""CLOSING and CLOSED: both legs are ending; the last thing to know is whether the recording holds anything.

The Disconnected event and the final record come together when the worker has closed the spool, which takes it
milliseconds; a worker that doesn't answer is not waited for longer than ``media_reply_timeout``.
"""

from __future__ import annotations

from gateway.bindings.decisions import Decision
from gateway.calls.events import Disconnected
from gateway.calls.leg import Leg, LegState
from gateway.calls.outputs import CallClosed, Publish
from gateway.calls.phase import CallState, Phase
from media import control


class Closing(Phase):
    """Nothing but the worker's Closed matters now."""

    __slots__ = ()
    state = CallState.CLOSING

    def enter(self, now: float) -> None:
        """Close the media; without a recording there is nothing to wait for."""
        call = self.call
        waits = call.media.close() and call.record.recorded
        if waits:
            call.set_alarm("media", now + call.settings.media_reply_timeout)
        else:
            call.enter(Done(call), now)

    def alarm(self, name: str, now: float) -> None:
        """The spool is on the disk as far as it got; whoever renders it will see."""
        self.call.enter(Done(self.call), now)

    def report(self, report: control.Report, now: float) -> None:
        """The spool is closed."""
        if isinstance(report, control.Closed):
            if report.error:
                self.call.change(record_trouble=report.error)
            if not report.recorded and self.call.media.parts == 1:
                self.call.change(recorded=False)
            self.call.enter(Done(self.call), now)

    def media_lost(self, now: float) -> None:
        """The worker took its last word with it."""
        self.call.enter(Done(self.call), now)

    def routed(self, decision: Decision, now: float) -> None:
        """Too late."""

    def confirmed(self, leg: Leg, body: bytes, now: float) -> None:
        """A late ACK."""

    def reanswered(self, leg: Leg, body: bytes, now: float) -> None:
        """Too late."""

    def reoffered(self, leg: Leg, body: bytes, now: float) -> None:
        """The leg has been ended."""

    def left(self, leg: Leg, now: float) -> None:
        """Both sides hung up at once."""
        leg.state = LegState.GONE


class Done(Closing):
    """The call is over and told."""

    __slots__ = ()
    state = CallState.CLOSED

    def enter(self, now: float) -> None:
        """The one Disconnected and the one CallClosed."""
        call = self.call
        record = call.record
        if not record.recorded or record.recorded_seconds < call.settings.min_recording:
            call.change(recorded=False, recording=None, record_started=None)
        assert record.ended is not None
        call.change(quality=call.quality.summary(record.started), heard=call.media.tones.until(record.ended))
        record = call.record
        assert record.cause is not None
        assert record.ended is not None
        call.out.append(Publish(call.id, call.event(Disconnected, record.ended, cause=record.cause)))
        call.out.append(CallClosed(call.id, record))

    def report(self, report: control.Report, now: float) -> None:
        """Nothing is open any more."""

    def media_lost(self, now: float) -> None:
        """Nothing is open any more."""
