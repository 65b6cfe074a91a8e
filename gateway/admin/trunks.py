"""[IO] ``/v1/trunks``: how each trunk of this node is: its peers, our registration there, the calls it carries."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter
from pydantic import BaseModel

from gateway.admin.door import Auditor, Context
from gateway.admin.failures import Unavailable
from gateway.admin.paging import Page
from gateway.standing import StandingPeer, StandingTrunk

router = APIRouter(tags=["trunks"])


class Peer(BaseModel):
    """``state``: up, down, unknown (no answer to judge by yet), not asked (health is off). ``rests_until``: it said
    503 with Retry-After. ``silent``: the last call there got no answer, so others are tried first for a while."""

    address: str
    state: str
    rests_until: datetime | None
    silent: bool


class Trunk(BaseModel):
    """``registration``: registered, not registered, unregistered (the node stops) or "" where there is none;
    ``registration_status``: its last answer. ``account_problem``: "refused" (wrong password), "realm" (a challenge
    of another realm than the configured one) or ""."""

    name: str
    peers: list[Peer]
    registration: str
    registered_until: datetime | None
    registration_status: int
    account_problem: str
    calls_in: int
    calls_out: int


def _when(at: float | None) -> datetime | None:
    return None if at is None else datetime.fromtimestamp(at, UTC)


def _peer(one: StandingPeer) -> Peer:
    return Peer(address=one.hop, state=one.state, rests_until=_when(one.rests_until), silent=one.silent)


def _view(one: StandingTrunk) -> Trunk:
    return Trunk(
        name=one.name, peers=[_peer(peer) for peer in one.peers], registration=one.registration,
        registered_until=_when(one.registered_until), registration_status=one.registration_status,
        account_problem=one.account_problem, calls_in=one.calls_in, calls_out=one.calls_out,
    )  # fmt: skip


@router.get("/trunks", summary="The state of the trunks")
async def search(actor: Auditor, context: Context) -> Page[Trunk]:
    """Of this node, in the order of its configuration, all on one page."""
    found = await context.trunks()
    if found is None:
        raise Unavailable("The signalling process does not answer.")
    return Page(items=[_view(one) for one in found])
