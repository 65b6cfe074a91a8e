"""[IO] ``/v1/traces``: the SIP of single calls. The operator turns tracing on for a time; who reads sees numbers
starred, and to see them whole needs the right and leaves an entry in the audit log.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.responses import PlainTextResponse, Response

from gateway.admin.audit import changing
from gateway.admin.context import AdminContext
from gateway.admin.door import Auditor, Context, Operator
from gateway.admin.failures import Conflict, Forbidden, Invalid, NotFound
from gateway.admin.paging import Page
from gateway.admin.roles import Actor, Permission
from gateway.database import reading
from gateway.numbers import NumberError, PhoneNumber
from gateway.tracing import store
from gateway.tracing.messages import CALLER, title_of
from gateway.tracing.pcap import pcap
from gateway.tracing.recorder import Switch
from gateway.tracing.shown import as_text

router = APIRouter(tags=["traces"])
Whole = Annotated[bool, Query(description="Real numbers; needs the right, and is noted.")]


class NewSwitch(BaseModel):
    """One of ``number``, ``call`` (a session id) and ``next`` (how many calls)."""

    model_config = ConfigDict(extra="forbid")
    number: str = ""
    call: Annotated[str, Field(max_length=256)] = ""
    next: Annotated[int, Field(ge=0, le=1000)] = 0
    minutes: Annotated[int, Field(ge=1, le=1440)] = 10

    @model_validator(mode="after")
    def _one(self) -> NewSwitch:
        if sum(map(bool, (self.number, self.call, self.next))) != 1:
            raise ValueError("give one of number, call and next")
        return self


class SwitchView(BaseModel):
    """``value``: a number as you may see it, or a session id."""

    id: str
    kind: Literal["number", "call", "next"]
    value: str
    calls: int
    until: datetime


class TraceRow(BaseModel):
    """A call that was traced; ``messages``: how many."""

    session: str
    node: str
    started: datetime
    messages: int


class Message(BaseModel):
    """``leg``: whose line; ``sent`` by us to ``peer``, else received from there."""

    at: datetime
    leg: Literal["caller", "callee"]
    sent: bool
    transport: str
    peer: str
    here: str
    title: str
    text: str


class Trace(BaseModel):
    """One call, message by message, and the ladder as text."""

    session: str
    ladder: str
    messages: list[Message]


def new_switch(wanted: NewSwitch, now: float) -> Switch:
    """What is to be turned on. NumberError."""
    until = now + 60.0 * wanted.minutes
    id = secrets.token_hex(6)
    if wanted.number:
        return Switch(id, "number", PhoneNumber.parse(wanted.number).e164, until, 1000)
    if wanted.call:
        return Switch(id, "call", wanted.call, until, 1)
    return Switch(id, "next", "", until, wanted.next)


def noted(switch: Switch, minutes: int) -> dict[str, object]:
    """For the audit log."""
    value = PhoneNumber(switch.value).masked if switch.kind == "number" else switch.value
    return {"kind": switch.kind, "value": value, "calls": switch.calls, "minutes": minutes}


def _view(switch: Switch, actor: Actor) -> SwitchView:
    value = actor.shown(switch.value) if switch.kind == "number" else switch.value
    return SwitchView.model_validate(
        {"id": switch.id, "kind": switch.kind, "value": value, "calls": switch.calls,
         "until": datetime.fromtimestamp(switch.until, UTC)}
    )  # fmt: skip


@router.post("/traces", status_code=201, summary="Trace calls for a time")
async def start(actor: Operator, context: Context, wanted: NewSwitch) -> SwitchView:
    """This node begins at once, every other within seconds; with ``next`` each node takes as many."""
    now = context.clock()
    try:
        switch = new_switch(wanted, now.timestamp())
    except NumberError:
        raise Invalid("number is no phone number.", "number") from None
    async with changing(context.engine, actor, now) as change:
        if not await store.add_switch(change.connection, switch, actor.name, now.timestamp()):
            raise Conflict("Too many traces are wanted already; end some.")
        change.note("trace.start", f"trace/{switch.id}", noted(switch, wanted.minutes))
    context.wake()
    return _view(switch, actor)


@router.get("/traces/switches", summary="What is traced now")
async def switches(actor: Auditor, context: Context) -> Page[SwitchView]:
    """All on one page."""
    async with reading(context.engine) as connection:
        found = await store.read_switches(connection, context.clock().timestamp())
    return Page(items=[_view(one, actor) for one in found])


@router.delete("/traces/switches/{id}", status_code=204, summary="Trace no more calls for it")
async def end(actor: Operator, context: Context, id: str) -> None:
    """Calls that are being traced are traced to their end."""
    async with changing(context.engine, actor, context.clock()) as change:
        if not await store.end_switch(change.connection, id):
            raise NotFound("There is no such switch.", "id")
        change.note("trace.end", f"trace/{id}")


@router.get("/traces", summary="Calls that were traced")
async def search(actor: Auditor, context: Context) -> Page[TraceRow]:
    """The newest 200, the newest first."""
    async with reading(context.engine) as connection:
        found = await store.read_list(connection)
    return Page(items=[
        TraceRow(session=one.session, node=one.node, started=datetime.fromtimestamp(one.started_at, UTC),
                 messages=one.messages)
        for one in found
    ])  # fmt: skip


@router.get("/traces/{session}", summary="One call's SIP")
async def one(actor: Auditor, context: Context, session: str, numbers: Whole = False) -> Trace:
    """Message by message."""
    trace = await _read(actor, context, session, numbers)
    return Trace(
        session=trace.session,
        ladder=as_text(trace.messages),
        messages=[
            Message(
                at=datetime.fromtimestamp(seen.at, UTC), leg="caller" if side == CALLER else "callee", sent=seen.sent,
                transport=seen.peer.transport, peer=f"{seen.peer.host_text}:{seen.peer.port}",
                here=f"{seen.here.host_text}:{seen.here.port}", title=title_of(seen.data),
                text=seen.data.decode("utf-8", "replace"),
            )
            for side, seen in trace.messages
        ],
    )  # fmt: skip


@router.get("/traces/{session}/ladder", summary="One call's ladder", response_class=PlainTextResponse)
async def ladder(
    actor: Auditor, context: Context, session: str, numbers: Whole = False, full: bool = False
) -> Response:
    """As text; ``full``: each message behind it."""
    trace = await _read(actor, context, session, numbers)
    return PlainTextResponse(as_text(trace.messages, full=full))


@router.get("/traces/{session}/pcap", summary="One call as a file for Wireshark", response_class=Response)
async def capture(actor: Auditor, context: Context, session: str, numbers: Whole = False) -> Response:
    """Each message as a UDP datagram."""
    trace = await _read(actor, context, session, numbers)
    headers = {"Content-Disposition": f'attachment; filename="{trace.session[:64]}.pcap"'}
    return Response(
        pcap(seen for _, seen in trace.messages), media_type="application/vnd.tcpdump.pcap", headers=headers
    )


async def _read(actor: Actor, context: AdminContext, session: str, whole: bool) -> store.Trace:
    if whole and not actor.may(Permission.REVEAL):
        raise Forbidden(f"The role {actor.role} may not see real numbers.")
    async with reading(context.engine) as connection:
        trace = await store.read_trace(connection, session)
    if trace is None:
        raise NotFound("There is no such trace.", "session")
    if not whole:
        return trace.masked
    async with changing(context.engine, actor, context.clock()) as change:
        change.note("trace.reveal", f"call/{trace.session}")
    return trace
