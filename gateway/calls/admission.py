"""Who may place calls, and how many: known before a call takes any memory.

A source address belongs to the first trunk whose ``allow`` holds it; any other is not answered at all (pains.md P34).
Calls in progress (channels.py) and new calls per second are limited for the node and for each trunk; what exceeds a
limit is answered 503 with Retry-After and leaves no record, since nobody has asked yet whose X it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from gateway.calls.channels import Channels
from gateway.calls.settings import ExchangeSettings, TrunkSettings
from gateway.sip.hop import Hop

_REMEMBERED_SOURCES = 4096


class TokenBucket:
    """``rate`` tokens a second, at most ``burst`` kept (default: one second's worth, at least one)."""

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, rate: float, burst: float | None = None) -> None:
        self._rate = rate
        self._burst = max(1.0, rate) if burst is None else burst
        self._tokens = self._burst
        self._at: float | None = None

    def wait(self, now: float) -> float:
        """Seconds until a token is there; 0: it is."""
        if self._at is not None:
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        return 0.0 if self._tokens >= 1.0 else (1.0 - self._tokens) / self._rate

    def take(self) -> None:
        """Use the token that ``wait`` has found."""
        self._tokens -= 1.0


@dataclass(frozen=True, slots=True)
class Refusal:
    """``limit`` names what was reached, for the counters; ``retry_after`` whole seconds for the header."""

    limit: str
    retry_after: int


class Admission:
    """The limits of a node and of its trunks."""

    def __init__(self, settings: ExchangeSettings, channels: Channels) -> None:
        self._channels = channels
        self._trunks = settings.trunks
        self._any_secure = any(trunk.secure for trunk in settings.trunks)
        self._max_calls = settings.max_calls
        self._node_rate = _bucket(settings.calls_per_second)
        self._phones = None if settings.phones is None else settings.phones.trunk
        limited = settings.trunks if self._phones is None else (*settings.trunks, self._phones)
        self._rates = {trunk.name: _bucket(trunk.calls_per_second) for trunk in limited}
        self._sources: dict[str, TrunkSettings | None] = {}

    @property
    def calls(self) -> int:
        """Calls admitted and not yet released."""
        return self._channels.inward.total()

    def calls_of(self, trunk: str) -> int:
        """Those that came by a trunk."""
        return self._channels.inward[trunk]

    def trunk_of(self, host: str) -> TrunkSettings | None:
        """The trunk that an IP literal belongs to."""
        if host not in self._sources:
            if len(self._sources) >= _REMEMBERED_SOURCES:
                self._sources.clear()
            self._sources[host] = _match(host, self._trunks)
        return self._sources[host]

    def origin(self, host: str, user: str) -> TrunkSettings | None:
        """What a call or a message comes by that ``user`` has proved to have sent ("": nobody was asked)."""
        return self._phones if user else self.trunk_of(host)

    def is_downgrade(self, source: Hop) -> bool:
        """Whether what comes from ``source`` should have come by TLS: its trunk is secure."""
        if not self._any_secure or source.secure:
            return False
        trunk = self.trunk_of(source.host)
        return trunk is not None and trunk.secure

    def admit(self, trunk: TrunkSettings, now: float) -> Refusal | None:
        """Count a new call of ``trunk``, or say why not."""
        if self._max_calls is not None and self.calls >= self._max_calls:
            return Refusal("node calls", 5)
        if not self._channels.lets_in(trunk):
            return Refusal("trunk calls", 5)
        buckets = {"node rate": self._node_rate, "trunk rate": self._rates[trunk.name]}
        for limit, bucket in buckets.items():
            if bucket is not None and (wait := bucket.wait(now)) > 0:
                return Refusal(limit, 1 + int(wait))
        for bucket in buckets.values():
            if bucket is not None:
                bucket.take()
        self._channels.inward[trunk.name] += 1
        return None

    def release(self, trunk: TrunkSettings) -> None:
        """A call of ``trunk`` is over."""
        self._channels.inward[trunk.name] -= 1


def _bucket(rate: float | None) -> TokenBucket | None:
    return None if rate is None else TokenBucket(rate)


def _match(host: str, trunks: Sequence[TrunkSettings]) -> TrunkSettings | None:
    try:
        address = ip_address(host)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    source = mapped if mapped is not None else address
    for trunk in trunks:
        if any(source in network for network in trunk.allow):
            return trunk
    return None
