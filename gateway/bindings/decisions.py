"""What a look-up found, and what routing makes of it: values that the call path carries out.

Connect         call the callee
Collect         AXE: ask the caller for an extension, then look up again
Ask             X mode: ask the customer's server
Reject          no second leg
NeedsRelation   AXYB: make a relation, then route again
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from gateway.bindings.models import Application, Binding, Mode, Number, TemporaryCallee
from gateway.causes import Cause
from gateway.numbers import PhoneNumber


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the database knows of one caller and one X. ``bindings``: candidates, for AX the one of X.

    ``has_lists``: black or white lists have to be asked as well (gateway.bindings.lists).
    """

    number: Number | None = None
    application: Application | None = None
    bindings: tuple[Binding, ...] = ()
    temporary: TemporaryCallee | None = None
    last_caller: PhoneNumber | None = None
    last_called_at: datetime | None = None
    has_lists: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much of a node an application, its numbers and parties may have (models.Application); None: no limit."""

    calls: int | None = None
    calls_per_second: float | None = None
    calls_per_x: int | None = None
    calls_per_caller_minute: int | None = None
    calls_per_caller_hour: int | None = None
    calls_per_callee_hour: int | None = None
    calls_per_x_hour: int | None = None
    minutes_per_day: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingRules:
    """``required``: a call that can't be recorded, though it shall be, ends. ``notice_first``: nobody is recorded, or
    hears the other, before both have heard the notice."""

    required: bool = False
    notice_first: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Connect:
    """Call ``callee`` and show ``shown``. ``direction`` is the CDR's: 1 A calls, 0 A is called.

    Tone names are "" for none; ``max_seconds`` counts from the answer, 0 for no limit. ``consumes_temporary`` and
    ``remember_caller``: what ``BindingStore.note_talked`` has to do once the call was answered. ``callee_tone`` is
    played to the callee alone at the answer. ``rule``: why, in one sentence without numbers.
    """

    binding: str | None
    application: str
    mode: Mode
    direction: int
    callee: PhoneNumber
    shown: PhoneNumber
    waiting_tone: str = ""
    callee_tone: str = ""
    notice: str = ""
    record: bool = False
    last_minute: str = ""
    max_seconds: int = 0
    user_data: str | None = None
    consumes_temporary: bool = False
    remember_caller: bool = False
    limits: Limits = Limits()
    recording: RecordingRules = RecordingRules()
    rule: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    """No second leg. ``tone``: what kind of tone explains it (gateway.calls.settings.ToneFiles), or ""; ``file``: the
    customer's own file instead, or ""."""

    cause: Cause
    tone: str = ""
    file: str = ""
    application: str | None = None
    mode: Mode | None = None
    binding: str | None = None
    user_data: str | None = None
    rule: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collect:
    """AXE: ask the caller for an extension of at most ``length`` digits, ``tries`` times; then look up again.

    ``tones``: the application's files by kind.
    """

    application: str
    mode: Mode
    length: int
    tries: int
    tones: Mapping[str, str] = field(default_factory=dict)
    binding: None = None
    user_data: None = None
    limits: Limits = Limits()
    rule: str = "Somebody calls X: the extension says who is reached."


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """X mode: the customer's server decides."""

    application: str
    mode: Mode
    binding: None = None
    user_data: None = None
    limits: Limits = Limits()
    recording: RecordingRules = RecordingRules()
    rule: str = "The customer's server decides."


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedsRelation:
    """AXYB: ``caller`` has no Y yet. Make the relation (BindingStore.relate) and route again."""

    application: Application
    ax: Binding
    caller: PhoneNumber


Decision = Connect | Collect | Ask | Reject


def limits_of(application: Application) -> Limits:
    """The application's part in the node's quota."""
    return Limits(
        calls=application.max_calls,
        calls_per_second=application.calls_per_second,
        calls_per_x=application.max_calls_per_x,
        calls_per_caller_minute=application.calls_per_caller_minute,
        calls_per_caller_hour=application.calls_per_caller_hour,
        calls_per_callee_hour=application.calls_per_callee_hour,
        calls_per_x_hour=application.calls_per_x_hour,
        minutes_per_day=application.minutes_per_day,
    )


def rules_of(application: Application) -> RecordingRules:
    """How the application's calls are recorded."""
    return RecordingRules(required=application.recording_required, notice_first=application.notice_first)


def barred_by(cause: Cause, decision: Decision) -> Reject:
    """What routing lets through and a list, a limit or a bar does not."""
    return Reject(
        cause=cause,
        tone="no_permission" if cause is Cause.NO_PERMISSION else "failed",
        application=decision.application,
        mode=decision.mode,
        binding=decision.binding,
        user_data=decision.user_data,
        rule="A list, a limit or a bar is against it.",
    )
