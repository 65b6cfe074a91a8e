"""Guards against toll fraud as whole calls in virtual time: what an hour and a day may hold, how long a call may last,
and the hour that is unlike the others. Destinations are barred in test_modes.py."""

from __future__ import annotations

import pytest

from gateway.bindings.models import CallPolicy
from gateway.calls.surge import Surge
from gateway.causes import Cause
from gateway.lab.script import Script
from tests.sim.world import CALLEE, CALLER, A, World, application, pair


def call(world: World, lasts: float = 3.0) -> None:
    world.phone(CALLEE, Script(tone_hz=1300, hang_up_after=lasts))
    world.dial(world.phone(CALLER, Script(tone_hz=700)), caller=A)
    before = len(world.records)
    world.until(lambda: len(world.records) > before)


@pytest.mark.parametrize(
    ("limit", "cause"),
    [
        ({"calls_per_caller_hour": 2}, Cause.RATE_LIMIT_CALLER),
        ({"calls_per_callee_hour": 2}, Cause.RATE_LIMIT_CALLEE),
        ({"calls_per_x_hour": 2}, Cause.RATE_LIMIT_NUMBER),
        ({"minutes_per_day": 1}, Cause.DURATION_LIMIT),
    ],
)
def test_limits_of_an_hour_and_a_day(limit: dict[str, int], cause: Cause) -> None:
    world = World(pair(), owner=application(**limit))
    for _ in range(4):
        call(world, lasts=35.0 if "minutes_per_day" in limit else 2.0)
    assert [record.cause for record in world.records] == [Cause.NORMAL, Cause.NORMAL, cause, cause]
    assert (cause.sip_status, world.records[-1].sip_status) == (cause.sip_status, cause.sip_status)
    # By then the hour has slid away, and midnight (four in the morning it was, in Shanghai) has not come.
    world.run(3600.0)
    call(world)
    minutes = "minutes_per_day" in limit
    assert world.records[-1].cause is (Cause.DURATION_LIMIT if minutes else Cause.NORMAL)
    world.run(24 * 3600.0)
    call(world)
    assert world.records[-1].cause is Cause.NORMAL


@pytest.mark.parametrize(("longest", "minutes", "seconds"), [(20, 0, 20), (20, 1, 20), (120, 1, 60)])
def test_no_call_lasts_longer_than_any_may(longest: int, minutes: int, seconds: int) -> None:
    world = World(pair(policy=CallPolicy(max_minutes=minutes)), longest=longest)
    call(world, lasts=300.0)
    assert world.record.cause is Cause.MAX_DURATION
    assert world.record.talk_seconds == pytest.approx(seconds, abs=1.0)


def test_an_hour_unlike_the_others_is_told_of() -> None:
    world = World(pair(), surge_floor=3)
    for _ in range(6):
        call(world)
        world.run(3600.0)
    assert world.of(Surge) == []
    for _ in range(8):
        call(world)
    (told,) = world.of(Surge)
    assert told.application == "demo"
