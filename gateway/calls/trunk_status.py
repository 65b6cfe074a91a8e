"""The state of each trunk as people see it: its peers, our registration, our account, the calls in both directions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from gateway.calls.admission import Admission
from gateway.calls.peers import Peer
from gateway.calls.registration import Registration, State
from gateway.calls.settings import TrunkSettings
from gateway.calls.trunks import Trunks
from gateway.calls.upkeep import Upkeep
from gateway.standing import StandingPeer, StandingTrunk

_REGISTRATION = {
    State.WAITING: "not registered",
    State.REGISTERED: "registered",
    State.LEAVING: "registered",
    State.LEFT: "unregistered",
}
_PROBED = {None: "unknown", True: "up", False: "down"}


def statuses(
    settings: Iterable[TrunkSettings],
    trunks: Trunks,
    upkeep: Upkeep,
    admission: Admission,
    wall: Callable[[float], datetime],
    now: float,
) -> list[StandingTrunk]:
    """One for each trunk, in the order of the configuration."""

    def epoch(at: float) -> float | None:
        return wall(at).timestamp() if at > now else None

    def peer(one: Peer, probed: bool) -> StandingPeer:
        return StandingPeer(
            hop=str(one.hop),
            state=_PROBED[one.up] if probed else "not asked",
            rests_until=epoch(one.barred_until),
            silent=now < one.shy_until,
        )

    def trunk(one: TrunkSettings) -> StandingTrunk:
        known: Registration | None = upkeep.registrations.get(one.name)
        account = trunks.accounts.get(one.name)
        return StandingTrunk(
            name=one.name,
            peers=[
                peer(found, one.probe is not None)
                for index in range(len(one.peers))
                if (found := trunks.peers[one.name, index]).somewhere
            ],
            registration="" if known is None else _REGISTRATION[known.state],
            registered_until=None if known is None else epoch(known.end),
            registration_status=0 if known is None else known.status,
            account_problem="" if account is None else account.problem,
            calls_in=admission.calls_of(one.name),
            calls_out=trunks.calls[one.name],
        )

    return [trunk(one) for one in settings]
