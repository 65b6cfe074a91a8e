"""Three times the usual hour: told once, and only when there is a usual hour."""

from __future__ import annotations

from gateway.calls.surge import HOURS, Surge, Usual


def calls(usual: Usual, hour: int, number: int) -> list[Surge]:
    return [found for _ in range(number) if (found := usual.count("app", hour)) is not None]


def test_three_times_the_usual_hour_is_told_once() -> None:
    usual = Usual(3.0, 10)
    for hour in range(100, 106):
        assert calls(usual, hour, 20) == []
    assert calls(usual, 106, 200) == [Surge("app", 60, 20.0)]
    assert calls(usual, 106, 200) == []
    assert usual.surges == 1


def test_hours_without_a_call_are_usual_too() -> None:
    usual = Usual(3.0, 10)
    calls(usual, 100, 60)
    assert calls(usual, 106, 59) == [Surge("app", 30, 10.0)]


def test_nothing_is_usual_at_first_and_small_numbers_are_nothing() -> None:
    usual = Usual(3.0, 50)
    assert calls(usual, 100, 1000) == []
    assert calls(usual, 101, 5000) == []
    few = Usual(3.0, 50)
    for hour in range(100, 110):
        assert calls(few, hour, 1) == []
    assert calls(few, 110, 49) == []
    assert calls(few, 110, 1) == [Surge("app", 50, 1.0)]
    assert calls(Usual(0.0, 1), 100, 1000) == []


def test_only_a_day_is_remembered() -> None:
    usual = Usual(3.0, 10)
    for hour in range(1000):
        calls(usual, hour, 1)
    assert len(usual._counts["app"]) == HOURS + 1


def test_what_is_written_down_of_before_counts() -> None:
    usual = Usual(3.0, 10)
    usual.known("app", dict.fromkeys(range(100, 110), 10))
    assert calls(usual, 110, 40) == [Surge("app", 30, 10.0)]
