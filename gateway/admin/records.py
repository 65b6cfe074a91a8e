"""[IO] ``/v1/cdrs`` and ``/v1/messages``: search and export; ``/v1/statistics``; ``/v1/explain/{session}``.

Real numbers are shown to who may see them; only they may search by one, since a search would tell.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime, BaseModel
from sqlalchemy import Select, select

from gateway.admin.calls import Explanation, Line
from gateway.admin.context import AdminContext, application_keys
from gateway.admin.door import Context, Recorder
from gateway.admin.failures import Forbidden, Invalid, NotFound
from gateway.admin.paging import After, Limit, Page, page
from gateway.admin.roles import Actor, Permission
from gateway.causes import Cause
from gateway.database import reading
from gateway.records.counting import day_of, statistics
from gateway.records.search import Wanted
from gateway.schema import cdr, sms_record

router = APIRouter(tags=["records"])
_CALL_ORDER = ((cdr.c.ended_at, True), (cdr.c.session, True))
_MESSAGE_ORDER = ((sms_record.c.at, True), (sms_record.c.id, True))
MOST_DAYS, BY_DAY = 184, 31


class Heard(BaseModel):
    """A tone that was played: what for (``waiting``, ``ringback``, ``prompt``, ``refusal``, ``notice``, ``last
    minute``), and its file's name."""

    leg: Literal["caller", "callee"]
    play: str
    file: str
    begin: datetime
    end: datetime


class Cdr(BaseModel):
    """A call that is over. ``seconds``: of talk; ``cause``: 0, or ulFailReason; ``way``: the trunk to the callee;
    ``quality``: how well both legs were heard (gateway.calls.quality), null for a call without sound; ``moved``: from
    when to when it had no media, since a media worker had died; ``heard``: tones, notices and prompts, in order."""

    session: str
    application: str
    mode: str
    binding: str | None
    direction: int
    x: str
    caller: str | None
    callee: str | None
    extension: str
    trunk: str
    way: str
    started: datetime
    answered: datetime | None
    ended: datetime
    seconds: float
    cause: int
    cause_text: str
    sip_status: int
    recording: str | None
    user_data: str | None
    quality: dict[str, Any] | None
    moved: list[tuple[datetime, datetime]]
    heard: list[Heard]


class Message(BaseModel):
    """A short message. ``result``: the sendResult; its text is not kept."""

    id: str
    application: str
    binding: str | None
    at: datetime
    direction: int
    x: str
    sender: str | None
    receiver: str | None
    parts: int
    result: int


class Counts(BaseModel):
    """A day or a month. ``causes``: failed calls by cause, ``results``: messages by sendResult."""

    name: str
    calls: int
    answered: int
    seconds: float
    recorded: int
    causes: dict[int, int]
    messages: int
    parts: int
    results: dict[int, int]


class Statistics(BaseModel):
    """``by``: what the periods are."""

    by: Literal["day", "month"]
    periods: list[Counts]


def _shown(actor: Actor, number: str | None) -> str | None:
    return None if number is None else actor.shown(number)


def _cdr(actor: Actor, row: Any) -> Cdr:
    fee = json.loads(row.payload)
    names = ("session", "application", "mode", "binding", "direction", "x", "extension", "trunk", "started", "answered",
             "ended", "cause", "cause_text", "sip_status", "recording", "user_data")  # fmt: skip
    return Cdr(
        caller=_shown(actor, fee["caller"]), callee=_shown(actor, fee["callee"]), way=fee.get("way", ""),
        seconds=fee["talk_seconds"], quality=json.loads(row.quality) if row.quality else None,
        moved=fee.get("moved", []), heard=fee.get("heard", []),
        **{name: fee[name] for name in names},
    )  # fmt: skip


def _message(actor: Actor, row: Any) -> Message:
    return Message(
        id=row.id, application=row.application, binding=row.binding, at=datetime.fromtimestamp(row.at, UTC),
        direction=row.direction, x=row.x, sender=_shown(actor, row.sender), receiver=_shown(actor, row.receiver),
        parts=row.parts, result=row.result,
    )  # fmt: skip


async def _wanted(
    actor: Recorder,
    context: Context,
    application: str = "",
    x: str = "",
    number: Annotated[str, Query(description="Either real party; only for who may see real numbers.")] = "",
    since: Annotated[AwareDatetime | None, Query(description="Ended, or sent, from then on.")] = None,
    before: AwareDatetime | None = None,
    result: Annotated[int | None, Query(description="The cause of a call, the sendResult of a message.")] = None,
    answered: Annotated[bool | None, Query(description="Calls only.")] = None,
) -> Wanted:
    if number and not actor.may(Permission.REVEAL):
        raise Forbidden("Who may not see real numbers may not search by one.", "number")
    async with reading(context.engine) as connection:
        keys = await application_keys(connection, actor)
    if application:
        keys = [application] if keys is None or application in keys else []
    return Wanted(
        applications=keys, x=x.replace(" ", "+"), number=number.replace(" ", "+"), since=since, before=before,
        result=result, answered=answered,
    )  # fmt: skip


Search = Annotated[Wanted, Depends(_wanted)]


@router.get("/cdrs", summary="Search calls that are over")
async def cdrs(actor: Recorder, context: Context, wanted: Search, limit: Limit = 100, after: After = "") -> Page[Cdr]:
    """Those that ended last first."""
    async with reading(context.engine) as connection:
        query = select(cdr).where(*wanted.of_calls())
        return await page(connection, query, _CALL_ORDER, after, limit, lambda row: _cdr(actor, row))


@router.get("/messages", summary="Search short messages")
async def messages(
    actor: Recorder, context: Context, wanted: Search, limit: Limit = 100, after: After = ""
) -> Page[Message]:
    """The newest first."""
    async with reading(context.engine) as connection:
        query = select(sms_record).where(*wanted.of_messages())
        return await page(connection, query, _MESSAGE_ORDER, after, limit, lambda row: _message(actor, row))


Form = Annotated[Literal["csv", "jsonl"], Query(description="A table, or a JSON object a line.")]


@router.get("/cdrs/export", summary="Export calls", response_class=StreamingResponse)
async def export_cdrs(actor: Recorder, context: Context, wanted: Search, form: Form = "csv") -> StreamingResponse:
    """All that the search finds, however much it is."""
    query = select(cdr).where(*wanted.of_calls())
    return _stream(context, query, _CALL_ORDER, lambda row: _cdr(actor, row), Cdr, form)


@router.get("/messages/export", summary="Export short messages", response_class=StreamingResponse)
async def export_messages(actor: Recorder, context: Context, wanted: Search, form: Form = "csv") -> StreamingResponse:
    """All that the search finds, however much it is."""
    query = select(sms_record).where(*wanted.of_messages())
    return _stream(context, query, _MESSAGE_ORDER, lambda row: _message(actor, row), Message, form)


def _stream(
    context: AdminContext, query: Select[Any], order: Any, read: Callable[[Any], Any], model: type[BaseModel], form: str
) -> StreamingResponse:
    async def lines() -> AsyncIterator[str]:
        if form == "csv":
            yield ",".join(model.model_fields) + "\r\n"
        after: str | None = ""
        while after is not None:
            async with reading(context.engine) as connection:
                found: Page[Any] = await page(connection, query, order, after, 1000, read)
            yield "".join(_line(item, form) for item in found.items)
            after = found.next

    kind = "text/csv" if form == "csv" else "application/x-ndjson"
    return StreamingResponse(lines(), media_type=f"{kind}; charset=utf-8")


def _line(item: BaseModel, form: str) -> str:
    if form == "jsonl":
        return item.model_dump_json() + "\n"
    text = io.StringIO()
    values = item.model_dump(mode="json")
    for name in ("quality", "moved", "heard"):
        if values.get(name) is not None:
            values[name] = json.dumps(values[name], separators=(",", ":"))
    # A spreadsheet would take a customer's text that begins so for a formula.
    if str(values.get("user_data") or "")[:1] in {"=", "@", "-", "+", "\t"}:
        values["user_data"] = f"'{values['user_data']}"
    csv.writer(text).writerow(values.values())
    return text.getvalue()


@router.get("/cdrs/{session}", summary="One call")
async def one(actor: Recorder, context: Context, session: str) -> Cdr:
    """By its session id."""
    return _cdr(actor, await _find(actor, context, session))


async def _find(actor: Actor, context: AdminContext, session: str) -> Any:
    async with reading(context.engine) as connection:
        keys = await application_keys(connection, actor)
        row = (await connection.execute(select(cdr).where(cdr.c.session == session))).first()
    if row is None or (keys is not None and row.application not in keys):
        raise NotFound("There is no such call.", "session")
    return row


@router.get("/explain/{session}", summary="Why a call went as it did")
async def explain(actor: Recorder, context: Context, session: str) -> Explanation:
    """Of a call that is over: the binding found, the rule, the tones, the trunks, the outcome."""
    fee = json.loads((await _find(actor, context, session)).payload)
    caller, callee = (_shown(actor, fee[name]) for name in ("caller", "callee"))
    lines = [
        ("caller", caller or "withheld", None),
        ("number", f"{fee['x']}, of {fee['application'] or 'nobody'}{', ' + fee['mode'] if fee['mode'] else ''}", None),
        ("trunk", f"{fee['trunk']} in{', ' + fee['way'] + ' out' if fee.get('way') else ''}", None),
        ("extension", fee["extension"], None),
        ("binding", fee["binding"] or "none", fee["binding"] is not None),
        ("rule", fee.get("rule", ""), None),
        ("tones", fee.get("tones", ""), None),
        ("callee", f"{callee}, who saw {_shown(actor, fee['shown'])}" if callee and fee["forwarded"] else "", None),
        ("outcome", _outcome(fee), fee["answered"] is not None),
    ]  # fmt: skip
    return Explanation(lines=[Line(what=what, text=text, good=good) for what, text, good in lines if text])


def _outcome(fee: dict[str, Any]) -> str:
    why = f"{fee['cause']} {fee['cause_text']}" if fee["cause"] != Cause.NORMAL else "hung up"
    if fee["answered"] is not None:
        return f"answered, talked for {fee['talk_seconds']:.1f} s, then: {why}"
    return f"not answered: {why} (SIP {fee['sip_status']}, Q.850 {fee['q850']})"


@router.get("/statistics", summary="Calls and messages by day or month")
async def counts(
    actor: Recorder,
    context: Context,
    first: Annotated[date, Query(description="The first day.")],
    last: Annotated[date, Query(description="The last day; at most 184 days in all.")],
    application: str = "",
) -> Statistics:
    """By day up to a month, else by month; of the last two years."""
    if not timedelta() <= last - first < timedelta(days=MOST_DAYS):
        raise Invalid(f"last must lie behind first, by less than {MOST_DAYS} days.", "last")
    zone = context.settings.zone
    by_month = (last - first).days >= BY_DAY
    async with reading(context.engine) as connection:
        keys = await application_keys(connection, actor)
        if application:
            keys = [application] if keys is None or application in keys else []
        today = day_of(context.clock(), zone)
        found = await statistics(connection, first, last, today, zone, keys, by_month=by_month)
    periods = [Counts.model_validate(one, from_attributes=True) for one in found]
    return Statistics(by="month" if by_month else "day", periods=periods)
