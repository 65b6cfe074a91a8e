"""The door before the parser: who may speak, how much, and who is shut out for a time (pains.md P34).

    source                    its bucket            over it                                     struck, banned
    ------------------------  --------------------  ------------------------------------------  --------------
    an address of a trunk     one for the trunk     UDP: dropped; a stream is read no further   never
    another that is admitted  one for the address   likewise                                    yes
    anybody else              none                  dropped unread, always                      -

All that belong to no trunk have one more bucket together: a flood from everywhere takes nothing from the trunks.
A message costs one token for each 2 KiB it has begun. A strike is one offence; ``strikes`` of them within
``strike_seconds`` ban the address, a scanner's User-Agent does at once. A trunk relays what others send, so it is never
banned for that. Of IPv6 a /64 is one address, since it is one customer's.

Everything is bounded: addresses are forgotten oldest first, and what is remembered of one has a fixed size. Of a
message from a trunk only the length is looked at, of any other the first word and the User-Agent.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network

REMEMBERED = 10_000
_SCANNERS = re.compile(
    rb"\n(?:user-agent|server)[ \t]*:[^\r\n]{0,80}?(friendly-scanner|friendly-request|sipvicious|sipcli|sip-scan|"
    rb"sundayddr|vaxsipuseragent|iwar|pplsip|sipptk|sipscan|siparmyknife|sip scanner|svmap|svwar|svcrack)",
    re.IGNORECASE,
)
_SCANNED = 2048
_SIZE_SHIFT = 11


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSettings:
    """Messages a second that a trunk and any other source may send on average, and how many seconds' worth at once."""

    trunk_messages_per_second: float = 5000.0
    messages_per_second: float = 100.0
    others_messages_per_second: float = 1000.0
    burst_seconds: float = 2.0
    registers_per_minute: float = 120.0
    strikes: int = 10
    strike_seconds: float = 60.0
    ban_seconds: float = 3600.0


@dataclass(frozen=True, slots=True)
class Ban:
    """``source`` is shut out until ``until`` (monotonic). ``why``: the offence that was one too many."""

    source: str
    why: str
    since: float
    until: float


class Bucket:
    """``rate`` tokens a second, at most ``burst`` kept. ``owe`` takes what isn't there yet."""

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = self._tokens = max(1.0, burst)
        self._at = -math.inf

    def take(self, cost: float, now: float) -> bool:
        """Use tokens; False: they aren't there, and nothing is used."""
        tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        # What costs more than the bucket holds passes when it is full.
        taken = tokens >= cost or tokens >= self._burst
        self._tokens = tokens - cost if taken else tokens
        return taken

    def owe(self, cost: float, now: float) -> float:
        """Use tokens; the seconds until what was used is there again, 0 when nothing is owed."""
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate) - cost
        self._at = now
        return 0.0 if self._tokens >= 0.0 else -self._tokens / self._rate


class _Source:
    __slots__ = ("bucket", "registers", "strikes", "struck_since")

    def __init__(self, settings: GateSettings) -> None:
        rate = settings.messages_per_second
        self.bucket = Bucket(rate, rate * settings.burst_seconds)
        self.registers = Bucket(settings.registers_per_minute / 60.0, settings.registers_per_minute / 2.0)
        self.strikes = 0
        self.struck_since = 0.0


class Gate:
    """``admits``: whether an address may speak at all. ``trunk_of``: the name of its trunk, None when it has none.

    ``counters`` counts what was dropped, and strikes and bans by their reason. ``fresh`` holds the bans that nobody has
    been told of yet.
    """

    def __init__(
        self,
        settings: GateSettings,
        admits: Callable[[str], bool],
        trunk_of: Callable[[str], str | None],
    ) -> None:
        self.settings = settings
        self.counters: Counter[str] = Counter()
        self.fresh: list[Ban] = []
        self._admits = admits
        self._trunk_of = trunk_of
        rate = settings.others_messages_per_second
        self._others = Bucket(rate, rate * settings.burst_seconds)
        self._trunks: dict[str, Bucket] = {}
        self._sources: dict[str, _Source] = {}
        self._bans: dict[str, Ban] = {}
        self._prefixes: dict[str, str] = {}

    def datagram(self, host: str, data: bytes, now: float) -> bool:
        """Whether a datagram is taken."""
        trunk = self._trunk_of(host)
        if trunk is not None:
            if self._trunk(trunk).take(1 + (len(data) >> _SIZE_SHIFT), now):
                return True
            self.counters["over the rate of a trunk"] += 1
            return False
        if not self.greets(host, now) or not self._decent(host, data, now):
            return False
        cost = 1 + (len(data) >> _SIZE_SHIFT)
        if self._source(self._key(host)).bucket.take(cost, now):
            if self._others.take(cost, now):
                return True
            self.counters["over the rate of all sources"] += 1
            return False
        self.counters["over the rate of a source"] += 1
        self.strike(host, "flood", now)
        return False

    def message(self, host: str, data: bytes, now: float) -> float:
        """A whole message of a stream: seconds for which no more should be read. ``inf``: it isn't taken, close."""
        cost = 1 + (len(data) >> _SIZE_SHIFT)
        trunk = self._trunk_of(host)
        if trunk is not None:
            wait = self._trunk(trunk).owe(cost, now)
        elif self.greets(host, now) and self._decent(host, data, now):
            wait = max(self._source(self._key(host)).bucket.owe(cost, now), self._others.owe(cost, now))
        else:
            return math.inf
        if wait:
            self.counters["stream held back"] += 1
        return wait

    def whose(self, host: str) -> str | None:
        """The name of the trunk that an address is of."""
        return self._trunk_of(host)

    def knows(self, host: str) -> bool:
        """Whether an address is a trunk's."""
        return self._trunk_of(host) is not None

    def greets(self, host: str, now: float) -> bool:
        """Whether an address may speak, or connect, at all."""
        if self._trunk_of(host) is not None:
            return True
        if not self._admits(host):
            self.counters["stranger"] += 1
            return False
        if self._bans and self._banned(self._key(host), now):
            self.counters["banned"] += 1
            return False
        return True

    def strike(self, host: str, offence: str, now: float, *, at_once: bool = False) -> None:
        """Note an offence of an address: ``malformed``, ``digest`` (a wrong password), ... ``at_once``: ban it."""
        if self._trunk_of(host) is not None:
            return
        self.counters[f"strike: {offence}"] += 1
        settings, key = self.settings, self._key(host)
        source = self._source(key)
        if now - source.struck_since > settings.strike_seconds:
            source.struck_since, source.strikes = now, 0
        source.strikes += 1
        if (at_once or source.strikes >= settings.strikes) and not self._banned(key, now):
            source.strikes = 0
            ban = self._bans[key] = Ban(key, offence, now, now + settings.ban_seconds)
            while len(self._bans) > REMEMBERED:
                del self._bans[next(iter(self._bans))]
            self.counters[f"ban: {offence}"] += 1
            self.fresh.append(ban)
            del self.fresh[:-REMEMBERED]

    def bans(self, now: float) -> list[Ban]:
        """The bans in force, the oldest first."""
        return [ban for ban in self._bans.values() if ban.until > now]

    def lift(self, source: str, now: float) -> list[Ban]:
        """Let a source in again (an address, or as a ban names it), or all (""); the bans that were lifted."""
        lifted = [ban for ban in self.bans(now) if not source or ban.source in (source, prefix(source))]
        for ban in lifted:
            del self._bans[ban.source]
        return lifted

    def _decent(self, host: str, data: bytes, now: float) -> bool:
        """False: a known scanner, or more REGISTERs than any phone sends."""
        if data.startswith(b"SIP/2.0 "):
            return True
        if _SCANNERS.search(data, 0, _SCANNED) is not None:
            self.strike(host, "scanner", now, at_once=True)
            return False
        if data.startswith(b"REGISTER ") and not self._source(self._key(host)).registers.take(1.0, now):
            self.counters["over the rate of REGISTERs"] += 1
            self.strike(host, "REGISTER storm", now)
            return False
        return True

    def _banned(self, key: str, now: float) -> bool:
        ban = self._bans.get(key)
        if ban is None:
            return False
        if ban.until > now:
            return True
        del self._bans[key]
        return False

    def _trunk(self, name: str) -> Bucket:
        bucket = self._trunks.get(name)
        if bucket is None:
            rate = self.settings.trunk_messages_per_second
            bucket = self._trunks[name] = Bucket(rate, rate * self.settings.burst_seconds)
        return bucket

    def _source(self, key: str) -> _Source:
        source = self._sources.get(key)
        if source is None:
            while len(self._sources) >= REMEMBERED:
                del self._sources[next(iter(self._sources))]
            source = self._sources[key] = _Source(self.settings)
        return source

    def _key(self, host: str) -> str:
        """What is counted: the address, of IPv6 its /64."""
        if ":" not in host:
            return host
        key = self._prefixes.get(host)
        if key is None:
            if len(self._prefixes) >= REMEMBERED:
                self._prefixes.clear()
            key = self._prefixes[host] = prefix(host)
        return key


def prefix(text: str) -> str:
    """An address as bans know it: ``192.0.2.1``, ``2001:db8::/64``; what is no address stays as it is."""
    try:
        address = ip_address(text)
    except ValueError:
        return text
    if not isinstance(address, IPv6Address):
        return text
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ip_network((address, 64), strict=False))
