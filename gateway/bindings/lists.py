"""[IO] Black and white lists, and registered A numbers: asked only where an application has any.

| list          | a number on it      | a number that is not                                |
|---------------|---------------------|-----------------------------------------------------|
| black, caller | CALLER_BLACKLISTED  |                                                     |
| black, callee | CALLEE_BLACKLISTED  |                                                     |
| white, caller |                     | CALLER_BLACKLISTED, when the list has any number    |
| white, callee |                     | CALLEE_BLACKLISTED, likewise                        |

The node's own lists (application "") count beside the application's; a number on any white list of its party is
allowed. They count for calls and for short messages. ``registered_only``: A must be registered for the application,
whichever side of the call it is on, else NO_PERMISSION (privatenumber.md section 12, "A-number registration").
"""

from __future__ import annotations

from sqlalchemy import and_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.bindings.decisions import Connect, Decision, Found
from gateway.bindings.models import Application
from gateway.causes import Cause
from gateway.database import reading
from gateway.numbers import PhoneNumber
from gateway.schema import number_list, registered_a


async def barred(engine: AsyncEngine, found: Found, caller: PhoneNumber | None, decision: Decision) -> Cause | None:
    """Why a call that routing lets through is barred, or None. The callee is only known of a Connect."""
    callee = decision.callee if isinstance(decision, Connect) else None
    cause = await listed(engine, found, caller, callee)
    if cause is not None:
        return cause
    application = found.application
    if application is None or not application.registered_only or not found.bindings:
        return None
    async with reading(engine) as connection:
        registered = await _registered(connection, application, found.bindings[0].a)
    return None if registered else Cause.NO_PERMISSION


async def listed(
    engine: AsyncEngine, found: Found, caller: PhoneNumber | None, callee: PhoneNumber | None
) -> Cause | None:
    """What black and white lists have against two parties, as far as these are known."""
    application = found.application
    if application is None or not found.has_lists:
        return None
    parties = (("caller", caller, Cause.CALLER_BLACKLISTED), ("callee", callee, Cause.CALLEE_BLACKLISTED))
    async with reading(engine) as connection:
        for party, number, cause in parties:
            if number is not None and await _listed(connection, application, party, number):
                return cause
    return None


async def _listed(connection: AsyncConnection, application: Application, party: str, number: PhoneNumber) -> bool:
    """Whether black lists have it, or white lists are there and don't."""
    mine = and_(number_list.c.application.in_(("", application.key)), number_list.c.party == party)
    its = (await connection.execute(select(number_list.c.kind).where(mine, number_list.c.number == number.e164))).all()
    kinds = {row.kind for row in its}
    if "black" in kinds:
        return True
    if "white" in kinds:
        return False
    white = select(number_list.c.number).where(mine, number_list.c.kind == "white").limit(1)
    return (await connection.execute(white)).first() is not None


async def _registered(connection: AsyncConnection, application: Application, a: PhoneNumber) -> bool:
    where = or_(registered_a.c.application == application.key, registered_a.c.application == "")
    query = select(registered_a.c.number).where(where, registered_a.c.number == a.e164)
    return (await connection.execute(query)).first() is not None
