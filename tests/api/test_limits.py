"""Lock-out of a source and rate of an application, in given time."""

from __future__ import annotations

import pytest

from gateway.api.limits import Lockout, RateLimit, counted_source


def test_ten_failures_in_five_minutes_lock_for_thirty() -> None:
    lockout = Lockout()
    for second in range(9):
        lockout.failed("a", second)
    assert not lockout.locked("a", 9)
    lockout.failed("a", 9)
    assert lockout.locked("a", 9)
    assert lockout.locked("a", 1808)
    assert not lockout.locked("a", 1809)
    assert not lockout.locked("b", 9)


def test_old_failures_do_not_count() -> None:
    lockout = Lockout()
    for step in range(30):
        lockout.failed("a", step * 34.0)
        assert not lockout.locked("a", step * 34.0)


def test_memory_is_bounded() -> None:
    lockout = Lockout(failures=1, capacity=3)
    for source in "abcd":
        lockout.failed(source, 0)
    assert [lockout.locked(source, 1) for source in "abcd"] == [False, True, True, True]


def test_rate() -> None:
    rate = RateLimit(2)
    assert [rate.admits("k", 0), rate.admits("k", 0), rate.admits("k", 0)] == [True, True, False]
    assert rate.admits("other", 0)
    assert [rate.admits("k", 0.5), rate.admits("k", 0.5)] == [True, False]


@pytest.mark.parametrize(
    ("source", "counted"),
    [("192.0.2.1", "192.0.2.1"), ("2001:db8::1", "2001:db8::/64"), ("2001:db8::ffff:1", "2001:db8::/64"),
     ("::ffff:192.0.2.1", "::ffff:192.0.2.1"), ("", "")],
)  # fmt: skip
def test_what_failures_count_against(source: str, counted: str) -> None:
    assert counted_source(source) == counted
