"""Timed switches, and the messages of the calls that they match. Pure; everything in it is bounded.

    kind     value            matches
    number   E.164            calls in which it is the caller, X, the number shown or the callee
    call     session id       that call, from now on
    next     ""               the next ``calls`` calls that come in

The callee's number is known only after the look-up, so while a number is looked for, the first messages of every call
are held back until they are wanted or not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import msgspec

from gateway.tracing.messages import Seen, begins_call
from gateway.tracing.threads import Known

MOST_CALLS = 2000
MOST_MESSAGES = 500
MOST_HELD = 64
LATE_SECONDS = 40.0


class Switch(msgspec.Struct, frozen=True):
    """``until``: UTC epoch seconds. ``calls``: how many calls it may match."""

    id: str
    kind: str
    value: str
    until: float
    calls: int

    def __repr__(self) -> str:
        """The value may be a number."""
        return f"<Switch {self.id} {self.kind}>"


@dataclass(frozen=True, slots=True)
class Parties:
    """The numbers of a call as far as they are known, E.164; ``complete``: no more will come."""

    numbers: frozenset[str]
    complete: bool


@dataclass(frozen=True, slots=True)
class Kept:
    """A message to be stored. ``order``: its place in the trace of its call."""

    session: str
    switch: str
    order: int
    side: int
    seen: Seen


class _Call:
    __slots__ = ("count", "held", "last", "switch", "unwanted")

    def __init__(self) -> None:
        self.switch = ""
        self.last = 0.0
        self.unwanted = False
        self.held: list[tuple[int, Seen]] = []
        self.count = 0


class Recorder:
    """``parties(session)``: of a call that stands; None when it does not. ``dropped``: messages beyond the bounds."""

    def __init__(self, parties: Callable[[str], Parties | None]) -> None:
        self._parties = parties
        self._switches: dict[str, Switch] = {}
        self._used: dict[str, int] = {}
        self._calls: dict[str, _Call] = {}
        self._traced: set[str] = set()
        self.dropped = 0

    @property
    def active(self) -> bool:
        """Whether any message may be wanted."""
        return bool(self._switches or self._traced)

    @property
    def switches(self) -> int:
        """How many are on."""
        return len(self._switches)

    def switch(self, switches: Iterable[Switch]) -> None:
        """These are on from now on, and no others. What is being traced goes on to its end."""
        self._switches = {one.id: one for one in switches}
        self._used = {id: self._used.get(id, 0) for id in self._switches}
        for call in self._calls.values():
            # What was not wanted under the old switches may be under the new ones.
            call.unwanted = False

    def see(self, known: Known, seen: Seen, now: float) -> list[Kept]:
        """A message of a call; what is to be stored. ``now``: UTC epoch seconds."""
        session, side = known
        self._expire(now)
        call = self._calls.get(session)
        if call is None:
            if not self._switches:
                return []
            while len(self._calls) >= MOST_CALLS:
                self._forget(next(iter(self._calls)))
            call = self._calls[session] = _Call()
        call.last = now
        if not call.switch:
            if call.unwanted:
                return []
            self._choose(session, call, seen)
        if call.switch:
            return self._keep(session, call, side, seen)
        if not call.unwanted and len(call.held) < MOST_HELD:
            call.held.append((side, seen))
        return []

    def tidy(self, stands: Callable[[str], bool], now: float) -> None:
        """Called now and then: switches whose time is up, and calls that are over and have nothing late to say."""
        self._expire(now)
        for session, call in list(self._calls.items()):
            if call.last < now - LATE_SECONDS and not stands(session):
                self._forget(session)

    def _expire(self, now: float) -> None:
        for id in [id for id, one in self._switches.items() if one.until <= now]:
            del self._switches[id]

    def _forget(self, session: str) -> None:
        del self._calls[session]
        self._traced.discard(session)

    def _keep(self, session: str, call: _Call, side: int, seen: Seen) -> list[Kept]:
        kept = []
        for one_side, one in (*call.held, (side, seen)):
            if call.count >= MOST_MESSAGES:
                self.dropped += 1
                continue
            kept.append(Kept(session, call.switch, call.count, one_side, one))
            call.count += 1
        call.held.clear()
        return kept

    def _choose(self, session: str, call: _Call, seen: Seen) -> None:
        fresh = not call.held and begins_call(seen)
        numbers = False
        for id, one in self._switches.items():
            if self._used[id] >= one.calls:
                continue
            if one.kind == "number":
                numbers = True
                parties = self._parties(session)
                wanted = parties is not None and one.value in parties.numbers
            else:
                wanted = session == one.value if one.kind == "call" else fresh
            if wanted:
                self._used[id] += 1
                call.switch = id
                self._traced.add(session)
                return
        parties = self._parties(session)
        if not numbers or parties is None or parties.complete:
            call.unwanted = True
            call.held.clear()
