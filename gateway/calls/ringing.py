"""RINGING: the callee's INVITE is out; what the caller hears until the answer.

    waiting tone (if the binding has one)   once, from the start; ring-back cuts in when it ends
    the network's own early media           an SDP in a 18x: relayed from its first packet on
    our ring-back, looped                   180 without SDP; or SDP but no packet for 400 ms; or no 18x at all for a
                                            while; or the waiting tone has ended; or the network says that it sends
                                            none (P-Early-Media). Stops at the first packet (P12, P13)

The caller's offer is answered in the first 183 and the same answer is repeated in the 200: one answer (RFC 3261
§13.2.1, RFC 6337 §2.2). A caller who sent no offer gets it in our 200, so it can't have early media: it gets a plain
180, and its own network rings. Several 18x of several phones (To tags) count in turn: the last SDP is what is heard.

A peer that can't take the call is passed over for the next way (ways.py), as long as nothing has been told of the
callee (pains.md P24):

    nothing came back, no connection, 408, 503      the next peer of the trunk, then the next trunk
    401, 407, 500, 502, 504                         the next trunk
    any other status, or a Q.850 cause of his       speaks of the callee, and ends the call
"""

from __future__ import annotations

from gateway.bindings.decisions import Connect
from gateway.calls.events import Alerting, CallOut
from gateway.calls.outputs import Publish
from gateway.calls.phase import CallState, Phase
from gateway.calls.talking import Talking
from gateway.calls.ways import NOT_BY_THIS_TRUNK, NOT_HERE, Way
from gateway.causes import Cause, cause_of_refusal
from gateway.errors import PeerError
from media import control

_WAITING = "waiting"
_RINGBACK = "ringback"
_NETWORK = Cause.CALLEE_SIDE_FAILED


class Ringing(Phase):
    """From the callee's INVITE to its final answer."""

    __slots__ = ("_heard", "_offered_media", "_progressed", "_ringing_back", "_silent", "_waiting")
    state = CallState.RINGING

    @property
    def gave_up(self) -> Cause:  # type: ignore[override]
        """The caller hung up, before or while the callee's phone rang."""
        return Cause.CALLER_GAVE_UP_BEFORE_RINGING if self.call.record.rang is None else Cause.CALLER_GAVE_UP_RINGING

    def enter(self, now: float) -> None:
        """Call the callee, and begin the waiting tone."""
        call, settings = self.call, self.call.settings
        self._heard = False
        self._offered_media = False
        self._ringing_back = False
        self._waiting = False
        self._silent = False
        self._progressed = False
        decision = call.decision
        assert isinstance(decision, Connect)
        call.ways = call.plant.ways(call.record.trunk, decision.application, decision.callee, now)
        way = call.next_way(now)
        if way is None:
            call.end(Cause.NO_ROUTE, now, status=503, retry_after=call.plant.trunks.wait(call.ways, now))
            return
        call.change(forwarded=now)
        call.out.append(Publish(call.id, call.event(CallOut, now)))
        call.set_alarm("connect", now + settings.connect_timeout)
        call.set_alarm("patience", now + settings.ringing_patience)
        file = call.tone(decision.waiting_tone)
        if file is not None and call.caller.early_media:
            self._waiting = True
            call.sip(call.caller.tell_media(now))
            call.media.play(control.CALLER, _WAITING, (file,), now)
        self._invite(way, now)

    def _invite(self, way: Way, now: float) -> None:
        """Try a way; while there is another one, for no longer than the patience with a peer."""
        call, decision = self.call, self.call.decision
        assert isinstance(decision, Connect)
        call.change(way=way.trunk.name)
        call.invite_callee(decision, way, now)
        if call.ways:
            call.set_alarm("peer", now + call.settings.peer_patience)

    def _next_way(self, now: float, *, by_this_trunk: bool = True) -> Way | None:
        """The way to go on by, when there is one and nothing has been told of the callee."""
        call = self.call
        if self._progressed:
            return None
        if not by_this_trunk:
            call.ways = [way for way in call.ways if way.trunk.name != call.carried]
        return call.next_way(now)

    def _passed_over(self, now: float) -> None:
        """Nothing at all has come back for so long: another way is tried, if one is free."""
        call, agent = self.call, self.call.plant.agent
        legs = call.legs[1:]
        if call.way is None or not all(agent.unheard(leg.session) for leg in legs):
            return
        call.plant.trunks.unheard(call.way, now)
        way = self._next_way(now)
        if way is not None:
            for leg in legs:
                call.sip(agent.hang_up(leg.session, now))
            self._invite(way, now)

    def alarm(self, name: str, now: float) -> None:
        """Patience, or one of the two limits of waiting."""
        match name:
            case "peer":
                self._passed_over(now)
            case "patience":
                self._ring_back(now)
            case "connect":
                self.call.end(Cause.CONNECT_TIMEOUT, now, failed_with=408)
            case _:
                self.call.end(Cause.NO_ANSWER, now, failed_with=480)

    def progress(self, status: int, body: bytes, now: float, *, sends: bool | None = None) -> None:
        """A 18x of the callee: does it ring, and does its network offer media? 199 ends a fork (RFC 6228)."""
        call = self.call
        self._progressed = True
        if status == 199:
            return
        if status == 180 and call.record.rang is None:
            call.change(rang=now)
            call.out.append(Publish(call.id, call.event(Alerting, now)))
            call.clear_alarm("connect")
            call.set_alarm("ring", now + call.settings.ring_timeout)
        fresh = bool(body) and self._learned(body)
        if sends is False:
            self._listen(False)
        elif (fresh and not self._silent) or (sends and self._silent):
            self._listen(True)
            call.sip(call.caller.tell_media(now))
            if self._heard:
                self._give_way()
            else:
                call.set_alarm("patience", now + call.settings.early_media_patience)
        if not self._offered_media and (status == 180 or self._silent):
            call.clear_alarm("patience")
            self._ring_back(now)
        if not call.caller.early_media and (status == 180 or self._offered_media):
            call.sip(call.caller.tell_ringing(now))

    def _learned(self, body: bytes) -> bool:
        """Whether ``body`` is an answer with a place to hear the network from that we didn't know yet."""
        callee = self.call.callee
        if callee is None:
            return False
        before = callee.terms
        try:
            self.call.agree(callee, callee.negotiation.receive_answer(body))
        except PeerError:
            return False
        if callee.terms == before:
            return False
        self._heard = False
        return True

    def _listen(self, sends: bool) -> None:
        """The network does, or does not, send early media."""
        callee = self.call.callee
        self._silent = not sends
        self._offered_media = sends and callee is not None and callee.terms is not None
        self.call.media.relay(caller_hears=self._offered_media, callee_hears=False)

    def _ring_back(self, now: float) -> None:
        """Our ring-back, unless something better is heard or the waiting tone still plays."""
        if not self.call.caller.early_media:
            self.call.sip(self.call.caller.tell_ringing(now))
        elif not (self._waiting or (self._heard and not self._silent) or self._ringing_back):
            self._ringing_back = True
            self.call.sip(self.call.caller.tell_media(now))
            ringback = self.call.settings.tones.ringback
            self.call.media.play(control.CALLER, _RINGBACK, (ringback,), now, loop=True)

    def report(self, report: control.Report, now: float) -> None:
        """The network's first packet, or the end of the waiting tone."""
        match report:
            case control.Heard(leg=control.CALLEE):
                self._heard = True
                if not self._silent:
                    self._give_way()
            case control.Played(play="waiting") if self._waiting:
                self._waiting = False
                # An SDP with patience left may still bring the network's own ring-back.
                if not (self._offered_media and self.call.has_alarm("patience")):
                    self._ring_back(now)
            case _:
                pass

    def _give_way(self) -> None:
        """The network is heard: no ring-back of ours."""
        self.call.clear_alarm("patience")
        if self._ringing_back:
            self._ringing_back = False
            self.call.media.stop(control.CALLER, _RINGBACK)

    def accepted(self, body: bytes, now: float) -> None:
        """The answer. Its SDP counts finally; without one that of the last 18x stands."""
        call, callee = self.call, self.call.callee
        assert callee is not None
        try:
            if body:
                call.agree(callee, callee.negotiation.receive_answer(body))
        except PeerError:
            call.end(Cause.CALLEE_SIDE_FAILED, now, failed_with=488)
            return
        if callee.terms is None:
            call.end(Cause.CALLEE_SIDE_FAILED, now, failed_with=488)
            return
        call.enter(Talking(call), now)

    def rejected(self, status: int, now: float) -> None:
        """The callee won't or can't; a redirection is not followed: calls go where a binding says (security.md)."""
        call = self.call
        call.clear_alarm("peer")
        cause, said = cause_of_refusal(status, rang=call.record.rang is not None, q850=call.network_cause)
        if (status in NOT_HERE or status in NOT_BY_THIS_TRUNK) and not (said and cause is not _NETWORK):
            way = self._next_way(now, by_this_trunk=status in NOT_HERE)
            if way is not None:
                call.network_cause = None
                self._invite(way, now)
                return
        call.network_cause = call.network_cause if said else None
        call.end(cause, now, failed_with=status)
