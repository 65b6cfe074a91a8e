"""A customer's address that fails is left alone, and asked again now and then."""

from __future__ import annotations

import pytest

from gateway.api.breaker import EVENTS, FAILURES, PAUSES, Breaker, Breakers


def opened(now: float = 0.0) -> Breaker:
    breaker = Breaker()
    for number in range(FAILURES):
        assert breaker.allows(now)
        breaker.begin()
        assert breaker.note(False, now) == (number == FAILURES - 1)
    return breaker


def test_failures_in_a_row_open_it() -> None:
    breaker = opened(100.0)
    assert breaker.open
    assert not breaker.allows(100.0 + PAUSES[0] - 0.1)
    assert breaker.allows(100.0 + PAUSES[0])


def test_a_success_between_failures_keeps_it_closed() -> None:
    breaker = Breaker()
    for _ in range(5):
        for _ in range(FAILURES - 1):
            assert not breaker.note(False, 0.0)
        assert not breaker.note(True, 0.0)
    assert not breaker.open


def test_one_probe_at_a_time_and_each_failure_waits_longer() -> None:
    breaker, now = opened(), 0.0
    for pause in (*PAUSES[1:], PAUSES[-1], PAUSES[-1]):
        assert breaker.until is not None
        now = breaker.until
        assert breaker.allows(now)
        breaker.begin()
        assert not breaker.allows(now), "a second probe"
        assert not breaker.note(False, now)
        assert breaker.until == now + pause


def test_a_probe_that_succeeds_closes_it_and_the_next_failure_does_not_open_it() -> None:
    breaker = opened()
    breaker.begin()
    assert breaker.note(True, 5.0)
    assert not breaker.open
    assert not breaker.note(False, 5.0)
    assert breaker.allows(5.0)


def test_what_was_under_way_when_it_opened_makes_no_pause_longer() -> None:
    breaker = opened()
    for _ in range(30):
        breaker.note(False, 4.0)
    assert breaker.until == PAUSES[0]


def test_what_was_under_way_when_it_opened_closes_it_by_success() -> None:
    breaker = opened()
    assert breaker.note(True, 1.0)
    assert breaker.allows(1.0)


def test_a_probe_given_up_leaves_room_for_another() -> None:
    breaker = opened()
    breaker.begin()
    breaker.abandon()
    assert breaker.allows(PAUSES[0])


@pytest.mark.parametrize(
    ("kind", "open_kinds", "resting"),
    [
        ("callin", set(EVENTS), {*EVENTS, "fee"}),
        ("disconnect", set(EVENTS), {*EVENTS, "fee"}),
        ("fee", {"fee"}, {"fee"}),
        ("sms", {"sms"}, {"sms"}),
        ("numStatus", {"numStatus"}, {"numStatus"}),
    ],
)
def test_addresses_are_judged_each_by_itself(kind: str, open_kinds: set[str], resting: set[str]) -> None:
    breakers = Breakers()
    for _ in range(FAILURES):
        breakers.of("app", kind).note(False, 0.0)
    assert set(breakers.open_kinds("app")) == open_kinds
    assert set(breakers.resting_kinds("app", 0.0)) == resting
    assert breakers.resting_kinds("app", PAUSES[0]) == []
    assert breakers.open_kinds("other") == breakers.resting_kinds("other", 0.0) == []


def test_an_application_whose_events_rest_is_looked_at_now_and_then() -> None:
    breakers = Breakers()
    assert not breakers.rests("app", 100.0)
    for _ in range(FAILURES):
        breakers.of("app", "fee").note(False, 100.0)
    assert [breakers.rests("app", 100.0) for _ in range(3)] == [False] * 3, "its events go on"
    for _ in range(FAILURES):
        breakers.of("app", "callin").note(False, 100.0)
    looks = [at for at in range(100, 105) for _ in range(5) if not breakers.rests("app", float(at))]
    assert looks == [100, 101, 102, 103, 104]
    assert not breakers.rests("app", 50.0), "a clock that was set back"
