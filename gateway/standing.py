"""Calls, bans and trunks as they are shown to people: what the signalling process tells the web process of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import msgspec

from gateway.sip.gate import Ban


class StandingSound(msgspec.Struct, frozen=True, kw_only=True):
    """How a leg's party was heard in the last 5 s (gateway.calls.quality); None: unknown, or it sent nothing."""

    mos: float | None
    lost_percent: float
    jitter_ms: int
    round_trip_ms: int | None
    far_mos: float | None


Sound = tuple[StandingSound, StandingSound]


class StandingCall(msgspec.Struct, frozen=True, kw_only=True):
    """``state`` is that of gateway.calls.phase; numbers are E.164 text, "" where unknown; times epoch seconds."""

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
    started: float
    answered: float | None
    recorded: bool
    sound: Sound | None = None
    """Of caller and callee; None in the first 5 s."""


class StandingBan(msgspec.Struct, frozen=True, kw_only=True):
    """A source that the door keeps out (gateway.sip.gate); times epoch seconds."""

    source: str
    why: str
    since: float
    until: float


class StandingPeer(msgspec.Struct, frozen=True, kw_only=True):
    """A peer of a trunk. ``state``: up, down, unknown, not asked; ``rests_until``: epoch seconds, None when it doesn't.
    ``silent``: it did not answer a call a moment ago."""

    hop: str
    state: str
    rests_until: float | None
    silent: bool


class StandingTrunk(msgspec.Struct, frozen=True, kw_only=True):
    """A trunk (gateway.calls.trunk_status). ``registration``: registered, not registered, unregistered, or "" for none;
    ``account_problem``: refused, realm, or ""."""

    name: str
    peers: list[StandingPeer]
    registration: str
    registered_until: float | None
    registration_status: int
    account_problem: str
    calls_in: int
    calls_out: int


def shown(ban: Ban, wall: Callable[[float], datetime]) -> StandingBan:
    """A ban, with its monotonic times on the wall clock."""
    return StandingBan(
        source=ban.source, why=ban.why, since=wall(ban.since).timestamp(), until=wall(ban.until).timestamp()
    )
