"""What the management API is given to work with, and the looks at the database that several topics share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any

from sqlalchemy import ColumnElement, Row, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.admin.failures import NotFound
from gateway.admin.roles import Actor, Role
from gateway.api.ledger import Ledger
from gateway.bindings.store import BindingStore
from gateway.numbers import PhoneNumber
from gateway.phones.sheet import PhoneServer
from gateway.recordings.audio import AudioReader
from gateway.recordings.proof import Proof
from gateway.schema import application as applications
from gateway.standing import StandingBan, StandingCall, StandingTrunk
from gateway.tones.child import Converter
from media.recording.store import RecordingStore


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminSettings:
    """``address_delay``: seconds until a changed callback address acts. ``zone``: whose days statistics
    count. ``phones``: what phones are told of us. Lock-out as in the vendor's API."""

    address_delay: float = 0
    zone: tzinfo = UTC
    phones: PhoneServer | None = None
    lockout_failures: int = 10
    lockout_within: float = 300
    lockout_seconds: float = 1800


# (caller or None, called, at, extension, masked) -> (what, text, good) line by line
Explain = Callable[
    [PhoneNumber | None, PhoneNumber, datetime, str, bool], Awaitable[list[tuple[str, str, bool | None]]]
]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminContext:
    """``live_calls`` (None: no answer), ``stop_call(application, session)``, ``bans``, ``lift_bans(source)`` (all: "")
    and ``trunks`` ask the signalling process. ``wake``: rows may be due in the outbox or in the mail, or a
    trace was wanted.
    ``tone_exists(application, name)``: an approved one. ``sync_tones``: what is approved is where calls find it from
    then on. ``clock`` gives aware UTC time, ``monotonic`` seconds."""

    engine: AsyncEngine
    store: BindingStore
    ledger: Ledger
    settings: AdminSettings
    clock: Callable[[], datetime]
    monotonic: Callable[[], float]
    live_calls: Callable[[], Awaitable[list[StandingCall] | None]]
    stop_call: Callable[[str, str], Awaitable[bool]]
    bans: Callable[[], Awaitable[list[StandingBan] | None]]
    lift_bans: Callable[[str], Awaitable[list[StandingBan] | None]]
    trunks: Callable[[], Awaitable[list[StandingTrunk] | None]]
    explain: Explain
    wake: Callable[[], None]
    tone_exists: Callable[[str, str], bool]
    sync_tones: Callable[[], Awaitable[None]]
    audio: AudioReader | None = None
    recordings: RecordingStore
    proof: Proof
    converter: Converter = field(default_factory=Converter)


def own_applications(actor: Actor) -> list[ColumnElement[bool]]:
    """The condition that an application exists for the actor."""
    return [applications.c.enterprise == actor.enterprise] if actor.role is Role.TENANT else []


async def application_row(connection: AsyncConnection, actor: Actor, key: str, *, lock: bool = False) -> Row[Any]:
    """The application's row. ``lock`` it when it is to be changed. NotFound, also when it is another enterprise's."""
    query = select(applications).where(applications.c.key == key, *own_applications(actor))
    if lock:
        query = query.with_for_update()
    row = (await connection.execute(query)).first()
    if row is None:
        raise NotFound("There is no such application.", "application")
    return row


async def application_keys(connection: AsyncConnection, actor: Actor) -> Collection[str] | None:
    """The keys of a tenant's applications, or None for who sees all."""
    if actor.role is not Role.TENANT:
        return None
    return list((await connection.execute(select(applications.c.key).where(*own_applications(actor)))).scalars())
