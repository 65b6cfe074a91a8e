"""The simulator itself: it repeats itself to the byte, and its checks can fail."""

from __future__ import annotations

import pytest

from gateway.lab.network import Link
from gateway.lab.script import Script
from tests.sim.world import CALLEE, CALLER, World

BAD = Link(delay=0.03, jitter=0.02, loss=0.1, duplicate=0.1)


def played(seed: int) -> World:
    world = World(seed=seed, link=BAD)
    caller = world.phone(CALLER, Script(tone_hz=700))
    world.phone(CALLEE, Script(tone_hz=1300, hang_up_after=2.0))
    world.dial(caller)
    return world.finish()


def test_a_seed_repeats_to_the_byte() -> None:
    first, second, third = (played(seed) for seed in (3, 3, 4))
    for one, other in zip(first.phones, second.phones, strict=True):
        assert one.traces == other.traces
        assert one.arrivals == other.arrivals
    assert first.phones[0].arrivals != third.phones[0].arrivals


def test_a_call_that_stands_is_not_at_rest() -> None:
    world = World(media_timeout=10_000.0)
    caller = world.phone(CALLER, Script(tone_hz=700))
    world.phone(CALLEE, Script(tone_hz=1300))
    world.dial(caller)
    world.run(5.0)
    with pytest.raises(AssertionError):
        world._check_rest()


def test_a_number_on_the_other_leg_is_found() -> None:
    world = World()
    caller = world.phone(CALLER, Script(tone_hz=700))
    callee = world.phone(CALLEE, Script(tone_hz=1300, hang_up_after=1.0))
    world.dial(caller)
    world.finish()
    callee.traces.append(caller.traces[0])
    object.__setattr__(callee.traces[-1], "sent", False)
    with pytest.raises(AssertionError, match="saw a number"):
        world._check_privacy()
