"""One callee's phones ring at once (RFC 3261 §16.7, as far as a B2BUA forks): what each says, and who has won.

    18x of any              the call rings; with an SDP, the caller hears that one from then on
    2xx of the first        it is the callee; the others get CANCEL and are told that somebody else has answered
    6xx of any              the person has spoken: the others get CANCEL
    another refusal         counts when it is the last one: then the best of all (§16.7, 6) is the callee's

The leg that counts is ``call.callee``, the others are ``call.forks``. A 2xx that crosses its CANCEL is acknowledged and
ended by its SIP session alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.calls.leg import Leg, LegState
from gateway.sip.user_agent import Accepted, Output, Progress, Rejected

if TYPE_CHECKING:
    from gateway.calls.call import Call

ELSEWHERE = (("Reason", 'SIP;cause=200;text="Call completed elsewhere"'),)
_DECIDED = 600
# Of these nobody can tell whether they are the person's or his phone's.
_VAGUE = (408, 480, 500, 503)


def heard(call: Call, leg: Leg, output: Output, now: float) -> Output | None:
    """Something of one of several legs; what of it is the callee's, None: nothing yet."""
    match output:
        case Progress(body=body):
            if body:
                _turn_to(call, leg)
        case Accepted():
            _turn_to(call, leg)
            drop(call, now, ELSEWHERE)
        case Rejected(status=status):
            leg.state = LegState.GONE
            call.plant.sessions.pop(leg.session, None)
            call.refusals.append(output)
            if status >= _DECIDED:
                _turn_to(call, leg)
                drop(call, now)
                return output
            if leg is call.callee and not call.forks:
                return best(call.refusals)
            if leg is call.callee:
                _turn_to(call, call.forks[0])
            call.forks.remove(leg)
            return None
        case _:
            pass
    return output


def best(refusals: list[Rejected]) -> Rejected:
    """What the callee is taken to have said."""
    return min(refusals, key=lambda one: (one.status < _DECIDED, one.status in _VAGUE, one.status))


def drop(call: Call, now: float, headers: tuple[tuple[str, str], ...] = ()) -> None:
    """End all legs of the callee but the one that counts."""
    for leg in call.forks:
        leg.state = LegState.GONE
        call.plant.sessions.pop(leg.session, None)
        call.sip(call.plant.agent.hang_up(leg.session, now, headers=headers))
    call.forks.clear()


def _turn_to(call: Call, leg: Leg) -> None:
    """From here on this leg counts."""
    if call.callee is leg or call.callee is None:
        return
    call.forks.remove(leg)
    call.forks.append(call.callee)
    call.callee = leg
    _speak(call, leg)


def _speak(call: Call, leg: Leg) -> None:
    """The worker listens to this leg again, if it has been told of it before."""
    terms, leg.terms = leg.terms, None
    if terms is not None:
        call.agree(leg, terms)
