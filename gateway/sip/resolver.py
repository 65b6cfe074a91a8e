"""[IO] Where a SIP server is (RFC 3263), asked of DNS with dnspython.

    port given                       A, AAAA of the name
    transport given                  SRV of that transport; none: A, AAAA at the default port
    neither                          NAPTR: SRV of the best that we speak; none: SRV of each transport that we speak;
                                     none: A, AAAA by UDP, of a secure target by TLS
    SRV whose target is "."          the service is not there (RFC 2782)

Records are kept as long as their TTL says, and that there is none as long as the zone says. What has been located is
known at once for at least FRESHEST seconds, at most STALEST; where nobody answers, PAUSE seconds pass before the next
question. IPv6 addresses are asked for only where IPv6 is spoken, and come after those of IPv4.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import dns.asyncresolver
import dns.exception
import dns.nameserver
import dns.resolver

from gateway.sip.hop import DEFAULT_PORTS, Hop
from gateway.sip.target import Located, Target

FRESHEST, STALEST, PAUSE = 5.0, 3600.0, 30.0
REMEMBERED = 1000
MOST = 16
_SERVICES = {"sip+d2u": "udp", "sip+d2t": "tcp", "sips+d2t": "tls"}
_SRV = {"udp": "_sip._udp", "tcp": "_sip._tcp", "tls": "_sips._tcp"}


@dataclass(slots=True)
class Known:
    """What has been located, and until when (monotonic) nothing need be asked. Nothing located: nobody knew."""

    located: tuple[Located, ...]
    until: float


class Resolver:
    """``servers``: name servers as (address, port), none: the system's. ``versions``: of IP, that we speak."""

    def __init__(
        self,
        servers: Sequence[tuple[str, int]] = (),
        versions: Collection[int] = (4,),
        transports: Collection[str] = ("udp", "tcp", "tls"),
        patience: float = 3.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._types = [kind for version, kind in ((4, "A"), (6, "AAAA")) if version in versions]
        self._transports = [transport for transport in ("udp", "tcp", "tls") if transport in transports]
        self._known: dict[Target, Known] = {}
        self._asking: dict[Target, asyncio.Task[Known]] = {}
        try:
            self._dns = dns.asyncresolver.Resolver(configure=not servers)
        except dns.resolver.NoResolverConfiguration:
            self._dns = dns.asyncresolver.Resolver(configure=False)
        if servers:
            self._dns.nameservers = [dns.nameserver.Do53Nameserver(*server) for server in servers]
        self._dns.lifetime = patience
        self._dns.cache = dns.resolver.LRUCache(REMEMBERED)

    def known(self, target: Target) -> Known | None:
        """What was located last, be it stale; it is then asked for again in the background."""
        found = self._known.get(target)
        if found is not None and found.until <= self._clock():
            self._ask(target)
        return found

    async def locate(self, target: Target) -> Known:
        """Where a target is, as DNS has it now; what was known before, when DNS doesn't answer."""
        found = self._known.get(target)
        if found is not None and found.until > self._clock():
            return found
        return await asyncio.shield(self._ask(target))

    async def stop(self) -> None:
        """Ask no more."""
        asking = list(self._asking.values())
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    def _ask(self, target: Target) -> asyncio.Task[Known]:
        task = self._asking.get(target)
        if task is None:
            task = self._asking[target] = asyncio.get_running_loop().create_task(self._find(target))
            task.add_done_callback(lambda done: self._asking.pop(target, None))
        return task

    async def _find(self, target: Target) -> Known:
        question = _Question(self._dns, self._types, self._transports)
        now = self._clock()
        try:
            located = (await question.located(target))[:MOST]
            found = Known(tuple(located), now + min(max(question.ttl, FRESHEST), STALEST))
        except dns.exception.DNSException:
            last = self._known.get(target)
            found = Known(() if last is None else last.located, now + PAUSE)
        if target not in self._known and len(self._known) >= REMEMBERED:
            del self._known[next(iter(self._known))]
        self._known[target] = found
        return found


class _Question:
    """One look-up; ``ttl`` is the shortest of what it came by."""

    def __init__(self, resolver: dns.asyncresolver.Resolver, types: list[str], transports: list[str]) -> None:
        self._dns = resolver
        self._types = types
        self._transports = transports
        self.ttl = STALEST

    async def located(self, target: Target) -> list[Located]:
        """The places of a target. DNSException when DNS doesn't answer."""
        usual = target.transport or ("tls" if target.secure else "udp")
        if target.port is not None:
            return await self._addresses(target, target.name, usual, target.port)
        if target.transport:
            found = await self._services(target, _SRV[usual] + "." + target.name, usual)
        else:
            found = await self._by_naptr(target)
        return await self._addresses(target, target.name, usual, DEFAULT_PORTS[usual]) if found is None else found

    async def _by_naptr(self, target: Target) -> list[Located] | None:
        spoken = ["tls"] if target.secure else self._transports
        records = []
        for record in await self._records(target.name, "NAPTR"):
            transport = _SERVICES.get(record.service.decode("ascii", "replace").lower())
            if transport in spoken and record.flags.lower() == b"s":
                records.append((record.order, record.preference, transport, record.replacement.to_text()))
        for _, _, transport, name in sorted(records):
            found = await self._services(target, name, transport)
            if found:
                return found
        if records:
            return []
        for transport in spoken:
            found = await self._services(target, _SRV[transport] + "." + target.name, transport)
            if found is not None:
                return found
        return None

    async def _services(self, target: Target, name: str, transport: str) -> list[Located] | None:
        """The places that SRV records name; None: there are no such records."""
        records = await self._records(name, "SRV")
        if not records:
            return None
        located: list[Located] = []
        for record in sorted(records, key=lambda one: (one.priority, -one.weight)):
            there = record.target.to_text(omit_final_dot=True)
            if there in ("", "."):
                continue
            addresses = await self._addresses(target, there, transport, record.port)
            located += [Located(one.hop, record.priority, max(1, record.weight)) for one in addresses]
        return located

    async def _addresses(self, target: Target, name: str, transport: str, port: int) -> list[Located]:
        """Over TLS the target's own name is to be proved, wherever it leads (RFC 5922 §7.3). In an order that stays."""
        proved = target.name if transport == "tls" else ""
        found = [sorted(record.address for record in await self._records(name, kind)) for kind in self._types]
        return [Located(Hop(transport, address, port, proved)) for addresses in found for address in addresses]

    async def _records(self, name: str, kind: str) -> list[Any]:
        """The records of a name; none when it has none."""
        try:
            answer = await self._dns.resolve(name, kind, search=False, raise_on_no_answer=False)
        except dns.resolver.NXDOMAIN:
            self.ttl = min(self.ttl, PAUSE)
            return []
        if answer.rrset is None:
            return []
        self.ttl = min(self.ttl, max(0.0, answer.expiration - time.time()))
        return list(answer.rrset)
