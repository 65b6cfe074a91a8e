from __future__ import annotations

import pytest

from gateway.recordings.clock import SETTLE, SteadyClock

DAY = 86400.0


def test_it_goes_with_the_wall_and_follows_small_corrections() -> None:
    clock = SteadyClock(1000.0, 10.0)
    assert clock.now(1060.0, 70.0) == 1060.0
    assert clock.now(1100.0, 100.0) == 1100.0
    assert not clock.strange


@pytest.mark.parametrize("jump", [-30 * DAY, -61.0, 61.0, 30 * DAY])
def test_a_jump_is_not_followed_until_it_has_stood_for_a_day(jump: float) -> None:
    clock = SteadyClock(1000.0, 0.0)
    assert clock.now(1010.0 + jump, 10.0) == 1010.0
    assert clock.strange
    assert clock.now(1000.0 + jump + SETTLE, SETTLE) == 1000.0 + SETTLE
    assert clock.now(1010.0 + jump + SETTLE, 10.0 + SETTLE) == 1010.0 + jump + SETTLE
    assert (clock.strange, clock.later) == (False, max(0.0, jump))


def test_one_that_comes_back_was_nothing() -> None:
    clock = SteadyClock(1000.0, 0.0)
    clock.now(1000.0 + DAY, 1.0)
    assert clock.now(1002.0, 2.0) == 1002.0
    assert (clock.strange, clock.later) == (False, 0.0)


def test_a_clock_that_wanders_begins_to_settle_anew() -> None:
    clock = SteadyClock(1000.0, 0.0)
    for hours in range(1, 60):
        ticks = hours * 3600.0
        assert clock.now(1000.0 + ticks + hours * DAY, ticks) == 1000.0 + ticks


@pytest.mark.parametrize(
    ("wall", "same_boot", "ours"),
    [
        (5100.0, True, 5100.0),
        (5100.0 + DAY, True, 5100.0),
        (5000.0 + 2 * DAY, False, 5000.0 + 2 * DAY),
        (5000.0 + 9 * DAY, False, 5000.0),
        (100.0, False, 5000.0),
    ],
)
def test_after_a_restart(wall: float, same_boot: bool, ours: float) -> None:
    clock = SteadyClock(wall, 300.0, (5000.0, 200.0, same_boot))
    assert clock.now(wall, 300.0) == ours
