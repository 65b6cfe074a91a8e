"""The values of the binding database. Times are aware UTC datetimes; names of tone files are "" where there is none.

A, B, X and Y are numbers, E is an extension of X (privatenumber.md sections 0 and 2 to 4):

    AXB   A and B reach each other through X
    AX    everybody but A reaches A through X; A reaches the temporary callee, or who called him last
    AXE   everybody but A reaches A through X and E; A reaches who called him last, or a number that was given for it
    AXYB  B reaches A through X, A reaches B through Y; a Y is given to every B that calls
    X     the customer's server says, call by call, who is reached
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any

from gateway.numbers import PhoneNumber


class Mode(StrEnum):
    """What an application's numbers do; an application has exactly one."""

    AXB = "AXB"
    AX = "AX"
    AXE = "AXE"
    AXYB = "AXYB"
    X = "X"


class Direction(IntEnum):
    """callDirection: who may call."""

    BOTH = 0
    FROM_A = 1
    TO_A = 2


class NumberStatus(IntEnum):
    """State of an X (privatenumber.md section 10). SUSPENDED and UNAVAILABLE stop binding, calls and messages."""

    NORMAL = 5
    SUSPENDED = 9
    UNAVAILABLE = 10
    FROZEN = 11

    @property
    def carries_calls(self) -> bool:
        """FROZEN takes no new binding, but those it has work."""
        return self in (NumberStatus.NORMAL, NumberStatus.FROZEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPolicy:
    """What happens in a call of a binding. ``max_minutes``: from the answer, 0 for no limit."""

    record: bool = False
    notice: str = ""
    tone_for_a: str = ""
    tone_for_others: str = ""
    last_minute: str = ""
    max_minutes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """AXE: what A reaches by calling X when nobody has called him for ``seconds`` (0: since ever): ``number``, else
    ``tone`` and the end (privatenumber.md section 4.1)."""

    tone: str = ""
    number: PhoneNumber | None = None
    seconds: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """One binding. ``duration`` in seconds, None for never; ``expires_at`` restarts when the duration is changed.

    ``b``: AXB, and in AXYB the B of a relation. ``show_caller`` (None: never set) and ``switched_on`` matter where
    strangers call A. ``extension`` is AXE's E and ``callback`` AXE's too. AXYB: one binding of A and X, and a further
    one for each relation, with ``b``, ``y`` and ``parent``, the id of the first. ``extra``: what only the API shows.
    """

    id: str
    application: str
    mode: Mode
    x: PhoneNumber
    a: PhoneNumber
    b: PhoneNumber | None = None
    direction: Direction = Direction.BOTH
    created_at: datetime
    duration: int | None = None
    expires_at: datetime | None = None
    policy: CallPolicy = CallPolicy()
    sms: bool = True
    switched_on: bool = True
    show_caller: bool | None = None
    user_data: str | None = None
    extension: str = ""
    y: PhoneNumber | None = None
    parent: str | None = None
    callback: Callback | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def live(self, at: datetime) -> bool:
        """Whether the binding counts at ``at``; at its last instant it does no longer."""
        return self.expires_at is None or at < self.expires_at


@dataclass(frozen=True, slots=True, kw_only=True)
class TemporaryCallee:
    """Whom A's next call to X reaches (privatenumber.md section 2.5)."""

    binding: str
    callee: PhoneNumber
    expires_at: datetime
    user_data: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """One customer application. ``signature``: header generation of our callbacks, WSSE, AKSK or both.

    ``tones``: files by use (see gateway.calls.settings.ToneFiles). Limits are None for none: calls standing and calls a
    second of the application, calls standing of one X, calls a minute of one caller, calls an hour of one
    caller, callee and X, minutes of talk a day of the application. ``hours``: "08:00-22:00" when
    calls are let through, "" always, by the clock of ``time_zone``. ``bind_hours``: life of an AXE binding that names
    none, 0 for ever. ``suspended``: the
    enterprise that it belongs to is. ``recording_required``, ``notice_first``: see gateway.calls.talking.
    ``recording_form`` (wav, flac) and ``recording_days``: how, and how long, recordings are kept; "" and None: as the
    node says.
    """

    key: str
    secret: str
    mode: Mode
    enabled: bool = True
    frozen: bool = False
    suspended: bool = False
    recording: bool = False
    recording_required: bool = False
    recording_form: str = ""
    recording_mono: bool = False
    recording_days: int | None = None
    notice_first: bool = False
    sms: bool = False
    memory_callback: bool = False
    status_url: str = ""
    callin_url: str = ""
    fee_url: str = ""
    sms_url: str = ""
    sms_control_url: str = ""
    number_status_url: str = ""
    push_number_status: bool = False
    signature: str = "WSSE"
    account: str = ""
    private_callbacks: bool = False
    allowed_ips: tuple[str, ...] = ()
    notice: str = ""
    waiting: str = ""
    tones: Mapping[str, str] = field(default_factory=dict)
    extension_length: int = 4
    extension_tries: int = 3
    max_extensions: int = 9999
    bind_hours: int = 0
    may_show_caller: bool = True
    registered_only: bool = False
    max_calls: int | None = None
    calls_per_second: float | None = None
    max_calls_per_x: int | None = None
    calls_per_caller_minute: int | None = None
    calls_per_caller_hour: int | None = None
    calls_per_callee_hour: int | None = None
    calls_per_x_hour: int | None = None
    minutes_per_day: int | None = None
    hours: str = ""
    time_zone: str = "Asia/Shanghai"
    sms_content: bool = False
    keywords_required: tuple[str, ...] = ()
    keywords_forbidden: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Without the secret."""
        return f"<Application {self.key} {self.mode}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """An X number and its owner. ``area_code`` as dialled in China (``0755``); "" where unknown."""

    x: PhoneNumber
    application: str
    area_code: str = ""
    province: str = ""
    status: NumberStatus = NumberStatus.NORMAL
    sms: bool = True
