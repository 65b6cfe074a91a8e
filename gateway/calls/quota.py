"""How much of the node each application, each of its numbers and each party may have, once its owner is known.

    limit (gateway.bindings.decisions.Limits)    cause
    calls standing of an application             TENANT_OUT_OF_PORTS
    calls standing of an X                       RATE_LIMIT_NUMBER
    calls an hour of an X                        RATE_LIMIT_NUMBER
    calls a second of an application             RATE_LIMIT_APPLICATION
    calls a minute, an hour of a caller          RATE_LIMIT_CALLER
    calls an hour of a callee                    RATE_LIMIT_CALLEE
    minutes of talk a day of an application      DURATION_LIMIT (talk_time.py)

Unlike the node's own limits (admission.py) these leave a record and events: the customer is told. A minute and an hour
slide. A call that is refused counts for none of them.
"""

from __future__ import annotations

from collections import Counter, deque

from gateway.bindings.decisions import Limits
from gateway.calls.admission import TokenBucket
from gateway.calls.talk_time import TalkTime
from gateway.causes import Cause
from gateway.numbers import PhoneNumber

_MINUTE, _HOUR = 60.0, 3600.0
_REMEMBERED = 100_000
_Key = tuple[str, str, PhoneNumber]


class Quota:
    """Counts calls from ``admit`` to ``release``."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        """Standing calls by application; ``numbers``: by application and X."""
        self.numbers: Counter[tuple[str, PhoneNumber]] = Counter()
        self.talk = TalkTime()
        self._rates: dict[str, tuple[float, TokenBucket]] = {}
        self._recent: dict[_Key, deque[float]] = {}

    def admit(
        self, limits: Limits, application: str, x: PhoneNumber, caller: PhoneNumber | None, now: float, day: str = ""
    ) -> Cause | None:
        """Count a call, or say why not. ``day``: the application's, for its minutes."""
        if limits.calls is not None and self.calls[application] >= limits.calls:
            return Cause.TENANT_OUT_OF_PORTS
        if limits.calls_per_x is not None and self.numbers[application, x] >= limits.calls_per_x:
            return Cause.RATE_LIMIT_NUMBER
        minutes = limits.minutes_per_day
        if minutes is not None and self.talk.seconds(application, day, now) >= minutes * 60:
            return Cause.DURATION_LIMIT
        bucket = self._rate(application, limits.calls_per_second)
        if bucket is not None and bucket.wait(now) > 0:
            return Cause.RATE_LIMIT_APPLICATION
        counted: list[deque[float]] = []
        for use, number, limit, length, cause in (
            ("minute", caller, limits.calls_per_caller_minute, _MINUTE, Cause.RATE_LIMIT_CALLER),
            ("hour", caller, limits.calls_per_caller_hour, _HOUR, Cause.RATE_LIMIT_CALLER),
            ("X", x, limits.calls_per_x_hour, _HOUR, Cause.RATE_LIMIT_NUMBER),
        ):
            if limit is not None and number is not None:
                recent = self._within((use, application, number), length, now)
                if len(recent) >= limit:
                    return cause
                counted.append(recent)
        for recent in counted:
            recent.append(now)
        if bucket is not None:
            bucket.take()
        self.calls[application] += 1
        self.numbers[application, x] += 1
        return None

    def admit_callee(self, limits: Limits, application: str, callee: PhoneNumber, now: float) -> Cause | None:
        """Count a call to a party, once it is known which, or say why not."""
        if limits.calls_per_callee_hour is None:
            return None
        recent = self._within(("callee", application, callee), _HOUR, now)
        if len(recent) >= limits.calls_per_callee_hour:
            return Cause.RATE_LIMIT_CALLEE
        recent.append(now)
        return None

    def release(self, application: str, x: PhoneNumber) -> None:
        """A call that was admitted is over."""
        self.calls[application] -= 1
        self.numbers[application, x] -= 1
        if not self.calls[application]:
            del self.calls[application]
        if not self.numbers[application, x]:
            del self.numbers[application, x]

    def _rate(self, application: str, rate: float | None) -> TokenBucket | None:
        if rate is None:
            self._rates.pop(application, None)
            return None
        held = self._rates.get(application)
        if held is None or held[0] != rate:
            held = self._rates[application] = (rate, TokenBucket(rate))
        return held[1]

    def _within(self, key: _Key, length: float, now: float) -> deque[float]:
        """The calls of a number within the last while; numbers are forgotten oldest first."""
        recent = self._recent.pop(key, None) or deque()
        self._recent[key] = recent
        while recent and recent[0] <= now - length:
            recent.popleft()
        while len(self._recent) > _REMEMBERED:
            del self._recent[next(iter(self._recent))]
        return recent
