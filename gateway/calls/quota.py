"""How much of the node each application, each of its X and each caller may have, once it is known whose call it is.

    limit (gateway.bindings.decisions.Limits)    cause
    calls standing of an application             TENANT_OUT_OF_PORTS
    calls a second of an application             RATE_LIMIT_APPLICATION
    calls standing of an X                       RATE_LIMIT_NUMBER
    calls a minute of a caller                   RATE_LIMIT_CALLER

Unlike the node's own limits (admission.py) these leave a record and events: the customer is told.
"""

from __future__ import annotations

from collections import Counter, deque

from gateway.bindings.decisions import Limits
from gateway.calls.admission import TokenBucket
from gateway.causes import Cause
from gateway.numbers import PhoneNumber

_MINUTE = 60.0
_REMEMBERED_CALLERS = 100_000


class Quota:
    """Counts calls from ``admit`` to ``release``."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        """Standing calls by application; ``numbers``: by application and X."""
        self.numbers: Counter[tuple[str, PhoneNumber]] = Counter()
        self._rates: dict[str, tuple[float, TokenBucket]] = {}
        self._callers: dict[tuple[str, PhoneNumber], deque[float]] = {}

    def admit(
        self, limits: Limits, application: str, x: PhoneNumber, caller: PhoneNumber | None, now: float
    ) -> Cause | None:
        """Count a call, or say why not."""
        if limits.calls is not None and self.calls[application] >= limits.calls:
            return Cause.TENANT_OUT_OF_PORTS
        if limits.calls_per_x is not None and self.numbers[application, x] >= limits.calls_per_x:
            return Cause.RATE_LIMIT_NUMBER
        bucket = self._rate(application, limits.calls_per_second)
        if bucket is not None and bucket.wait(now) > 0:
            return Cause.RATE_LIMIT_APPLICATION
        if limits.calls_per_caller_minute is not None and caller is not None:
            recent = self._recent((application, caller), now)
            if len(recent) >= limits.calls_per_caller_minute:
                return Cause.RATE_LIMIT_CALLER
            recent.append(now)
        if bucket is not None:
            bucket.take()
        self.calls[application] += 1
        self.numbers[application, x] += 1
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

    def _recent(self, key: tuple[str, PhoneNumber], now: float) -> deque[float]:
        """The calls of a caller within the last minute; callers are forgotten oldest first."""
        recent = self._callers.pop(key, None) or deque()
        self._callers[key] = recent
        while recent and recent[0] <= now - _MINUTE:
            recent.popleft()
        while len(self._callers) > _REMEMBERED_CALLERS:
            del self._callers[next(iter(self._callers))]
        return recent
