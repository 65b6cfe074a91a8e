"""[IO] Messages for hops that have two ways: Contacts and Record-Routes that are names, or lie behind a connection.

    known                the first place of the name that hasn't failed lately; stale is good enough (resolver.py)
    not known            asked, for no longer than PATIENCE: an ACK must not wait
    a connection fails   the next place; after the last one where the dialog came from
    UDP: sent for the    likewise: nobody there has answered for 3.5 s (RFC 3263 §4.3 would have us wait for the end of
    fourth time          the transaction; by then the call is over)
    DNS knows nothing    where the dialog came from
    an address           where the dialog came from, as long as that connection stands; else the address

The transport is the URI's, or that of the dialog: its Via is written before anybody is asked, so NAPTR has no say.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from gateway.sip.hop import Hop
from gateway.sip.resolver import Known, Resolver
from gateway.sip.target import Target

PATIENCE = 0.5
BAD_SECONDS = 60.0
UNHEARD = 4
"""Times that a datagram is sent before its place counts as one that doesn't answer."""
REMEMBERED = 1000
WAITING = 64
T = TypeVar("T")


class NamedHops:
    """``carry`` sends to a hop that is an address. Without a ``resolver`` all goes where the dialog came from."""

    def __init__(
        self, resolver: Resolver | None, carry: Callable[[bytes, Hop], None], stands: Callable[[Hop], bool]
    ) -> None:
        self._resolver = resolver
        self._carry = carry
        self._stands = stands
        self._waiting: dict[Hop, list[bytes]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._asked_by: dict[Hop, Hop] = {}
        self._bad: dict[Hop, float] = {}
        self._sent: dict[Hop, tuple[bytes, int]] = {}
        """The last datagram to a name, and how often it was sent."""

    def send(self, data: bytes, hop: Hop) -> bool:
        """Send to a hop with a target; False: too much waits for the same answer."""
        address = _address(hop)
        if address is not None:
            way = _plain(hop) if self._stands(_plain(hop)) else address
            self._remember(self._asked_by, way, hop)
            self._carry(data, way)
            return True
        if self._resolver is None:
            self._go(data, hop, None)
            return True
        if hop in self._waiting:
            self._waiting[hop].append(data)
            return len(self._waiting[hop]) <= WAITING
        known = self._resolver.known(Target.parse(hop.target))
        if known is not None:
            self._go(data, hop, known)
            return True
        self._waiting[hop] = [data]
        task = asyncio.get_running_loop().create_task(self._ask(self._resolver, hop))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    def asked_by(self, hop: Hop) -> Hop | None:
        """The named hop that an address was last used for."""
        return self._asked_by.get(hop)

    def instead(self, failed: Hop) -> Hop | None:
        """Where else to go, when an address can't be connected to."""
        named = self._asked_by.get(failed)
        if named is None or failed == _plain(named) or _address(named) is not None:
            return None
        self._remember(self._bad, failed, time.monotonic() + BAD_SECONDS)
        known = None if self._resolver is None else self._resolver.known(Target.parse(named.target))
        way = self._way(named, known)
        self._remember(self._asked_by, way, named)
        return None if way == failed else way

    async def stop(self) -> None:
        """Forget what waits."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._waiting.clear()

    async def _ask(self, resolver: Resolver, hop: Hop) -> None:
        known = None
        try:
            async with asyncio.timeout(PATIENCE):
                known = await resolver.locate(Target.parse(hop.target))
        except TimeoutError:
            pass
        for data in self._waiting.pop(hop, ())[:WAITING]:
            self._go(data, hop, known)

    def _go(self, data: bytes, hop: Hop, known: Known | None) -> None:
        if hop.transport == "udp":
            self._count(data, hop)
        way = self._way(hop, known)
        self._remember(self._asked_by, way, hop)
        self._carry(data, way)

    def _count(self, data: bytes, hop: Hop) -> None:
        """Give up a place that is sent the same again and again."""
        last, times = self._sent.get(hop, (b"", 0))
        times = times + 1 if last == data else 1
        if times >= UNHEARD:
            tried = next((way for way, named in reversed(self._asked_by.items()) if named == hop), None)
            if tried is not None and tried != _plain(hop):
                self._remember(self._bad, tried, time.monotonic() + BAD_SECONDS)
                times = 1
        self._remember(self._sent, hop, (data, times))

    def _way(self, hop: Hop, known: Known | None) -> Hop:
        now = time.monotonic()
        for one in () if known is None else known.located:
            if one.hop.transport == hop.transport and self._bad.get(one.hop, 0.0) <= now:
                return one.hop
        return _plain(hop)

    @staticmethod
    def _remember(table: dict[Hop, T], key: Hop, value: T) -> None:
        table.pop(key, None)
        if len(table) >= REMEMBERED:
            del table[next(iter(table))]
        table[key] = value


def _address(hop: Hop) -> Hop | None:
    """The target, where it is an address."""
    try:
        return replace(Hop.parse(hop.target), name=hop.name)
    except ValueError:
        return None


def _plain(hop: Hop) -> Hop:
    return replace(hop, target="")
