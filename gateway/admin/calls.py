"""[IO] ``/v1/calls``: calls that stand, and hanging one up; ``/v1/explain``: where a call would go, and why."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel
from sqlalchemy import select

from gateway.admin.audit import changing
from gateway.admin.context import AdminContext, application_keys, application_row
from gateway.admin.door import Context, Manager, Recorder
from gateway.admin.failures import Invalid, NotFound, Unavailable
from gateway.admin.paging import Limit, Page
from gateway.admin.roles import Actor, Permission
from gateway.bindings.rows import when
from gateway.database import reading
from gateway.numbers import NumberError, PhoneNumber
from gateway.schema import number
from gateway.standing import Sound, StandingCall

router = APIRouter(tags=["calls"])


class LegSound(BaseModel):
    """How one party was heard in the last 5 s; null: unknown, or it sent nothing. ``mos``: estimated, 1 to 4.5;
    ``far_mos``: how it heard us, by its own RTCP."""

    mos: float | None
    lost_percent: float
    jitter_ms: int
    round_trip_ms: int | None
    far_mos: float | None


class CallSound(BaseModel):
    """Both parties."""

    caller: LegSound
    callee: LegSound


class Call(BaseModel):
    """A call that stands. ``direction``: 0 others to A, 1 A to others, 2 not decided yet; ``sound``: null in the first
    5 s."""

    session: str
    application: str
    mode: str
    state: str
    direction: int
    x: str
    caller: str
    callee: str
    trunk: str
    binding: str
    recorded: bool
    started: datetime
    answered: datetime | None
    sound: CallSound | None


class Line(BaseModel):
    """One line of an explanation. ``good``: null where there is nothing to judge."""

    what: str
    text: str
    good: bool | None


class Explanation(BaseModel):
    """Line by line, the outcome last."""

    lines: list[Line]


async def _standing(context: AdminContext, actor: Actor) -> list[StandingCall]:
    calls = await context.live_calls()
    if calls is None:
        raise Unavailable("The signalling process does not answer.")
    async with reading(context.engine) as connection:
        keys = await application_keys(connection, actor)
    return [call for call in calls if keys is None or call.application in keys]


def view_of(call: StandingCall, actor: Actor) -> Call:
    """A call as an actor may see it."""
    return Call(
        session=call.session, application=call.application, mode=call.mode, state=call.state, x=call.x,
        direction=call.direction, caller=actor.shown(call.caller) if call.caller else "",
        callee=actor.shown(call.callee) if call.callee else "", trunk=call.trunk, binding=call.binding,
        recorded=call.recorded, started=datetime.fromtimestamp(call.started, UTC), answered=when(call.answered),
        sound=_sound(call.sound) if call.sound is not None else None,
    )  # fmt: skip


def _sound(sound: Sound) -> CallSound:
    caller, callee = (LegSound(**msgspec.structs.asdict(leg)) for leg in sound)
    return CallSound(caller=caller, callee=callee)


@router.get("/calls", summary="Calls that stand")
async def search(
    actor: Recorder,
    context: Context,
    application: str = "",
    x: str = "",
    limit: Limit = 100,
    after: Annotated[str, Query(max_length=512, description="`next` of the page before.")] = "",
) -> Page[Call]:
    """The oldest first, of this node."""
    wanted = [
        call
        for call in await _standing(context, actor)
        if (not application or call.application == application) and (not x or call.x == x.replace(" ", "+"))
    ]
    wanted.sort(key=lambda call: (call.started, call.session))
    start = 0
    if after:
        moment, _, session = after.partition("/")
        try:
            seen = float(moment), session
        except ValueError:
            raise Invalid("after is not a cursor of this list.", "after") from None
        start = sum((call.started, call.session) <= seen for call in wanted)
    some = wanted[start : start + limit]
    more = len(wanted) > start + limit
    return Page(
        items=[view_of(call, actor) for call in some], next=f"{some[-1].started!r}/{some[-1].session}" if more else None
    )


@router.delete("/calls/{session}", status_code=204, summary="Hang up a call")
async def stop(actor: Manager, context: Context, session: str) -> None:
    """Both parties; the CDR says 8017."""
    for call in await _standing(context, actor):
        if call.session == session and await context.stop_call(call.application, session):
            async with changing(context.engine, actor, context.clock()) as change:
                change.note("call.stop", f"call/{session}", {"application": call.application})
            return
    raise NotFound("There is no such call.", "session")


@router.get("/explain", summary="Where a call would go, and why")
async def explain(
    actor: Recorder,
    context: Context,
    called: Annotated[str, Query(description="The X number.")],
    caller: Annotated[str, Query(description="Who calls; empty: withheld.")] = "",
    at: Annotated[AwareDatetime | None, Query(description="When; default: now.")] = None,
    extension: Annotated[str, Query(pattern=r"^[0-9]{0,4}$", description="AXE: what is dialled behind it.")] = "",
) -> Explanation:
    """The same look-up, rules and bars as a real call, without one."""
    x = _number("called", called)
    known = _number("caller", caller) if caller else None
    async with reading(context.engine) as connection:
        owner = (
            await connection.execute(select(number.c.application).where(number.c.x == x.e164))
        ).scalar_one_or_none()
        if owner is None and (await application_keys(connection, actor)) is not None:
            raise NotFound("There is no such number.", "called")
        if owner is not None:
            await application_row(connection, actor, owner)
    masked = not actor.may(Permission.REVEAL)
    lines = await context.explain(known, x, at or context.clock(), extension, masked)
    return Explanation(lines=[Line(what=what, text=text, good=good) for what, text, good in lines])


def _number(name: str, text: str) -> PhoneNumber:
    try:
        return PhoneNumber.parse(text.replace(" ", "+", 1) if text.startswith(" ") else text)
    except NumberError:
        raise Invalid(f"{name} is no phone number.", name) from None
