"""A call whose media worker has died goes on at another one.

phase                          where it goes on                                  what the parties see
TALKING, in turn               another worker, at other ports                    a re-INVITE of ours on each leg
TALKING, no other has room,    the successor of the dead one, at the same ports  nothing
or it is up before the turn
before the answer              likewise: no second offer can be made while the   nothing
                               first one is unanswered, and a leg that has told
                               its port can't take it back
OPENING                        any worker: nobody was told of a port             nothing
CLOSING                        nowhere; what was recorded is kept                nothing

Opened         ``Ledger`` has told the worker all else right behind Open. Where the ports are new, each leg gets an
               offer, as held as it was, as soon as its dialog lets us (RFC 3261 §14.1). SRTP keys stay: not every
               phone takes others in mid-call (baresip 1.0 doesn't); the SSRC is never one of before (control.Open)
491            the SIP session tries again by the rules; given up there: anew
another refusal                that party stays where it was (RFC 3261 §14.1), so the call goes back there: to the
               successor of the dead one, at the same ports; who has taken the new ones gets another offer. Until then
               it stays at the other worker, where one of them is heard at least
refused again, a useless answer          that party can't be heard any more: the call ends, NORMAL
408, 481, nothing                        the SIP session ends itself
no port, no worker within PATIENCE       as a call without media ends (call.py)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gateway.calls.leg import Leg
from gateway.calls.outputs import CallMoved
from gateway.calls.phase import CallState
from media import control

if TYPE_CHECKING:
    from gateway.calls.call import Call

ALARM = "move"
PATIENCE = 5.0
POLL = 0.1
"""How often a leg is looked at that can't be offered anything just now."""
PACE = 0.002
"""Between the calls of one worker: a burst of hundreds of re-INVITEs overruns the socket of a peer, and what is lost
there comes again after half a second."""
TRIES = 5
"""How often a leg is offered our new place when others' offers come between."""


def lost(worker: int, now: float, order: int) -> Callable[[Call], None]:
    """What a call does whose ``worker`` is gone; it is one of several, and its turn comes by ``order``."""
    return lambda call: _lost(call, worker, now, order)


def _lost(call: Call, worker: int, now: float, order: int) -> None:
    state = call.phase.state
    before, call.move = call.move, None
    if state is CallState.OPENING:
        call.media.lost()
        if not call.media.open():
            call.move = Move(call, worker, now)
        return
    ports = (call.caller.port, call.callee_port)
    call.plant.workers.rest(worker, ports)
    if state in (CallState.CLOSING, CallState.CLOSED) or call.media.parts >= control.MOST_PARTS:
        call.media.lost()
        call.media.close()
        call.phase.media_lost(now)
        return
    call.media.lost()
    call.move = Move(call, worker, now if before is None else before.since, before)
    if order and state is CallState.TALKING:
        call.move.queue(now + order * PACE)
    else:
        call.move.begin(now)


def found(call: Call, worker: int, now: float) -> None:
    """``worker`` is there now, for those that wait."""
    if call.move is not None and call.move.waits:
        call.move.worker_ready(worker, now)


class Move:
    """``since``: when the worker died; ``waits``: for a worker; ``at``: when to look again, None: others will tell.
    ``before``: the move that the death of its new worker has broken off."""

    __slots__ = (
        "_asked", "_call", "_flying", "_full", "_goes_home", "_home", "_known", "_queued", "_tries", "_untold", "at",
        "since", "waits",
    )  # fmt: skip

    def __init__(self, call: Call, dead: int, since: float, before: Move | None = None) -> None:
        self._call = call
        ports = (call.caller.port, call.callee_port)
        self._home: tuple[int, tuple[int, int]] = (dead, ports)
        """The last worker and its ports that both parties knew."""
        self._known: dict[int, int] = dict(enumerate(ports))
        """The port that each party sends to, 0: one of no use any more."""
        self._goes_home = False
        """A party has refused to go anywhere else."""
        self._flying: set[int] = set()
        """Legs with an offer under way of a place that is left."""
        if before is not None:
            self._home, self._known, self._goes_home = before._home, before._known, before._goes_home
            self._flying = before._flying | before._asked
        self._full: set[int | None] = set()
        """Workers that had no port for it."""
        self._untold: set[int] = set()
        """Legs that don't know our new ports yet, and those of them that were asked to take them."""
        self._asked: set[int] = set()
        self._tries = {control.CALLER: TRIES, control.CALLEE: TRIES}
        self.since = since
        self.waits = True
        self._queued = False
        self.at: float | None = None
        self._look_again(since + PATIENCE)

    def queue(self, at: float) -> None:
        """Its turn is then; it may find its place again before."""
        self._queued = True
        self._look_again(at)

    def begin(self, now: float) -> None:
        """The next one in this place, if it is there already; another worker; or wait."""
        if self._return(now):
            return
        if self._may_go and self._call.media.move(self._full):
            self._opening(now)
        else:
            self.waits = True
            self._look_again(now + PATIENCE)

    def worker_ready(self, worker: int, now: float) -> None:
        """One more worker is there."""
        call = self._call
        if call.phase.state is CallState.OPENING:
            if call.media.open():
                call.move = None
        elif worker == self._home[0]:
            self._return(now)
        elif self._may_go and call.media.move(self._full):
            self._opening(now)

    def report(self, report: control.Report, now: float) -> bool:
        """What the new worker says, as far as it belongs to this."""
        match report:
            case control.Opened(caller_port=caller, callee_port=callee):
                self._opened((caller, callee), now)
            case control.OpenFailed():
                self._call.media.refused()
                self._not_opened(now)
            case _:
                return False
        return True

    def alarm(self, now: float) -> None:
        """No worker, no answer of it; or a leg that had to wait."""
        self.at = None
        if self._queued:
            self._queued = False
            self.begin(now)
        elif self._untold:
            self._offer(now)
        else:
            self._give_up(now)

    def rearm(self) -> None:
        """The call has entered another phase, which forgets alarms."""
        if self.at is not None:
            self._call.set_alarm(ALARM, self.at)

    # --- what the legs say --------------------------------------------------------------------------------------------

    def answered(self, leg: Leg, now: float) -> None:
        """The answer to an offer of ours, maybe of the one that we have made here."""
        if leg.side in self._asked:
            self._asked.discard(leg.side)
            self._untold.discard(leg.side)
            self._known[leg.side] = leg.port
            if not self._untold:
                self._done(now)
        elif leg.side in self._flying:
            self._flying.discard(leg.side)
            self._known[leg.side] = 0

    def reoffered(self, leg: Leg, now: float) -> None:
        """An offer of theirs came in between and was answered. While ours waits to be sent once more (glare), it must
        be the newer description."""
        if leg.side in self._asked:
            self._call.sip(self._call.plant.agent.reoffer(leg.session, _offer_of(leg), now))

    def refused(self, leg: Leg, status: int, now: float) -> None:
        """The refusal."""
        if leg.side not in self._asked:
            self._refused_before(leg, now)
            return
        self._asked.discard(leg.side)
        self._tries[leg.side] -= 1
        if status == 491 and self._tries[leg.side]:
            self._look_again(now + POLL)
        elif self._goes_home or self._home[0] in self._full or self._call.media.parts >= control.MOST_PARTS:
            self._give_up(now)
        else:
            self._turn_back(now)

    # --- inside -------------------------------------------------------------------------------------------------------

    @property
    def _talks(self) -> bool:
        return self._call.phase.state is CallState.TALKING

    @property
    def _may_go(self) -> bool:
        """To any worker."""
        return self._talks and not self._goes_home

    def _turn_back(self, now: float) -> None:
        self._goes_home = True
        self._flying |= self._asked
        self._untold.clear()
        self._asked.clear()
        if not self._return(now):
            self.waits = True
            self._look_again(now + PATIENCE)

    def _refused_before(self, leg: Leg, now: float) -> None:
        """An offer of a place that was left: the party still sends to where it did."""
        if leg.side in self._flying:
            self._flying.discard(leg.side)
            if leg.side in self._untold and self._known[leg.side] == leg.port:
                self._untold.discard(leg.side)
                if not self._untold:
                    self._done(now)

    def _look_again(self, at: float) -> None:
        self.at = at
        self._call.set_alarm(ALARM, at)

    def _opening(self, now: float) -> None:
        self.waits = self._queued = False
        self._look_again(now + self._call.settings.media_reply_timeout)

    def _opened(self, ports: tuple[int, int], now: float) -> None:
        call = self._call
        call.clear_alarm(ALARM)
        self.at = None
        call.caller.port, call.callee_port = ports
        for leg in call.legs[1:]:
            leg.port = call.callee_port
        self._untold = {leg.side for leg in call.legs if leg.port != self._known[leg.side] or leg.side in self._flying}
        if self._untold:
            self._offer(now)
        else:
            self._done(now)

    def _return(self, now: float) -> bool:
        """To the dead one's successor, if it is there."""
        if self._home[0] in self._full or not self._call.media.return_to(*self._home):
            return False
        self._opening(now)
        return True

    def _not_opened(self, now: float) -> None:
        """No port there: one that talks may go anywhere else, any other has lost its place."""
        self._full.add(self._call.media.worker)
        if self._may_go and self._call.media.parts < control.MOST_PARTS:
            self.begin(now)
        else:
            self._give_up(now)

    def _offer(self, now: float) -> None:
        call, agent = self._call, self._call.plant.agent
        for leg in call.legs:
            if leg.side in self._untold - self._asked and agent.may_offer(leg.session):
                self._asked.add(leg.side)
                call.sip(agent.reoffer(leg.session, _offer_of(leg), now))
        if self._untold - self._asked:
            self._look_again(now + POLL)

    def _done(self, now: float) -> None:
        call = self._call
        call.move = None
        call.change(moved=(*call.record.moved, (self.since, now)))
        call.out.append(CallMoved(call.id, "moved", now - self.since))

    def _give_up(self, now: float) -> None:
        call = self._call
        call.move = None
        call.clear_alarm(ALARM)
        call.out.append(CallMoved(call.id, "ended", now - self.since))
        call.media.give_up()
        call.phase.media_lost(now)


def _offer_of(leg: Leg) -> bytes:
    """Our place now; as held as it was."""
    terms = leg.terms
    sends, receives = (True, True) if terms is None else (terms.receives, terms.sends)
    return leg.negotiation.reoffer(leg.port, sends=sends, receives=receives)
