"""What a scenario has come to, in virtual time or on a real node: requests to the customer's server, calls, replies."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.lab.checks import Check
from gateway.lab.phone import Phone
from gateway.numbers import PhoneNumber
from gateway.scenarios.form import CallForm, MessageForm
from gateway.scenarios.scenario import Scenario


@dataclass(frozen=True, slots=True)
class Event:
    """What one request told: ``kind`` as the vendor calls it, and its fields. ``asked``: it was a question."""

    at: float
    kind: str
    fields: dict[str, Any]
    asked: bool = False

    @property
    def session(self) -> str:
        """Of which call, or which short message."""
        return str(self.fields.get("sessionId") or self.fields.get("smsIdentifier", ""))


@dataclass(frozen=True, slots=True)
class Push:
    """One request to the customer's server as it went out, and the status that came back (None: why there is none)."""

    at: float
    url: str
    headers: dict[str, str]
    body: bytes
    status: int | None
    error: str = ""
    answer: str = ""

    @property
    def ok(self) -> bool:
        """Only 2xx is success."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def json(self) -> dict[str, Any]:
        """The body."""
        said: dict[str, Any] = json.loads(self.body)
        return said

    def events(self) -> Iterator[Event]:
        """What it tells: several CDRs may go in one."""
        body = self.json
        rows = body.get("feeLst") or body.get("numInfo") or [body.get("statusInfo") or body.get("smsEvent") or {}]
        for row in rows:
            blocked = "Block" in (row.get("notifyMode"), row.get("notificationMode")) and "feeLst" not in body
            yield Event(self.at, body.get("eventType", "sms"), row, blocked)


@dataclass(slots=True)
class PlayedCall:
    """One call of a scenario. ``session`` "" until the node has taken it; ``by``: the trunk that the callee was reached
    by; ``checks``: of one that is played alone."""

    form: CallForm
    caller: Phone
    number: PhoneNumber | None
    callee: Phone | None = None
    reached: PhoneNumber | None = None
    session: str = ""
    by: str = ""
    events: list[Event] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    stall: float = 0.0
    """For how long somebody else may have kept packets waiting: real time."""

    @property
    def kinds(self) -> list[str]:
        """What the customer was told, in its order."""
        return [event.kind for event in self.events]

    @property
    def cdr(self) -> dict[str, Any]:
        """The CDR; {} where there is none."""
        return next((event.fields for event in self.events if event.kind == "fee"), {})

    def told(self, kind: str) -> dict[str, Any]:
        """The fields of the first event of a kind; {} where there is none."""
        return next((event.fields for event in self.events if event.kind == kind), {})


@dataclass(frozen=True, slots=True)
class Arrival:
    """A MESSAGE at a carrier."""

    at: float
    by: str
    receiver: PhoneNumber
    text: str
    data: bytes


@dataclass(slots=True)
class PlayedMessage:
    """A short message of a scenario. ``status``: the node's answer to its sender; ``arrivals``: what came of it."""

    form: MessageForm
    sender: PhoneNumber | None
    x: PhoneNumber
    at: float
    session: str = ""
    status: int | None = None
    arrivals: list[Arrival] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    @property
    def notice(self) -> dict[str, Any]:
        """What the customer was told of it; {} when nothing."""
        return next((event.fields for event in self.events if not event.asked), {})


@dataclass(slots=True)
class Played:
    """A scenario that was played. ``began`` and ``seconds``: when, and how long it took, in the scenario's time."""

    scenario: Scenario
    began: float = 0.0
    seconds: float = 0.0
    calls: list[PlayedCall] = field(default_factory=list)
    messages: list[PlayedMessage] = field(default_factory=list)
    pushes: list[Push] = field(default_factory=list)
    replies: list[dict[str, Any]] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether everything was as expected."""
        return all(check.passed for check in self.checks)

    @property
    def failures(self) -> list[str]:
        """What was not, a line each."""
        return [f"{check.name}: {check.measured}" for check in self.checks if not check.passed]

    @property
    def events(self) -> list[Event]:
        """What the customer was told of all calls, in the order in which it went out; what was sent again once."""
        return told(self.pushes)

    def sort_events(self) -> None:
        """Give each call its own."""
        events = self.events
        ours: list[PlayedCall | PlayedMessage] = [*self.calls, *self.messages]
        for one in ours:
            one.events = [event for event in events if one.session and event.session == one.session]


def told(pushes: Sequence[Push]) -> list[Event]:
    """The events of what was sent, each once."""
    seen: set[tuple[str, str, bool]] = set()
    events = []
    for push in pushes:
        for event in push.events():
            if (event.session, event.kind, event.asked) not in seen:
                seen.add((event.session, event.kind, event.asked))
                events.append(event)
    return events
