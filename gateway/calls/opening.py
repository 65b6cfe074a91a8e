"""OPENING: two port pairs at a media worker, then what was decided goes on."""

from __future__ import annotations

from gateway.calls.phase import CallState, Phase
from gateway.causes import Cause
from media import control


class Opening(Phase):
    """A media worker is asked for ports."""

    __slots__ = ()
    state = CallState.OPENING

    def enter(self, now: float) -> None:
        """The least loaded worker; none: out of voice ports."""
        call = self.call
        if not call.media.open():
            call.end(Cause.OUT_OF_PORTS, now)
            return
        call.set_alarm("media", now + call.settings.media_reply_timeout)

    def alarm(self, name: str, now: float) -> None:
        """The worker doesn't answer."""
        self.call.end(Cause.OUT_OF_PORTS, now)

    def report(self, report: control.Report, now: float) -> None:
        """Ports, or none."""
        match report:
            case control.Opened(caller_port=caller_port, callee_port=callee_port):
                self._opened(caller_port, callee_port, now)
            case control.OpenFailed():
                self.call.media.refused()
                self.call.end(Cause.OUT_OF_PORTS, now)
            case _:
                pass

    def _opened(self, caller_port: int, callee_port: int, now: float) -> None:
        call = self.call
        call.caller.port = caller_port
        call.callee_port = callee_port
        if call.caller.offer:
            # Exchange has seen that this offer can be answered before there was a call.
            call.agree(call.caller, call.caller.negotiation.receive_offer(call.caller.offer, caller_port))
        call.ready(now)
