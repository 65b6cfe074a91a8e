"""Where registered users are: the contacts of each (RFC 3261 §10), and when they lapse. A user is any text.

a contact lapses      at its ``expires``; nobody need say so
a connection breaks   its contacts are gone with it: calls go by no other way
too many              the contact that was refreshed longest ago makes room: a phone that comes back under another
                      address and port each time can't shut itself out
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from gateway.sip.hop import Hop


@dataclass(frozen=True, slots=True)
class Contact:
    """One binding. ``uri`` as the phone wrote it; ``hop``: where its REGISTER came from, which is where calls go.

    ``q`` in thousandths; ``expires`` and ``since`` (of its last refresh) on the monotonic clock; ``call_id`` and
    ``cseq`` of the REGISTER that set it; ``instance``: its ``+sip.instance`` (RFC 5626 §4.1), or "".
    """

    uri: str
    hop: Hop
    expires: float
    since: float
    call_id: str
    cseq: int
    q: int = 1000
    instance: str = ""

    def __repr__(self) -> str:
        # Its URI may hold a number.
        return f"<Contact {self.hop}>"


class Locations:
    """All contacts. ``limit``: most contacts of one user."""

    __slots__ = ("_armed", "_by_hop", "_by_user", "_lapses", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._by_user: dict[str, tuple[Contact, ...]] = {}
        self._by_hop: dict[Hop, set[str]] = {}
        self._lapses: list[tuple[float, str]] = []
        self._armed: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._by_user)

    def __contains__(self, user: object) -> bool:
        return user in self._by_user

    @property
    def users(self) -> Iterable[str]:
        """Those with contacts."""
        return self._by_user.keys()

    def transports(self) -> Counter[str]:
        """How many contacts are reached by each transport."""
        return Counter(one.hop.transport for contacts in self._by_user.values() for one in contacts)

    def of(self, user: str, now: float) -> tuple[Contact, ...]:
        """His contacts: the most wanted first, of those the one that was refreshed last."""
        return tuple(one for one in self._by_user.get(user, ()) if one.expires > now)

    def at(self, hop: Hop, now: float) -> str | None:
        """A user who has registered from there."""
        for user in self._by_hop.get(hop, ()):
            if any(one.hop == hop for one in self.of(user, now)):
                return user
        return None

    def put(self, user: str, contacts: Iterable[Contact]) -> None:
        """These are his contacts now."""
        kept = sorted(contacts, key=lambda one: one.since, reverse=True)[: self.limit]
        kept.sort(key=lambda one: one.q, reverse=True)
        for gone in {one.hop for one in self._by_user.pop(user, ())}:
            users = self._by_hop[gone]
            users.discard(user)
            if not users:
                del self._by_hop[gone]
        if kept:
            self._by_user[user] = tuple(kept)
            for one in kept:
                self._by_hop.setdefault(one.hop, set()).add(user)
            self._arm(user)

    def broken(self, hop: Hop) -> list[str]:
        """A connection is gone; the users who were there."""
        users = sorted(self._by_hop.get(hop, ()))
        for user in users:
            self.put(user, [one for one in self._by_user[user] if one.hop != hop])
        return users

    @property
    def deadline(self) -> float | None:
        """When something may lapse."""
        return self._lapses[0][0] if self._lapses else None

    def lapse(self, now: float) -> list[str]:
        """Forget what has lapsed; the users whose contacts these were."""
        changed: list[str] = []
        while self._lapses and self._lapses[0][0] <= now:
            due, user = heapq.heappop(self._lapses)
            if self._armed.get(user) != due:
                continue
            del self._armed[user]
            have = self._by_user.get(user, ())
            left = self.of(user, now)
            if len(left) < len(have):
                changed.append(user)
                self.put(user, left)
            elif have:
                self._arm(user)
        return changed

    def _arm(self, user: str) -> None:
        """A refresh puts the end off and leaves the entry alone: when that comes up, it is made anew. So one who
        registers all the time has one entry, not thousands."""
        due = min(one.expires for one in self._by_user[user])
        if due < self._armed.get(user, due + 1):
            self._armed[user] = due
            heapq.heappush(self._lapses, (due, user))
