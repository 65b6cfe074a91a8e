"""How many calls of a trunk stand, in each direction: what a carrier sells is channels, and does not ask which way.

A call that comes by a trunk and goes on by the same takes two. Where every call does that, the second is kept for it: a
trunk full of callers, none of which finds a way out, would carry nothing at all.
"""

from __future__ import annotations

from collections import Counter

from gateway.calls.settings import ExchangeSettings, TrunkSettings


class Channels:
    """``inward`` and ``outward``: standing calls by trunk."""

    __slots__ = ("_turning", "inward", "outward")

    def __init__(self, settings: ExchangeSettings) -> None:
        self.inward: Counter[str] = Counter()
        self.outward: Counter[str] = Counter()
        routed = {name for route in settings.routes for name in route.trunks}
        self._turning = frozenset(
            trunk.name
            for trunk in settings.trunks
            if routed <= {trunk.name} and settings.default_trunk in (None, "", trunk.name)
        )

    def lets_in(self, trunk: TrunkSettings) -> bool:
        """Whether one more call may come by it."""
        here, out = self.inward[trunk.name] + 1, self.outward[trunk.name]
        if trunk.max_calls_in is not None and here > trunk.max_calls_in:
            return False
        if trunk.name in self._turning:
            out = max(out, here)
        return trunk.max_calls is None or here + out <= trunk.max_calls

    def lets_out(self, trunk: TrunkSettings) -> bool:
        """Whether one more may go out by it."""
        out = self.outward[trunk.name] + 1
        if trunk.max_calls_out is not None and out > trunk.max_calls_out:
            return False
        return trunk.max_calls is None or self.inward[trunk.name] + out <= trunk.max_calls
