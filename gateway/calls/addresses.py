"""The peers of a trunk by number, where some are names: a name has SLOTS numbers, filled with what DNS says.

A number keeps its hop as long as DNS names that hop, so what is known of the peer (peers.py) stays with it. A number
without a hop stands for NOWHERE, and no call goes there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import overload

from gateway.calls.settings import Rank
from gateway.sip.hop import Hop
from gateway.sip.target import Located, Target

SLOTS = 8
NOWHERE = Hop("udp", "0.0.0.0", 9)


class Addresses(Sequence[Hop]):
    """``given``: hops and targets as configured. ``name``: what certificates must be of instead of the target's."""

    def __init__(self, given: Sequence[Hop | Target], name: str = "") -> None:
        self.targets: dict[int, Target] = {}
        """By the place in ``given``."""
        self._name = name
        self._entries: list[range] = []
        self._hops: list[Hop] = []
        self._ranks: list[Rank] = []
        self._shown: list[str] = []
        for place, one in enumerate(given):
            count = 1 if isinstance(one, Hop) else SLOTS
            self._entries.append(range(len(self._hops), len(self._hops) + count))
            if isinstance(one, Target):
                self.targets[place] = one
            self._hops += [one if isinstance(one, Hop) else NOWHERE] * count
            self._ranks += [Rank(0, 1)] * count
            self._shown += [_shown(one)] * count

    def __len__(self) -> int:
        return len(self._hops)

    @overload
    def __getitem__(self, index: int) -> Hop: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Hop]: ...
    def __getitem__(self, index: int | slice) -> Hop | Sequence[Hop]:
        return self._hops[index]

    @property
    def entries(self) -> int:
        """How many were given."""
        return len(self._entries)

    def slots(self, entry: int) -> list[int]:
        """The numbers of an entry that stand for a hop."""
        return [number for number in self._entries[entry] if self._hops[number] != NOWHERE]

    def ranks(self, numbers: Sequence[int]) -> list[Rank]:
        """Priority and weight of each, as of an SRV record."""
        return [self._ranks[number] for number in numbers]

    def shown(self, number: int) -> str:
        """How the peer stands in a URI: by its name where it has one (RFC 3263 §4: the URI is not changed)."""
        return self._shown[number]

    def fill(self, entry: int, found: Sequence[Located]) -> list[int]:
        """DNS says where an entry is; the numbers that stand for another hop now."""
        numbers = self._entries[entry]
        wanted = {self._proved(one.hop): Rank(one.priority, one.weight) for one in found[: len(numbers)]}
        kept = {self._hops[number] for number in numbers} & set(wanted)
        fresh = [hop for hop in wanted if hop not in kept]
        changed = [number for number in numbers if self._hops[number] not in kept]
        moved = []
        for number in changed:
            hop = fresh.pop(0) if fresh else NOWHERE
            if hop != self._hops[number]:
                self._hops[number] = hop
                moved.append(number)
        for number in numbers:
            self._ranks[number] = wanted.get(self._hops[number], Rank(0, 1))
        return moved

    def _proved(self, hop: Hop) -> Hop:
        return replace(hop, name=self._name) if hop.secure and self._name else hop


def _shown(one: Hop | Target) -> str:
    return one.host_port if isinstance(one, Target) else f"{one.host_text}:{one.port}"


def shown(peers: Sequence[Hop], number: int) -> str:
    """How a peer stands in a URI."""
    return peers.shown(number) if isinstance(peers, Addresses) else _shown(peers[number])


def first(peers: Sequence[Hop]) -> Hop:
    """The first peer whose address is known; NOWHERE when there is none."""
    return next((hop for hop in peers if hop != NOWHERE), NOWHERE)
