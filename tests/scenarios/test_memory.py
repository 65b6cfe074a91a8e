"""Ended calls leave nothing to the garbage collector: it would halt the signalling process to find them."""

from __future__ import annotations

import gc
from collections import Counter

from gateway.lab.script import Script
from tests.sim.world import CALLEE, CALLER, World

OURS = ("gateway.sip.", "gateway.sdp.", "gateway.calls.", "media.")


def some_calls() -> World:
    """Answered, refused, and given up; and then the time that transactions linger."""
    world = World()
    for callee in (Script(tone_hz=1300, hang_up_after=1.0), Script(refuse=486), Script(answer_after=30.0)):
        phone = world.phone(CALLER, Script(tone_hz=700, give_up_after=3.0))
        world.phone(CALLEE, callee)
        world.dial(phone)
        world.run(5)
    world.run(45)
    return world


def test_ended_calls_are_freed_without_the_garbage_collector() -> None:
    some_calls()
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        world = some_calls()
        gc.collect()
        left = Counter(f"{type(one).__module__}.{type(one).__name__}" for one in gc.garbage)
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert len(world.records) == 3
    assert {name: count for name, count in left.items() if name.startswith(OURS)} == {}
