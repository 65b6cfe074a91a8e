"""The values of the binding database. Times are aware UTC datetimes; names of tone files are "" where there is none.

A, B and X are numbers. In AXB, A and B reach each other through X; in AX everybody but A reaches A through X, and A
reaches the temporary callee (privatenumber.md sections 0, 2 and 3).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum

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
class Binding:
    """One binding. ``duration`` in seconds, None for never; ``expires_at`` restarts when the duration is changed.

    ``b``: AXB only. ``show_caller`` and ``switched_on`` matter to AX only; ``show_caller`` None: never set.
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
    """One customer application. ``signature``: header generation of our callbacks, WSSE, AKSK or both."""

    key: str
    secret: str
    mode: Mode
    enabled: bool = True
    frozen: bool = False
    recording: bool = False
    sms: bool = False
    memory_callback: bool = False
    status_url: str = ""
    fee_url: str = ""
    sms_url: str = ""
    signature: str = "WSSE"
    account: str = ""
    private_callbacks: bool = False
    allowed_ips: tuple[str, ...] = ()
    notice: str = ""
    waiting: str = ""

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
