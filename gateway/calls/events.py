"""What a call tells the world while it happens: six neutral events, in the order of a call.

    CallIn        the call has reached X                       caller = who dialled (None: withheld), called = X
    Collected     AXE: the extension that counted              as CallIn
    CallOut       the callee's leg is started                  caller = the number shown (X),         called = callee
    Alerting      the callee's phone rings (a 180; may miss)   as CallOut
    Answered      the callee answered                          as CallOut
    Disconnected  the call is over; exactly once, always last  as the last event before it

Numbers follow privatenumber.md section 6: before ``CallOut`` they are those of the first leg, from it on those of the
second. ``application`` is empty when X belongs to no application (or nobody could be asked): nobody is told then, but
the events still come, so that whoever counts them counts every call.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.causes import Cause
from gateway.numbers import PhoneNumber


@dataclass(frozen=True, slots=True, kw_only=True)
class _Event:
    """``session`` is the public session id, ``at`` monotonic seconds; ``binding`` and ``user_data`` of the binding."""

    session: str
    application: str
    at: float
    caller: PhoneNumber | None
    called: PhoneNumber
    binding: str | None = None
    user_data: str | None = None
    mode: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallIn(_Event):
    """A call has reached X and its binding has been looked up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected(_Event):
    """The caller has dialled an extension: the right one, or the last wrong one."""

    digits: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOut(_Event):
    """The INVITE to the callee is on its way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerting(_Event):
    """The callee's phone rings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered(_Event):
    """The callee answered; talk time counts from here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disconnected(_Event):
    """The call is over, for ``cause`` (its ``text`` is the sentence for the customer)."""

    cause: Cause


Event = CallIn | Collected | CallOut | Alerting | Answered | Disconnected
