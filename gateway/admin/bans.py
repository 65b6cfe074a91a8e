"""[IO] ``/v1/bans``: SIP sources that the door (gateway.sip.gate) keeps out for what they did, letting them in again.

An address is no person's number, so it is shown as it is; only the operator asks.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from gateway.admin.audit import changing
from gateway.admin.door import Context, Operator
from gateway.admin.failures import NotFound, Unavailable
from gateway.admin.paging import Page
from gateway.standing import StandingBan

router = APIRouter(tags=["bans"])


class Ban(BaseModel):
    """``source``: an address, of IPv6 its /64. ``why``: scanner, malformed, digest, flood, REGISTER storm."""

    source: str
    why: str
    since: datetime
    until: datetime


def _page(bans: list[StandingBan] | None) -> Page[Ban]:
    if bans is None:
        raise Unavailable("The signalling process does not answer.")
    items = [
        Ban(source=ban.source, why=ban.why, since=datetime.fromtimestamp(ban.since, UTC),
            until=datetime.fromtimestamp(ban.until, UTC))
        for ban in bans
    ]  # fmt: skip
    return Page(items=items)


@router.get("/bans", summary="SIP sources that are kept out")
async def search(actor: Operator, context: Context) -> Page[Ban]:
    """Of this node, the oldest first, all on one page."""
    return _page(await context.bans())


@router.delete("/bans", summary="Let them in again")
async def lift(
    actor: Operator,
    context: Context,
    source: Annotated[str, Query(max_length=64, description="An address, or as a ban names it; empty: all.")] = "",
) -> Page[Ban]:
    """The bans that were lifted."""
    lifted = _page(await context.lift_bans(source))
    if not lifted.items and source:
        raise NotFound("There is no such ban.", "source")
    if lifted.items:
        async with changing(context.engine, actor, context.clock()) as change:
            for ban in lifted.items:
                change.note("ban.lift", f"ban/{ban.source}", {"why": ban.why})
    return lifted
