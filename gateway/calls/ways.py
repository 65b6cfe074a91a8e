"""Which trunks may carry a call, and in which order they and their peers are tried (pains.md P24).

    routes     the first whose application and prefix fit names the trunks
    no route   ``default_trunk``; without one the trunk that the call came in by, the first one for a phone's call

Trunks of a route and peers of a trunk are ranked like the targets of an SRV record (RFC 2782): the lowest priority
first; of one priority by chance, a weight of 3 three times as often as a weight of 1. Without ranks they are tried in
the order in which they are written. A peer that is a name is as many as DNS says, in DNS's own order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from gateway.calls.addresses import Addresses
from gateway.calls.settings import ExchangeSettings, Rank, RouteSettings, TrunkSettings
from gateway.numbers import PhoneNumber

T = TypeVar("T")
NOT_HERE = (408, 503)
"""The peer's state, not the callee's: the transaction timed out (RFC 3261 §8.1.3.1), or no service (RFC 3263 §4.3)."""
NOT_BY_THIS_TRUNK = (401, 407, 500, 502, 504)
"""The trunk's state: it won't know us, or what is behind it has failed."""


@dataclass(frozen=True, slots=True)
class Way:
    """One peer of one trunk, by its number in ``trunk.peers``; of a phone (``trunk.contacts``) all of them."""

    trunk: TrunkSettings
    peer: int


def in_order(items: Sequence[T], ranks: Sequence[Rank], chance: Callable[[], float]) -> list[T]:
    """``items`` as they are to be tried. ``chance`` gives numbers of 0..1; it is asked only where there is a choice."""
    if not ranks:
        return list(items)
    found: list[T] = []
    for priority in sorted({rank.priority for rank in ranks}):
        left = [(item, rank.weight) for item, rank in zip(items, ranks, strict=True) if rank.priority == priority]
        while left:
            index = _drawn([weight for _, weight in left], chance) if len(left) > 1 else 0
            found.append(left.pop(index)[0])
    return found


def _drawn(weights: Sequence[int], chance: Callable[[], float]) -> int:
    mark = chance() * sum(weights)
    for index, weight in enumerate(weights):
        mark -= weight
        if mark < 0:
            return index
    return len(weights) - 1


class Ways:
    """The ways out of a node."""

    __slots__ = ("_chance", "_default", "_first", "_fixed", "_routes", "_trunks")

    def __init__(self, settings: ExchangeSettings, chance: Callable[[], float]) -> None:
        self._chance = chance
        self._trunks: Mapping[str, TrunkSettings] = {trunk.name: trunk for trunk in settings.trunks}
        self._default = settings.default_trunk
        self._first = settings.trunks[0].name if settings.trunks else ""
        self._routes = settings.routes
        self._fixed: dict[str, tuple[Way, ...]] = {
            name: tuple(Way(trunk, peer) for peer in range(len(trunk.peers)))
            for name, trunk in self._trunks.items()
            if not trunk.ranks and not isinstance(trunk.peers, Addresses)
        }

    def named(self, application: str, callee: PhoneNumber) -> tuple[str, ...]:
        """The trunks that may carry a call; none: the one that it comes in by."""
        route = self._route(application, callee)
        if route is not None:
            return route.trunks
        return (self._default,) if self._default else ()

    def of(self, came_in: str, application: str, callee: PhoneNumber | None) -> list[Way]:
        """The ways of a call that came in by the trunk ``came_in``, the best first. ``callee`` None: not known yet."""
        route = self._route(application, callee)
        if route is None:
            return list(self._peers(self._default or (came_in if came_in in self._trunks else self._first)))
        names = in_order(route.trunks, route.ranks, self._chance)
        return [way for name in names for way in self._peers(name)]

    def nowhere(self, came_in: str) -> Way:
        """A way where nothing gets through, while DNS has not said where any of a trunk's peers is."""
        return Way(self._trunks[self._default or (came_in if came_in in self._trunks else self._first)], 0)

    def _route(self, application: str, callee: PhoneNumber | None) -> RouteSettings | None:
        for route in self._routes:
            if route.application not in ("", application):
                continue
            if not route.prefixes or (callee is not None and callee.e164.startswith(route.prefixes)):
                return route
        return None

    def _peers(self, name: str) -> Sequence[Way]:
        fixed = self._fixed.get(name)
        if fixed is not None:
            return fixed
        trunk = self._trunks[name]
        peers = trunk.peers
        if isinstance(peers, Addresses):
            found: list[Way] = []
            for entry in in_order(range(peers.entries), trunk.ranks, self._chance):
                slots = peers.slots(entry)
                found += [Way(trunk, slot) for slot in in_order(slots, peers.ranks(slots), self._chance)]
            return found
        return [Way(trunk, peer) for peer in in_order(range(len(trunk.peers)), trunk.ranks, self._chance)]
