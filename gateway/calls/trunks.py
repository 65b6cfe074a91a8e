"""The trunks of a node as calls out of it see them: which way is free now, and how many calls each trunk carries.

A call takes its first way that is good; when none is, the first that is only shy or down (a guess that may be wrong is
no reason to refuse a call); never one that is barred, not registered, or at its limit: then there is no way,
and the caller gets 503 with Retry-After.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Sequence

from gateway.calls.addresses import Addresses
from gateway.calls.admission import TokenBucket
from gateway.calls.channels import Channels
from gateway.calls.peers import Peer
from gateway.calls.settings import ExchangeSettings, TrunkSettings
from gateway.calls.ways import Way, Ways
from gateway.numbers import PhoneNumber
from gateway.sip.account import Account
from gateway.sip.grammar import retry_seconds
from gateway.sip.message import Response
from gateway.sip.target import Located, Target

_BUSY_SECONDS = 5


class Trunks:
    """``calls``: standing calls out of the node, by trunk."""

    def __init__(self, settings: ExchangeSettings, token: Callable[[], str]) -> None:
        self._token = token
        self.ways = Ways(settings, self._chance)
        self.peers = {
            (trunk.name, index): Peer(trunk.name, hop)
            for trunk in settings.trunks
            for index, hop in enumerate(trunk.peers)
        }
        self._addresses = {trunk.name: trunk.peers for trunk in settings.trunks if isinstance(trunk.peers, Addresses)}
        self.channels = Channels(settings)
        self.calls = self.channels.outward
        self.accounts = {
            trunk.name: Account(one.user, one.password, one.realm, token, integrity=one.integrity)
            for trunk in settings.trunks
            if (one := trunk.account) is not None
        }
        """What we are known by at each trunk that wants to know."""
        self.away: set[str] = set()
        """Trunks that we should be registered with and are not."""
        self._rates = {
            trunk.name: TokenBucket(trunk.calls_per_second_out)
            for trunk in settings.trunks
            if trunk.calls_per_second_out is not None
        }

    # --- a call out ---------------------------------------------------------------------------------------------------

    def take(self, ways: list[Way], carried: str, now: float) -> Way | None:
        """The next way of a call, taken out of ``ways`` with those that were passed over for good; None: there is none.

        ``carried``: the trunk that counts the call already, or "".
        """
        free = [way for way in ways if not self._closed(way, now)]
        free.sort(key=lambda way: not self._peer(way).good(now))
        for way in free:
            if self._admits(way.trunk, carried, now):
                ways.remove(way)
                return way
        return None

    def _admits(self, trunk: TrunkSettings, carried: str, now: float) -> bool:
        """Count the call on ``trunk`` instead of ``carried``, if the limits of ``trunk`` let it."""
        if trunk.name == carried:
            return True
        if not self.channels.lets_out(trunk):
            return False
        bucket = self._rates.get(trunk.name)
        if bucket is not None:
            if bucket.wait(now) > 0:
                return False
            bucket.take()
        self.release(carried)
        self.calls[trunk.name] += 1
        return True

    def release(self, carried: str) -> None:
        """A call is over, or has gone on to another trunk. "": it was not counted."""
        if carried:
            self.calls[carried] -= 1
            if not self.calls[carried]:
                del self.calls[carried]

    def for_text(self, came_in: str, application: str, receiver: PhoneNumber, now: float) -> list[Way]:
        """Where a short message may go that answers one of an application which came by ``came_in``, the best first."""
        ways = [way for way in self.ways.of(came_in, application, receiver) if not self._closed(way, now)]
        return sorted(ways, key=lambda way: not self._peer(way).good(now))

    def _closed(self, way: Way, now: float) -> bool:
        """Whether nothing may go there now."""
        return way.trunk.name in self.away or self._peer(way).barred(now)

    def wait(self, ways: list[Way], now: float) -> int:
        """For how many seconds a caller should stay away when none of ``ways`` is free."""
        left = [self._peer(way).barred_until - now for way in ways]
        return 1 + int(min(left)) if left and min(left) > 0 else _BUSY_SECONDS

    @property
    def peer_states(self) -> Counter[tuple[str, ...]]:
        """How many peers of each trunk are up, down, unknown; 0 too, since an alert compares with what is there."""
        words = {None: "unknown", True: "up", False: "down"}
        found: Counter[tuple[str, ...]] = Counter(
            (peer.trunk, words[peer.up]) for peer in self.peers.values() if peer.somewhere
        )
        found.update({(trunk, word): 0 for trunk, _ in self.peers for word in words.values()})
        return found

    # --- what DNS says ------------------------------------------------------------------------------------------------

    def found(self, name: str, entry: int, located: Sequence[Located]) -> None:
        """Where the ``entry``-th of a trunk's peers is, which is a name. What was known of another hop is forgotten."""
        peers = self._addresses[name]
        for number in peers.fill(entry, located):
            peer = self.peers[name, number]
            peer.hop = peers[number]
            peer.begin_anew()

    @property
    def targets(self) -> list[tuple[str, int, Target]]:
        """The peers that are names: of which trunk, which of its peers, and the name."""
        return [(name, *one) for name, peers in self._addresses.items() for one in peers.targets.items()]

    # --- what calls find out ------------------------------------------------------------------------------------------

    def unheard(self, way: Way, now: float) -> None:
        """No answer at all to an INVITE."""
        self._peer(way).unheard(now)

    def refused(self, way: Way, status: int, response: Response | None, now: float) -> None:
        """A final answer that is no 2xx; no response: nothing came."""
        peer = self._peer(way)
        if response is None:
            peer.unheard(now)
            return
        peer.heard()
        seconds = retry_seconds(response.headers.get("Retry-After")) if status == 503 else None
        if seconds:
            peer.bar(seconds, now)

    def _peer(self, way: Way) -> Peer:
        """A phone is judged by its registration alone."""
        known = self.peers.get((way.trunk.name, way.peer))
        return Peer(way.trunk.name, way.trunk.peers[way.peer]) if known is None else known

    def _chance(self) -> float:
        return zlib.crc32(self._token().encode()) / 2**32
