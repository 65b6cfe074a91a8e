"""A process rests only while much comes, and soon not any more."""

from __future__ import annotations

import pytest

from gateway.sip.pace import BUSY, SECONDS, WINDOW, Pace


def rests(pace: Pace, a_second: float, since: float, seconds: float) -> list[float]:
    """What it says after each message of a steady stream."""
    said = []
    for number in range(round(a_second * seconds)):
        pace.note()
        said.append(pace.rest(since + number / a_second))
    return said


@pytest.mark.parametrize("a_second", [1, 20, 0.8 * BUSY])
def test_who_has_little_to_do_is_woken_at_once(a_second: float) -> None:
    assert set(rests(Pace(), a_second, 1000.0, 20.0)) == {0.0}


def test_a_short_burst_is_not_much() -> None:
    pace = Pace()
    pace.rest(1000.0)
    assert set(rests(pace, 10 * BUSY, 1000.0, 0.1 * WINDOW)) == {0.0}


def test_who_has_much_to_do_rests_after_each_handful() -> None:
    said = rests(Pace(), 1.2 * BUSY, 1000.0, 10.0)
    first = said.index(SECONDS)
    assert first <= 1.2 * BUSY * 2 * WINDOW + 1
    assert set(said[first:]) == {SECONDS}


def test_it_counts_messages_and_not_handfuls() -> None:
    pace, now, said = Pace(), 1000.0, []
    for _ in range(200):
        for _ in range(8):
            pace.note()
        said.append(pace.rest(now))
        now += SECONDS
    assert said[-1] == SECONDS


def test_it_ends_when_the_load_does() -> None:
    pace = Pace()
    assert rests(pace, 2 * BUSY, 1000.0, 1.0)[-1] == SECONDS
    assert rests(pace, 10, 1001.0, 1.0)[2:] == [0.0] * 8
