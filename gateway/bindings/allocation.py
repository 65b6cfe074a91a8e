"""Which X a new binding gets when the customer names none (privatenumber.md sections 2.1 and 3.1).

Strict: only X numbers of the wanted city. Loose: the city, else the same province, else any. Among equals the one with
the fewest bindings, so that pairs spread over the pool.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.bindings.models import Number


@dataclass(frozen=True, slots=True)
class Candidate:
    """An X that could take the binding, and how many it has."""

    number: Number
    used: int


def choose(candidates: Sequence[Candidate], area_code: str, *, loose: bool) -> Number | None:
    """The X to use; ``area_code`` "" means that no city is wanted."""
    if not area_code:
        return _least_used(candidates)
    city = [one for one in candidates if one.number.area_code == area_code]
    if city or not loose:
        return _least_used(city)
    provinces = {one.number.province for one in candidates if one.number.area_code == area_code}
    near = [one for one in candidates if one.number.province and one.number.province in provinces]
    return _least_used(near or candidates)


def _least_used(candidates: Sequence[Candidate]) -> Number | None:
    return min(candidates, key=lambda one: (one.used, one.number.x)).number if candidates else None
