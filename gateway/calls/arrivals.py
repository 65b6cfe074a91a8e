"""A new INVITE becomes a call, or is refused at the door and leaves no record: nobody has asked yet whose X it was.

403   from nobody's address                  420   an extension that is required and not there
404   no number was dialled                  503   a limit of the node or of its trunk, with Retry-After
488   its SDP can't be answered (or 400), with a Warning that says why
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.calls.admission import Admission
from gateway.calls.call import Call
from gateway.calls.caller_leg import CallerLeg
from gateway.calls.identity import called_number, caller_of
from gateway.calls.leg import new_negotiation
from gateway.calls.plant import Plant
from gateway.calls.record import CallRecord
from gateway.calls.settings import TrunkSettings
from gateway.errors import PeerError
from gateway.numbers import PhoneNumber
from gateway.sdp.offer_answer import NotAcceptable
from gateway.sip.outputs import Incoming

_ABNORMAL = 2
_PLAIN = re.compile(r"[^A-Za-z0-9 .,/_-]")
"""What of a peer's own words is not said back to it."""


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """``why`` names the reason for the counters."""

    status: int
    why: str
    headers: Sequence[tuple[str, str]] = ()


def arrive(plant: Plant, admission: Admission, incoming: Incoming, now: float) -> Call | TurnedAway:
    """The call of an INVITE, which has not entered any phase yet; or what the INVITE gets."""
    request = incoming.request
    trunk = admission.origin(incoming.source.host, incoming.user)
    if trunk is None:
        return TurnedAway(403, "unknown source")
    x = called_number(request, trunk)
    if x is None:
        return TurnedAway(404, "no number")
    unwilling = plant.agent.admit(incoming.session, trunk.policy)
    if unwilling is not None:
        return TurnedAway(unwilling[0], "extension", unwilling[2])
    refusal = admission.admit(trunk, now)
    if refusal is not None:
        return TurnedAway(503, refusal.limit, [("Retry-After", str(refusal.retry_after))])
    name = plant.token()
    negotiation = new_negotiation(name + "caller", plant.settings.media_host, trunk, incoming.source, plant.token)
    try:
        if request.body:
            negotiation.receive_offer(request.body, 0)
    except PeerError as error:
        admission.release(trunk)
        return TurnedAway(error.status, "offer not acceptable", _warning(error, plant.settings.media_host))
    if incoming.user:
        # It may be behind NAT: what it gets goes where it is heard from.
        plant.agent.pin(incoming.session)
    account = plant.trunks.accounts.get(trunk.name)
    if account is not None:
        plant.agent.identify(incoming.session, account)
    leg = CallerLeg(plant.agent, incoming, trunk, negotiation)
    call = Call(plant, name, leg, _record(name, trunk, x, caller_of(request, incoming.user, trunk), now))
    call.caller_id = request.call_id
    return call


def _warning(error: PeerError, host: str) -> list[tuple[str, str]]:
    """What is wrong with the offer, for the carrier's staff (RFC 3261 §20.43)."""
    if not isinstance(error, NotAcceptable):
        return []
    return [("Warning", f'{error.warning} {host} "{_PLAIN.sub("?", error.detail)}"')]


def _record(name: str, trunk: TrunkSettings, x: PhoneNumber, caller: PhoneNumber | None, now: float) -> CallRecord:
    return CallRecord(
        session=name,
        trunk=trunk.name,
        application="",
        mode="",
        binding=None,
        user_data=None,
        direction=_ABNORMAL,
        x=x,
        caller=caller,
        shown=None,
        callee=None,
        started=now,
    )
