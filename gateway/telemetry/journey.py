"""What a call did, step by step, gathered from what the exchange and the media workers say anyway.

    look-up        Resolve, until the call goes on with the decision                 once more for each extension
    question       Consult, until the customer's server has said whom to call        X mode
    caller         its INVITE, until it was answered or refused
    callee         our INVITE, until it was answered; ``rang_after``: seconds until its 180
    tone           a tone or a notice as it was really heard: from its first to its last packet
    talk           from the answer to the end
    recording      from its beginning to the end of the call

Nothing waits for any of it, and a call's journey is handed out once, when it is over. No number of anybody is in it: X
prints masked like every other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from gateway.calls.outputs import CallClosed, CallOpened, Consult, Publish, Resolve
from gateway.calls.record import CallRecord
from gateway.causes import Cause
from media.control import CALLER, Played

MOST = 20_000
"""Calls that are followed at once."""
Value = str | int | float | bool


class Step(msgspec.Struct, frozen=True):
    """A part of a call: epoch seconds. ``failed``: why it came to nothing, or ""."""

    name: str
    begin: float
    end: float
    said: dict[str, Value] = {}
    failed: str = ""


class Journey(msgspec.Struct, frozen=True, tag=True):
    """A call that is over: its first step is the whole."""

    session: str
    steps: list[Step]


class _Draft:
    __slots__ = ("asked", "steps")

    def __init__(self) -> None:
        self.asked: tuple[str, float] | None = None
        self.steps: list[tuple[str, float, float, dict[str, Value]]] = []


class Journeys:
    """``send`` gets each call's when it is over; ``clock`` gives seconds, which ``wall`` turns into epoch seconds."""

    def __init__(
        self, send: Callable[[Journey], None], clock: Callable[[], float], wall: Callable[[float], float]
    ) -> None:
        self._send = send
        self._clock = clock
        self._wall = wall
        self._drafts: dict[str, _Draft] = {}

    def __len__(self) -> int:
        return len(self._drafts)

    def see(self, outputs: Sequence[object]) -> None:
        """What the exchange has handed out."""
        for output in outputs:
            match output:
                case Resolve(call, at=at):
                    self._ask(call, "look-up", at)
                case Consult(call):
                    self._ask(call, "question", self._clock())
                case CallOpened(call) | Publish(call):
                    self._answered(call)
                case CallClosed(call, record):
                    self._answered(call)
                    self._close(call, record)
                case _:
                    pass

    def heard(self, report: object) -> None:
        """What a media worker has said."""
        if isinstance(report, Played) and report.started:
            draft = self._drafts.get(report.session)
            if draft is not None:
                leg = "caller" if report.leg == CALLER else "callee"
                said: dict[str, Value] = {"leg": leg, "completed": report.completed}
                draft.steps.append((f"tone {report.play}", report.started, report.ended, said))

    def _ask(self, call: str, what: str, at: float) -> None:
        draft = self._drafts.get(call)
        if draft is None:
            if len(self._drafts) >= MOST:
                return
            draft = self._drafts[call] = _Draft()
        draft.asked = what, at

    def _answered(self, call: str) -> None:
        draft = self._drafts.get(call)
        if draft is not None and draft.asked is not None:
            what, at = draft.asked
            draft.asked = None
            draft.steps.append((what, at, self._clock(), {}))

    def _close(self, call: str, record: CallRecord) -> None:
        draft = self._drafts.pop(call, None)
        if draft is None or record.ended is None:
            return
        failed = "" if record.cause in (None, Cause.NORMAL) or record.cause is None else record.cause.text
        steps = [self._step("call", record.started, record.ended, whole(record), failed)]
        steps += [self._step(*one) for one in draft.steps]
        unanswered = "" if record.answered is not None else failed or "not answered"
        answered = record.ended if record.answered is None else record.answered
        steps.append(self._step("caller", record.started, answered, {"trunk": record.trunk}, unanswered))
        if record.forwarded is not None:
            said: dict[str, Value] = {"trunk": record.way}
            if record.rang is not None:
                said["rang_after"] = round(record.rang - record.forwarded, 3)
            steps.append(self._step("callee", record.forwarded, answered, said, unanswered))
        if record.answered is not None:
            steps.append(self._step("talk", record.answered, record.ended))
        if record.record_started is not None:
            trouble = record.record_trouble
            steps.append(
                self._step("recording", record.record_started, record.ended, {"kept": record.recorded}, trouble)
            )
        self._send(Journey(record.session, steps))

    def _step(
        self, name: str, begin: float, end: float, said: dict[str, Value] | None = None, failed: str = ""
    ) -> Step:
        return Step(name, self._wall(begin), self._wall(max(begin, end)), said or {}, failed)


def whole(record: CallRecord) -> dict[str, Value]:
    """What is said of a call as a whole."""
    said: dict[str, Any] = {
        "application": record.application,
        "mode": record.mode,
        "x": str(record.x),
        "direction": record.direction,
        "trunk.in": record.trunk,
        "trunk.out": record.way,
        "answered": record.answered is not None,
        "talk_seconds": round(record.talk_seconds, 3),
        "cause": None if record.cause is None else int(record.cause),
        "cause_text": None if record.cause is None else record.cause.text,
        "sip_status": record.sip_status or None,
        "q850": record.q850 or None,
        "recorded": record.recorded,
    }
    for leg in ("caller", "callee"):
        heard = (record.quality or {}).get(leg) or {}
        said |= {f"{leg}.{name}": heard.get(name) for name in ("mos", "lost", "jitter_ms", "round_trip_ms")}
    return {name: value for name, value in said.items() if value is not None and value != ""}
