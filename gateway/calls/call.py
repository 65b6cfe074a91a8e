"""One call: a back-to-back user agent (RFC 7092) of two legs that know nothing of each other, and the audio between.

    RESOLVING   whose X is it?                           (resolving.py)
    ASKING      X mode: the customer's server is asked   (asking.py)
    OPENING     ports at a media worker                  (opening.py)
    COLLECTING  AXE: the caller dials an extension       (collecting.py)
    REFUSING    a tone says why not, then the status     (refusing.py)
    RINGING     the callee's INVITE is out               (ringing.py)
    TALKING     answered                                 (talking.py)
    CLOSING     the legs are ending, the spool closes    (closing.py)
    CLOSED      told: one Disconnected, one CallClosed   (closing.py)

Every ending passes through :meth:`Call.end`, which ends both legs, closes the media and fixes the cause:

    ==================================  =========  =============================  ===========  ==================
    what happened                       phase      cause                          caller gets  callee gets
    ==================================  =========  =============================  ===========  ==================
    look-up failed or too late          RESOLVING  NO_ROUTE                       503          -
    the binding refuses                 RESOLVING  the binding's                  (tone,) its  -
    the customer says no, or nothing    ASKING     the customer's; NO_BINDING     tone, its    -
    a recording that must be can't be,  RESOLVING  RECORDING_FAILED,              tone, its    -
    a notice that must be has no file              NOTICE_FAILED
    no worker, no port, no reply        OPENING    OUT_OF_PORTS                   503          -
    no, wrong digits, no prompt         COLLECTING NO_DIGITS, EXTENSION_UNKNOWN,  tone, its    -
                                                   COLLECT_FAILED
    caller gives up                     OPENING    GAVE_UP_BEFORE_FORWARD         487          -
                                        ASKING,
                                        COLLECTING
                                        REFUSING   the binding's                  487          -
    caller gives up (CANCEL, BYE)       RINGING    GAVE_UP_BEFORE_RINGING or      487          CANCEL, or ACK+BYE
                                                   GAVE_UP_RINGING                             when it answered
    callee refuses, is busy, ...        RINGING    cause_of_refusal(status)       the cause's  -
    never rang / rang too long          RINGING    CONNECT_TIMEOUT / NO_ANSWER    480          CANCEL
    callee's answer has no usable SDP   RINGING    CALLEE_SIDE_FAILED             502          BYE
    media worker gone, no other         RINGING    OUT_OF_PORTS                   503          CANCEL
    BYE of either side, no ACK of the   TALKING    NORMAL                         BYE          BYE
    caller, an ACK with a bad answer,
    a leg's SIP broken
    media silent, no worker to go to    TALKING    NORMAL                         BYE          BYE
    maximum duration                    TALKING    MAX_DURATION                   BYE          BYE
    notice fails while it plays         TALKING    NOTICE_FAILED                  BYE          BYE
    ... found out at the answer         RINGING    likewise                       500          BYE
    a recording that must be fails      TALKING    RECORDING_FAILED               BYE          BYE
    the customer stops the call         any        STOPPED_BY_CUSTOMER            480 or BYE   CANCEL or BYE
    the node shuts down                 any        NORMAL; NO_ROUTE before the    503 or BYE   CANCEL or BYE
                                                   answer
    a mistake of ours                   any        NORMAL; NO_ROUTE before the    500 or BYE   CANCEL or BYE
                                                   answer
    ==================================  =========  =============================  ===========  ==================

Silence, a lost worker and a broken leg give NORMAL after the answer: the parties did talk, and receivers of CDRs take
every other cause as "was never connected" (privatenumber.md section 7). MAX_DURATION and STOPPED_BY_CUSTOMER have their
own number there, so they keep it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

from gateway.bindings.decisions import Connect, Decision
from gateway.calls import forking
from gateway.calls.caller_leg import CallerLeg
from gateway.calls.closing import Closing, Done
from gateway.calls.deciding import decide, follow
from gateway.calls.events import Alerting, Answered, CallIn, CallOut, Collected, Disconnected
from gateway.calls.info_digits import info_digit
from gateway.calls.leg import Leg, LegState, new_negotiation
from gateway.calls.media_session import MediaSession
from gateway.calls.moving import ALARM, Move
from gateway.calls.outputs import CallOutput, Faulted
from gateway.calls.phase import CallState, Phase
from gateway.calls.plant import Plant
from gateway.calls.privacy import callee_invite, reason
from gateway.calls.quality import CallQuality
from gateway.calls.record import CallRecord
from gateway.calls.settings import ExchangeSettings, TrunkSettings
from gateway.calls.ways import Way
from gateway.causes import Cause, q850_of
from gateway.sdp.offer_answer import AudioTerms
from gateway.sip import early_media
from gateway.sip.user_agent import (
    Accepted,
    Confirmed,
    Ended,
    InfoReceived,
    OfferAnswered,
    OfferRefused,
    Output,
    Progress,
    ReInvited,
    Rejected,
)
from media import control

_EventT = TypeVar("_EventT", CallIn, Collected, CallOut, Alerting, Answered, Disconnected)


class Call:
    """``out`` collects what a phase does, in order; the exchange takes it after each input."""

    __slots__ = (
        "_alarms",
        "admitted",
        "armed",
        "callee",
        "callee_port",
        "caller",
        "caller_id",
        "carried",
        "decision",
        "forks",
        "id",
        "media",
        "move",
        "network_cause",
        "out",
        "phase",
        "plant",
        "quality",
        "record",
        "refusals",
        "way",
        "ways",
    )

    def __init__(self, plant: Plant, id: str, caller: CallerLeg, record: CallRecord) -> None:
        self.plant = plant
        self.id = id
        self.caller = caller
        self.caller_id = ""
        """The Call-ID of the caller's leg."""
        self.callee: Leg | None = None
        self.forks: list[Leg] = []
        self.refusals: list[Rejected] = []
        """Further legs of the callee, and what has become of some (forking.py)."""
        self.callee_port = 0
        self.record = record
        self.network_cause: int | None = None
        """The Q.850 cause that the side which ended its leg gave, where it says more than the SIP status."""
        self.decision: Decision | None = None
        self.admitted = False
        """The quota of its application counts this call."""
        self.way: Way | None = None
        self.ways: list[Way] = []
        """How the callee was called last, and how else he may be."""
        self.carried = ""
        """The trunk that counts this call as one out of it."""
        self.out: list[Output | CallOutput] = []
        self.media = MediaSession(id, plant.workers, self.out)
        self.move: Move | None = None
        """On its way to another media worker."""
        self.quality = CallQuality()
        self.phase = Phase(self)
        self._alarms: dict[str, float] = {}
        self.armed: float | None = None
        plant.sessions[caller.session] = (self, caller)

    # --- what the phases use ----------------------------------------------------------------------------------------

    @property
    def settings(self) -> ExchangeSettings:
        """The settings of the node."""
        return self.plant.settings

    @property
    def legs(self) -> tuple[Leg, ...]:
        """The caller's leg, and the callee's when there is one; several while several of his phones ring."""
        return (self.caller,) if self.callee is None else (self.caller, self.callee, *self.forks)

    def enter(self, phase: Phase, now: float) -> None:
        """The one place where the state changes."""
        self._alarms.clear()
        if self.move is not None:
            self.move.rearm()
        self.phase = phase
        phase.enter(now)

    def sip(self, outputs: Sequence[Output]) -> None:
        """What the user agent did for us."""
        self.out.extend(outputs)

    def change(self, **known: Any) -> None:
        """Note facts in the record."""
        self.record = replace(self.record, **known)

    def decide(self, decision: Decision, now: float) -> Decision:
        """Note what routing has decided; what is to be done."""
        return decide(self, decision, now)

    def ready(self, now: float) -> None:
        """Do what was decided, or the next step to it."""
        assert self.decision is not None
        follow(self, self.decision, now)

    def go_on(self, decision: Decision, now: float) -> None:
        """A later decision on the same call, by an extension or by the customer's server."""
        decide(self, decision, now)
        self.ready(now)

    def event(self, kind: type[_EventT], at: float, **more: Any) -> _EventT:
        """An event with the numbers that belong to this stage: those of the second leg once it was started."""
        record = self.record
        caller, called = record.caller, record.x
        if record.forwarded is not None and record.callee is not None:
            caller, called = record.shown, record.callee
        return kind(
            session=record.session,
            application=record.application,
            at=at,
            caller=caller,
            called=called,
            binding=record.binding,
            user_data=record.user_data,
            mode=record.mode,
            **more,
        )

    def tone(self, name: str) -> str | None:
        """The file of a tone that the binding or the application names."""
        return self.settings.tones.lookup(self.record.application, name) if name else None

    def agree(self, leg: Leg, terms: AudioTerms) -> None:
        """Tell the worker what a leg's party says now."""
        command = leg.agree(terms, self.id)
        if command is not None:
            self.media.send(command)

    def set_alarm(self, name: str, at: float) -> None:
        """Ring ``name`` in this phase; an alarm of that name is moved."""
        self._alarms[name] = at

    def clear_alarm(self, name: str) -> None:
        """Don't ring."""
        self._alarms.pop(name, None)

    def has_alarm(self, name: str) -> bool:
        """Whether it is still to ring."""
        return name in self._alarms

    def next_way(self, now: float) -> Way | None:
        """The next of the ways to the callee that is free, counted with its trunk."""
        way = self.plant.trunks.take(self.ways, self.carried, now)
        if way is not None:
            self.carried = way.trunk.name
        return way

    def invite_callee(self, decision: Connect, way: Way, now: float) -> None:
        """The callee's INVITE, always with our offer; one for each contact of a phone."""
        for leg in self.legs[1:]:
            self.plant.sessions.pop(leg.session, None)
        self.way = way
        peers = range(len(way.trunk.contacts)) if way.trunk.contacts else (way.peer,)
        self.callee, *self.forks = [self._invite(decision, way.trunk, peer, now) for peer in peers]
        self.refusals = []

    def _invite(self, decision: Connect, trunk: TrunkSettings, peer: int, now: float) -> Leg:
        settings = self.settings
        invite = callee_invite(decision.shown, decision.callee, trunk, settings.our_host, peer)
        name, token = f"{self.id}callee{peer}", self.plant.token
        negotiation = new_negotiation(name, settings.media_host, trunk, invite.target, token)
        body = negotiation.offer(self.callee_port)
        session, outputs = self.plant.agent.invite(
            invite.target,
            invite.uri,
            from_=invite.from_,
            to=invite.to,
            headers=(*invite.headers, early_media.SUPPORTED) if trunk.p_early_media else invite.headers,
            body=body,
            account=self.plant.trunks.accounts.get(trunk.name),
            pinned=bool(trunk.contacts),
            policy=trunk.policy,
            max_forwards=self.caller.hops - 1,
            now=now,
        )
        leg = Leg(control.CALLEE, session, trunk, invite.target.host, negotiation)
        leg.port = self.callee_port
        self.plant.sessions[session] = (self, leg)
        self.sip(outputs)
        return leg

    def end(
        self, cause: Cause, now: float, *, status: int | None = None, failed_with: int = 0, retry_after: int = 5
    ) -> None:
        """End the call. ``status``: the caller's final status instead of the cause's; ``failed_with``: the callee's;
        ``retry_after``: seconds, for a 503."""
        if self.record.ended is not None:
            return
        self.move = None
        failed = self.record.answered is None
        status = status or cause.sip_status
        second_leg_failed = failed and self.record.forwarded is not None and self.caller.state is not LegState.GONE
        self.change(
            ended=now,
            cause=cause,
            sip_status=(failed_with or status) if failed else 0,
            q850=(self.network_cause or cause.q850) if second_leg_failed else 0,
        )
        header = reason(cause, self.network_cause)
        for leg in self.legs:
            self._end_leg(leg, status, header, retry_after, now)
        self.enter(Closing(self), now)

    def _end_leg(self, leg: Leg, status: int, header: tuple[str, str], retry_after: int, now: float) -> None:
        state, leg.state = leg.state, LegState.GONE
        self.plant.sessions.pop(leg.session, None)
        agent = self.plant.agent
        if state is LegState.EARLY and leg.side == control.CALLER:
            headers = (header, ("Retry-After", str(retry_after))) if status == 503 else (header,)
            self.sip(agent.reject(leg.session, status, now, headers=headers))
        elif state is not LegState.GONE:
            self.sip(agent.hang_up(leg.session, now, headers=(header,)))

    # --- what the exchange uses -------------------------------------------------------------------------------------

    @property
    def deadline(self) -> float | None:
        """When the next alarm rings."""
        return min(self._alarms.values()) if self._alarms else None

    @property
    def closed(self) -> bool:
        """The call is over and told."""
        return self.phase.state is CallState.CLOSED

    def handle_timeout(self, now: float) -> None:
        """Ring what is due, in order; an alarm of a phase that has ended meanwhile is forgotten."""
        while self._alarms:
            name = min(self._alarms, key=self._alarms.__getitem__)
            if self._alarms[name] > now:
                return
            del self._alarms[name]
            if name != ALARM:
                self.phase.alarm(name, now)
            elif self.move is not None:
                self.move.alarm(now)

    def receive_media(self, report: control.Report, now: float) -> None:
        """The media worker says something."""
        self.media.heard(report)
        if self.move is None or not self.move.report(report, now):
            self.phase.report(report, now)

    def receive_sip(self, leg: Leg, output: Output, now: float) -> None:
        """Something happened to a leg's SIP session."""
        if leg.side == control.CALLEE and (self.forks or self.refusals):
            said = forking.heard(self, leg, output, now)
            if said is None:
                return
            output = said
        phase = self.phase
        match output:
            case Progress(status=status, body=body, sends=sends):
                phase.progress(status, body, now, sends=sends)
            case Accepted(body=body):
                phase.accepted(body, now)
            case Rejected(status=status, response=response):
                leg.state = LegState.GONE
                self.network_cause = None if response is None else q850_of(response.headers.get_all("Reason"))
                if self.way is not None:
                    self.plant.trunks.refused(self.way, status, response, now)
                phase.rejected(status, now)
            case Confirmed(body=body):
                phase.confirmed(leg, body, now)
            case OfferAnswered(body=body):
                phase.reanswered(leg, body, now)
                if self.move is not None:
                    self.move.answered(leg, now)
            case OfferRefused(status=status) if self.move is not None:
                self.move.refused(leg, status, now)
            case ReInvited(body=body):
                phase.reoffered(leg, body, now)
                if self.move is not None:
                    self.move.reoffered(leg, now)
            case InfoReceived(content_type=content_type, body=body):
                digit = info_digit(content_type, body)
                if digit:
                    phase.pressed(leg, digit, now)
            case Ended(reason=text):
                self.network_cause = q850_of([text])
                phase.left(leg, now)

    def abandon(self, now: float, status: int) -> None:
        """The node can't go on with this call: shutdown, or a mistake of ours."""
        self.end(Cause.NO_ROUTE if self.record.answered is None else Cause.NORMAL, now, status=status)

    def fault(self, error: Exception, now: float) -> None:
        """A mistake of ours happened in this call: it alone ends, and is told like every other."""
        self.out.append(Faulted(self.id, error))
        try:
            self.abandon(now, 500)
        except Exception as second:
            self.out.append(Faulted(self.id, second))
        if not self.closed and self.phase.state is not CallState.CLOSING:
            self.media.close()
            if self.record.ended is None:
                self.change(ended=now, cause=Cause.NO_ROUTE if self.record.answered is None else Cause.NORMAL)
            self.enter(Done(self), now)
