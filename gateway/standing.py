"""Calls and bans that stand, as they are shown to people: what the signalling process tells the web process of them."""

from __future__ import annotations

import msgspec


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


class StandingBan(msgspec.Struct, frozen=True, kw_only=True):
    """A source that the door keeps out (gateway.sip.gate); times epoch seconds."""

    source: str
    why: str
    since: float
    until: float
