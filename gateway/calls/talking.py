"""TALKING: from the callee's answer to the end.

    at the answer       the caller's 200, recording begins, both hear the recording notice, then each other
    hold, new address   each leg's re-INVITE is answered on that leg; the watch for silence rests while anyone holds
    last minute         a tone to both, ``last_minute`` seconds before the maximum, when the maximum is longer than that
    maximum duration    cut, MAX_DURATION
    a key by INFO       goes to the other side as telephone-event, or as a tone
    silence             a side that should send is silent for ``media_timeout``: cut, NORMAL (see call.py)

A notice that is named but has no file means: not recorded, since nobody is recorded unasked. One that fails while it
plays ends the call with NOTICE_FAILED. The notice is part of the recording, and one that doesn't end within half a
minute keeps nobody apart; but where it comes first (``RecordingRules.notice_first``), the recording begins when both
have heard it to its end, and a notice that doesn't come to its end, ends the call. A recording that fails ends the call
only where it is required; what stands against it beforehand (``recordable``) refuses the call before the answer.
"""

from __future__ import annotations

from gateway.bindings.decisions import Connect
from gateway.calls.events import Answered
from gateway.calls.leg import Leg, LegState
from gateway.calls.outputs import CallAnswered, Publish, RecordingStarted, Talked
from gateway.calls.phase import CallState, Phase
from gateway.calls.record import recording_name
from gateway.calls.recordable import must_be_recorded, notice_comes_first, unrecordable
from gateway.calls.settings import DataKey
from gateway.causes import Cause
from media import control

_NOTICE = "notice"
_LAST_MINUTE = "last minute"
_KEYS = "keys"
_NOTICE_CAP = 30.0
_LONGEST_NOTICE = 620.0  # a tone has ten minutes at most


class Talking(Phase):
    """The parties are connected. ``_to_notify``: sides that have still to hear the notice to its end."""

    __slots__ = ("_connected", "_notice", "_notice_first", "_required", "_to_notify", "_tones", "_watching")
    state = CallState.TALKING
    gave_up = Cause.NORMAL

    def enter(self, now: float) -> None:
        """Answer the caller and begin."""
        call = self.call
        decision = call.decision
        assert isinstance(decision, Connect)
        assert call.callee is not None
        call.callee.state = LegState.UP
        against = unrecordable(call, decision, now)
        if against is not None:
            call.end(against, now)
            return
        self._connected = False
        self._watching: float | None = None
        self._notice = call.tone(decision.notice)
        self._tones = self._files(decision)
        self._to_notify = {side for side, files in self._tones.items() if files}
        call.plant.quota.talk.answered(call.record.application, now)
        self._required = must_be_recorded(call, decision)
        self._notice_first = notice_comes_first(call, decision)
        call.change(answered=now)
        call.sip(call.caller.accept(now))
        call.out.append(Publish(call.id, call.event(Answered, now)))
        if not self._notice_first:
            self._record(now)
        call.out.append(CallAnswered(call.id, call.record))
        for leg in call.legs:
            if leg.side in self._to_notify and leg.terms is not None:
                call.media.play(leg.side, _NOTICE, self._tones[leg.side], now)
        if not self._to_notify:
            call.media.stop(control.CALLER)
            self._connect(now)
        else:
            call.media.relay(caller_hears=False, callee_hears=False)
            call.set_alarm("notice", now + (_LONGEST_NOTICE if self._notice_first else _NOTICE_CAP))
        self._watch()
        self._set_limits(decision, now)
        if decision.consumes_temporary or decision.remember_caller:
            record = call.record
            call.out.append(Talked(call.id, decision, record.caller, decision.callee, now))

    def _files(self, decision: Connect) -> dict[int, tuple[str, ...]]:
        """What each side hears first: the callee the customer's own tone, then both the notice."""
        notice = () if self._notice is None else (self._notice,)
        own = self.call.tone(decision.callee_tone)
        return {control.CALLER: notice, control.CALLEE: notice if own is None else (own, *notice)}

    def _record(self, now: float) -> None:
        call = self.call
        decision = call.decision
        assert isinstance(decision, Connect)
        if not decision.record or (decision.notice and self._notice is None):
            return
        name = recording_name(call.settings.wall(now), call.plant.token)
        path = f"{call.settings.spool}/{name}.spool"
        data_key = call.settings.data_key() if call.settings.data_key is not None else DataKey()
        call.media.record(path, data_key, now)
        call.change(recorded=True, recording=name, record_started=now)
        call.out.append(RecordingStarted(call.id, name, path, call.record, data_key.secret))

    def _set_limits(self, decision: Connect, now: float) -> None:
        longest = min(filter(None, (decision.max_seconds, self.call.settings.longest)), default=0)
        if longest:
            self.call.set_alarm("maximum", now + longest)
            before = self.call.settings.last_minute
            if longest > before and self.call.tone(decision.last_minute) is not None:
                self.call.set_alarm("last minute", now + longest - before)

    def _connect(self, now: float) -> None:
        """Both hear each other, as soon as no tone plays to them."""
        self._connected = True
        if self._notice_first:
            self._record(now)
        self.call.clear_alarm("notice")
        self.call.media.relay(caller_hears=True, callee_hears=True)

    def _watch(self) -> None:
        seconds = 0.0 if any(leg.held for leg in self.call.legs) else self.call.settings.media_timeout
        if seconds != self._watching:
            self._watching = seconds
            self.call.media.watch(seconds)

    def alarm(self, name: str, now: float) -> None:
        """The last minute, the end of the allowed time, or a notice that never ends."""
        call = self.call
        match name:
            case "last minute":
                assert isinstance(call.decision, Connect)
                file = call.tone(call.decision.last_minute)
                for leg in call.legs if file is not None else ():
                    call.media.play(leg.side, _LAST_MINUTE, (file or "",), now)
            case "maximum":
                call.end(Cause.MAX_DURATION, now)
            case _ if self._notice_first:
                call.end(Cause.NOTICE_FAILED, now)
            case _:
                self._connect(now)

    def confirmed(self, leg: Leg, body: bytes, now: float) -> None:
        """An ACK may bring the caller's answer to our offer: only then it can be played the notice."""
        before = leg.terms
        super().confirmed(leg, body, now)
        if before is None and leg.terms is not None and self.call.phase is self:
            if leg.side in self._to_notify:
                self.call.media.play(leg.side, _NOTICE, self._tones[leg.side], now)
            self._watch()

    def reoffered(self, leg: Leg, body: bytes, now: float) -> None:
        """Hold, resume, a new address: on this leg only."""
        super().reoffered(leg, body, now)
        self._watch()

    def pressed(self, leg: Leg, digit: str, now: float) -> None:
        """A key by INFO, which is answered here: the other side gets it in its own way (P11)."""
        if self._connected:
            self.call.media.dial(control.CALLEE if leg.side == control.CALLER else control.CALLER, _KEYS, digit)

    def left(self, leg: Leg, now: float) -> None:
        """BYE of either side; or no ACK, no answer to a re-INVITE, a broken connection: talked all the same."""
        leg.state = LegState.GONE
        self.call.end(Cause.NORMAL, now)

    def report(self, report: control.Report, now: float) -> None:
        """The notice heard, a side fallen silent."""
        call = self.call
        match report:
            case control.Played(play="notice", leg=side) if side in self._to_notify:
                if report.error:
                    call.end(Cause.NOTICE_FAILED, now)
                elif report.completed:
                    self._heard_notice(side, report, now)
            case control.SpoolFailed(error=why):
                call.change(record_trouble=why)
                if self._required:
                    call.end(Cause.RECORDING_FAILED, now)
            case control.Silent() if self._watching and not any(leg.held for leg in call.legs):
                call.end(Cause.NORMAL, now)
            case _:
                pass

    def _heard_notice(self, side: int, report: control.Played, now: float) -> None:
        call = self.call
        self._to_notify.discard(side)
        heard = (report.started, report.ended)
        first, second = call.record.notice
        if self._notice is not None:
            call.change(notice=(heard, second) if side == control.CALLER else (first, heard))
        if not self._to_notify and not self._connected:
            self._connect(now)

    def media_lost(self, now: float) -> None:
        """The call can't go on without its media; it was answered, so it counts."""
        self.call.end(Cause.NORMAL, now)
