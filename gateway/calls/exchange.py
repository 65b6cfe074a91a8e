"""All calls of a node, as one pure machine over the SIP user agent: what the switchboard and the simulator both drive.

Inputs are datagrams, media workers' reports, routing decisions, the customer's stop, the clock. Every input returns a
list of outputs in the order in which they happened: SIP ``Transmit`` (gateway.sip.user_agent) and those of outputs.py.

An INVITE that can't become a call is answered at once and leaves no record (arrivals.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import ParamSpec

from gateway.bindings.decisions import Decision
from gateway.calls.admission import Admission
from gateway.calls.arrivals import TurnedAway, arrive
from gateway.calls.call import Call
from gateway.calls.challenge import challenge_trunks
from gateway.calls.disk import DiskTrouble
from gateway.calls.moving import found, lost
from gateway.calls.outputs import OUTWARD, CallOutput, ExchangeOutput, Unacknowledged
from gateway.calls.phase import CallState
from gateway.calls.phones import Phone, Phones
from gateway.calls.plant import Plant
from gateway.calls.record import CallRecord
from gateway.calls.resolving import Resolving
from gateway.calls.settings import ExchangeSettings
from gateway.calls.surge import Usual
from gateway.calls.texts import Texts
from gateway.calls.trunk_status import statuses
from gateway.calls.trunks import Trunks
from gateway.calls.upkeep import Upkeep
from gateway.causes import Cause
from gateway.numbers import PhoneNumber
from gateway.sip.alarms import Alarms
from gateway.sip.hop import Hop
from gateway.sip.locations import Contact
from gateway.sip.outputs import NO_ACK, Answered, Ended
from gateway.sip.stateless import refuse
from gateway.sip.target import Located, Target
from gateway.sip.user_agent import Incoming, Output, PageAnswered, PageReceived, UserAgent
from gateway.sms.bodies import Body
from gateway.standing import Sound, StandingTrunk
from media import control

_Any = Output | CallOutput

P = ParamSpec("P")


class Exchange:
    """``agent`` is driven by the exchange alone. ``token()`` gives fresh unguessable text.

    ``counters`` counts refused INVITEs by reason and faults.
    """

    def __init__(self, settings: ExchangeSettings, agent: UserAgent, token: Callable[[], str]) -> None:
        self.trunks = Trunks(settings, token)
        self.usual = Usual(settings.surge_factor, settings.surge_floor)
        self._plant = Plant(settings, agent, token, self.trunks, self.usual)
        self.quota = self._plant.quota
        self._admission = Admission(settings, self.trunks.channels)
        self.disk = self._plant.disk = DiskTrouble(settings.low_percent, settings.least_room)
        if any(trunk.challenge is not None for trunk in settings.trunks):
            challenge_trunks(settings.trunks, self._admission.trunk_of, agent.reception.doors, token)
        self.upkeep = Upkeep(settings, self.trunks, agent)
        if settings.phones is not None:
            self._plant.phones = Phones(settings.phones, agent, self._admission.trunk_of, settings.wall)
        self.texts = Texts(settings, agent, self._admission, self.trunks, self._plant.phones)
        self._calls: dict[str, Call] = {}
        self._callers: dict[str, str] = {}
        """Calls by the Call-ID of the caller's leg."""
        self._alarms: Alarms[Call] = Alarms()
        self.counters: Counter[str] = Counter()

    # --- state ------------------------------------------------------------------------------------------------------

    @property
    def active(self) -> int:
        """Calls that are not closed yet."""
        return len(self._calls)

    @property
    def ready(self) -> bool:
        """Whether a call could be taken: a media worker is there and the node doesn't drain."""
        return self._plant.workers.ready and self._plant.agent.accepting

    @property
    def standing(self) -> list[tuple[CallRecord, CallState, Sound | None]]:
        """What is known of the calls that are not closed yet."""
        return [(call.record, call.phase.state, call.quality.latest) for call in self._calls.values()]

    def trunk_states(self, now: float) -> list[StandingTrunk]:
        """How the trunks are."""
        settings = self._plant.settings
        return statuses(settings.trunks, self.trunks, self.upkeep, self._admission, settings.wall, now)

    def admits(self, host: str) -> bool:
        """Whether an address belongs to any trunk: the transport drops all else unread. Phones are anywhere."""
        return self._plant.phones is not None or self._admission.trunk_of(host) is not None

    def trunk_name(self, host: str) -> str | None:
        """The trunk that an address belongs to: the door keeps a bucket for each."""
        trunk = self._admission.trunk_of(host)
        return None if trunk is None else trunk.name

    def call_of(self, call_id: str) -> tuple[str, int] | None:
        """The call that stands to which a Call-ID belongs, and whose leg's it is."""
        found = self._plant.sessions.get(call_id)
        if found is not None:
            return found[0].id, found[1].side
        name = self._callers.get(call_id)
        return None if name is None else (name, control.CALLER)

    def numbers_of(self, call_id: str) -> tuple[list[str], bool] | None:
        """The numbers of a call that stands, X first, and whether all are known; None when it doesn't stand."""
        call = self._calls.get(call_id)
        if call is None:
            return None
        record = call.record
        others = (record.caller, record.shown, record.callee)
        return [record.x.e164, *(one.e164 for one in others if one is not None and one != record.x)], bool(others[2])

    @property
    def registered(self) -> dict[tuple[str, ...], int]:
        """How many phones are registered, by transport; nothing without phones."""
        phones = self._plant.phones
        return {} if phones is None else {(name,): count for name, count in phones.registered.items()}

    @property
    def capacity(self) -> int:
        """How many calls the media workers hold."""
        return self._plant.workers.capacity

    @property
    def deadline(self) -> float | None:
        """When ``handle_timeout`` is due."""
        due, kept, alarm = self._plant.agent.deadline, self.upkeep.deadline, self._alarms.deadline
        if alarm is not None and (due is None or alarm < due):
            due = alarm
        return kept if kept is not None and (due is None or kept < due) else due

    # --- inputs from SIP and the clock ------------------------------------------------------------------------------

    def receive_message(self, data: bytes, source: Hop, now: float) -> list[ExchangeOutput]:
        """A datagram, or a message of a stream."""
        if self._admission.is_downgrade(source):
            self.counters["not by TLS"] += 1
            return list(refuse(data, source, 403, "TLS Only"))
        return self._settle(self._plant.agent.receive_message(data, source, now), now)

    def refuse_new(self, data: bytes, source: Hop, now: float) -> list[ExchangeOutput]:
        """A new call or text for which there is no time: 503."""
        return self._settle(self._plant.agent.refuse_new(data, source, now), now)

    def receive_malformed(self, data: bytes, source: Hop, now: float) -> list[ExchangeOutput]:
        """A stream's bytes that can't be framed."""
        return self._settle(self._plant.agent.receive_malformed(data, source, now), now)

    def transport_failed(self, hop: Hop, now: float) -> list[ExchangeOutput]:
        """What was sent to ``hop`` can't get there."""
        self.upkeep.broken(hop, now)
        return self._settle(self._plant.agent.transport_failed(hop, now), now)

    def connection_closed(self, hop: Hop, now: float) -> list[ExchangeOutput]:
        """A connection is gone, whoever made it."""
        self.upkeep.broken(hop, now)
        return self._settle(self._plant.agent.connection_closed(hop, now), now)

    def handle_timeout(self, now: float) -> list[ExchangeOutput]:
        """Do what is due."""
        agent = self._plant.agent
        outputs: list[ExchangeOutput] = []
        if agent.deadline is not None and agent.deadline <= now:
            outputs += self._settle(agent.handle_timeout(now), now)
        if self.upkeep.deadline is not None and self.upkeep.deadline <= now:
            outputs += self.upkeep.handle_timeout(now)
        while (call := self._alarms.next_due(now)) is not None:
            outputs += self._settle(self._with(call, now, call.handle_timeout, now), now)
        return outputs

    # --- inputs from the database, the media workers and the customer -----------------------------------------------

    def routed(self, call_id: str, decision: Decision, now: float) -> list[ExchangeOutput]:
        """The answer to Resolve or Consult. A call that has ended meanwhile is not an error."""
        return self._on(call_id, now, lambda call: call.phase.routed(decision, now))

    def route_failed(self, call_id: str, now: float) -> list[ExchangeOutput]:
        """Resolve can't be answered."""
        return self._on(call_id, now, lambda call: call.phase.route_failed(now))

    def media_report(self, worker: int, report: control.Report, now: float) -> list[ExchangeOutput]:
        """A media worker says something. Its Ready is ``worker_ready``."""
        if isinstance(report, control.Ready):
            return self.worker_ready(worker, report.sessions, now)
        if isinstance(report, control.Usage | control.Pong):
            return []
        call = self._calls.get(report.session)
        if call is None or call.media.worker != worker:
            return []
        if isinstance(report, control.Quality):
            call.quality.add(report, now)
            return []
        return self._on(report.session, now, lambda call: call.receive_media(report, now))

    def worker_ready(self, worker: int, sessions: int, now: float) -> list[ExchangeOutput]:
        """A worker has started, empty; what its predecessor held is lost."""
        outputs = self.worker_gone(worker, now)
        outputs += self._plant.workers.add(worker, sessions)
        for name in [call.id for call in self._calls.values() if call.move is not None]:
            outputs += self._on(name, now, lambda call: found(call, worker, now))
        return outputs

    def worker_gone(self, worker: int, now: float) -> list[ExchangeOutput]:
        """A worker has ended: its calls move (moving.py)."""
        self._plant.workers.remove(worker)
        outputs: list[ExchangeOutput] = []
        for order, name in enumerate([call.id for call in self._calls.values() if call.media.worker == worker]):
            outputs += self._on(name, now, lost(worker, now, order))
        return outputs

    def stop_call(
        self, session: str, now: float, *, application: str | None = None
    ) -> tuple[bool, list[ExchangeOutput]]:
        """End a call for its customer. False: there is no such call (of ``application``, when given) to end."""
        call = self._calls.get(session)
        if call is None or call.phase.state in (CallState.RESOLVING, CallState.CLOSING):
            return False, []
        if application is not None and call.record.application != application:
            return False, []
        return True, self._on(session, now, lambda call: call.end(Cause.STOPPED_BY_CUSTOMER, now))

    def start(self, now: float) -> list[ExchangeOutput]:
        """The sockets are there: register, and look after the peers."""
        return list(self.upkeep.start(now))

    @property
    def targets(self) -> list[tuple[str, int, Target]]:
        """The peers that are names: of which trunk, which of its peers, and the name. See ``peer_located``."""
        return self._plant.trunks.targets

    def peer_located(self, trunk: str, entry: int, located: Sequence[Located], now: float) -> list[ExchangeOutput]:
        """Where such a peer is now."""
        self._plant.trunks.found(trunk, entry, located)
        return []

    def drain(self, now: float) -> list[ExchangeOutput]:
        """Take no new calls (503), end our registrations; calls that are go on."""
        self._plant.agent.accepting = False
        return list(self.upkeep.leave(now))

    def hang_up_all(self, now: float) -> list[ExchangeOutput]:
        """End every call now."""
        outputs: list[ExchangeOutput] = []
        for name in list(self._calls):
            outputs += self._on(name, now, lambda call: call.abandon(now, 503))
        return outputs

    # --- phones -------------------------------------------------------------------------------------------------------

    def learn_phones(self, phones: Iterable[Phone]) -> list[ExchangeOutput]:
        """These are all phones that may register now."""
        return [] if self._plant.phones is None else list(self._plant.phones.learn(phones))

    def restore_phone(self, user: str, contacts: Iterable[Contact], now: float) -> list[ExchangeOutput]:
        """Where a phone was before a restart."""
        return [] if self._plant.phones is None else list(self._plant.phones.restore(user, contacts, now))

    # --- short messages ---------------------------------------------------------------------------------------------

    def answer_text(self, id: str, status: int, now: float) -> list[ExchangeOutput]:
        """Answer a TextReceived; once."""
        return list(self.texts.answer(id, status, now))

    def send_text(
        self, trunk: str, application: str, sender: PhoneNumber, receiver: PhoneNumber, body: Body, now: float
    ) -> tuple[str, list[ExchangeOutput]]:
        """Send one of the ``texts.bodies``, by the way that a call would take; see TextAnswered."""
        id, outputs = self.texts.send(trunk, application, sender, receiver, body, now)
        return id, list(outputs)

    # --- inside -----------------------------------------------------------------------------------------------------

    def _on(self, call_id: str, now: float, act: Callable[[Call], None]) -> list[ExchangeOutput]:
        call = self._calls.get(call_id)
        return [] if call is None else self._settle(self._with(call, now, act, call), now)

    def _with(self, call: Call, now: float, act: Callable[P, None], *args: P.args, **more: P.kwargs) -> list[_Any]:
        """Let a call act; a mistake of ours in it ends this call only. Returns what it did."""
        try:
            act(*args, **more)
        except Exception as error:
            self.counters["faults"] += 1
            call.fault(error, now)
        out = call.out[:]
        call.out.clear()
        if call.closed:
            if self._calls.pop(call.id, None) is not None:
                self._callers.pop(call.caller_id, None)
                self._admission.release(call.caller.trunk)
                self.trunks.release(call.carried)
                if call.record.answered is not None:
                    ended = now if call.record.ended is None else call.record.ended
                    self._plant.quota.talk.ended(call.record.application, call.record.answered, ended)
                if call.admitted:
                    self._plant.quota.release(call.record.application, call.record.x)
                for leg in call.legs:
                    self._plant.sessions.pop(leg.session, None)
                call.phase.let_go()
            self._alarms.set(call, None)
        else:
            self._alarms.set(call, call.deadline)
        return out

    def _settle(self, outputs: Iterable[_Any], now: float) -> list[ExchangeOutput]:
        """Hand the user agent's outputs to the calls, theirs in turn, depth first, until only outward ones are left."""
        done: list[ExchangeOutput] = []
        stack = list(outputs)[::-1]
        while stack:
            output = stack.pop()
            if isinstance(output, OUTWARD):
                done.append(output)
            elif isinstance(output, PageReceived):
                stack.extend(reversed(self.texts.receive(output, now)))
            elif isinstance(output, Answered):
                done += self.upkeep.answered(output, now)
            elif isinstance(output, PageAnswered):
                done += self.texts.answered(output, now)
            elif isinstance(output, Incoming):
                stack.extend(reversed(self._incoming(output, now)))
            elif (found := self._plant.sessions.get(output.session)) is not None:
                call, leg = found
                if isinstance(output, Ended) and output.how == NO_ACK:
                    done.append(Unacknowledged(call.id, leg.side, output.reason))
                stack.extend(reversed(self._with(call, now, call.receive_sip, leg, output, now)))
        return done

    def _incoming(self, incoming: Incoming, now: float) -> list[_Any]:
        """A new INVITE: a call, or a refusal at the door."""
        call = arrive(self._plant, self._admission, incoming, now)
        if isinstance(call, TurnedAway):
            self.counters[call.why] += 1
            return list(self._plant.agent.reject(incoming.session, call.status, now, headers=tuple(call.headers)))
        self._calls[call.id] = call
        self._callers[call.caller_id] = call.id
        return self._with(call, now, call.enter, Resolving(call), now)
