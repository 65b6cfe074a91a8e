"""Two brakes on the API: a source that keeps failing to sign is locked out, an application is held to its rate.

Both are pure: ``now`` is monotonic seconds. Memory is bounded: sources are forgotten oldest first, buckets exist only
for applications that have signed rightly.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address, ip_network


@dataclass(slots=True)
class _Source:
    failures: deque[float] = field(default_factory=deque)
    locked_until: float = 0.0


class Lockout:
    """``failures`` wrong signatures within ``within`` seconds lock a source for ``seconds``."""

    def __init__(self, failures: int = 10, within: float = 300, seconds: float = 1800, capacity: int = 10_000) -> None:
        self.failures = failures
        self.within = within
        self.seconds = seconds
        self._capacity = capacity
        self._sources: dict[str, _Source] = {}

    def locked(self, source: str, now: float) -> bool:
        """Whether ``source`` must wait."""
        entry = self._sources.get(source)
        return entry is not None and now < entry.locked_until

    def failed(self, source: str, now: float) -> None:
        """Count one wrong signature of ``source``."""
        entry = self._sources.pop(source, None) or _Source()
        self._sources[source] = entry
        entry.failures.append(now)
        while entry.failures[0] <= now - self.within:
            entry.failures.popleft()
        if len(entry.failures) >= self.failures:
            entry.locked_until = now + self.seconds
            entry.failures.clear()
        while len(self._sources) > self._capacity:
            del self._sources[next(iter(self._sources))]


class RateLimit:
    """A token bucket for each key: ``per_second`` requests, as many in one burst."""

    def __init__(self, per_second: float) -> None:
        self.per_second = per_second
        self._buckets: dict[str, tuple[float, float]] = {}

    def admits(self, key: str, now: float) -> bool:
        """Take one token of ``key``; False when there is none."""
        size = max(1.0, self.per_second)
        tokens, at = self._buckets.get(key, (size, now))
        tokens = min(size, tokens + (now - at) * self.per_second)
        admitted = tokens >= 1.0
        self._buckets[key] = (tokens - 1.0 if admitted else tokens, now)
        return admitted


def counted_source(source: str) -> str:
    """What failures count against: an address, but of an IPv6 source its /64, which is one customer's."""
    try:
        address = ip_address(source)
    except ValueError:
        return source
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return str(ip_network((address, 64), strict=False))
    return source
