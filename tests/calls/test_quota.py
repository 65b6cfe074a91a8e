"""Limits of an application, an X and a caller, in virtual time."""

from __future__ import annotations

from gateway.bindings.decisions import Limits
from gateway.calls.quota import Quota
from gateway.causes import Cause
from gateway.numbers import PhoneNumber

A, B = PhoneNumber("+8613800000021"), PhoneNumber("+8613800000023")
X, Y = PhoneNumber("+8617000000001"), PhoneNumber("+8617000000002")


def test_what_has_no_limit_is_let_in() -> None:
    quota = Quota()
    assert {quota.admit(Limits(), "app", X, None, 0.0) for _ in range(1000)} == {None}
    for _ in range(1000):
        quota.release("app", X)
    assert not quota.calls
    assert not quota.numbers


def test_each_application_and_each_x_has_its_own() -> None:
    quota, limits = Quota(), Limits(calls=2, calls_per_x=1)
    assert quota.admit(limits, "app", X, A, 0.0) is None
    assert quota.admit(limits, "app", X, A, 0.0) is Cause.RATE_LIMIT_NUMBER
    assert quota.admit(limits, "app", Y, A, 0.0) is None
    assert quota.admit(limits, "app", Y, A, 0.0) is Cause.TENANT_OUT_OF_PORTS
    assert quota.admit(limits, "other", X, A, 0.0) is None
    quota.release("app", X)
    assert quota.admit(limits, "app", X, A, 0.0) is None


def test_a_rate_fills_up_again_and_may_be_changed() -> None:
    quota = Quota()

    def admit(now: float, rate: float = 2.0) -> Cause | None:
        return quota.admit(Limits(calls_per_second=rate), "app", X, A, now)

    assert [admit(0.0) for _ in range(3)] == [None, None, Cause.RATE_LIMIT_APPLICATION]
    assert admit(0.5) is None
    assert admit(0.5) is Cause.RATE_LIMIT_APPLICATION
    assert admit(0.5, 4.0) is None


def test_a_callers_minute_slides() -> None:
    quota, limits = Quota(), Limits(calls_per_caller_minute=2)
    times = {
        0.0: None,
        30.0: None,
        59.0: Cause.RATE_LIMIT_CALLER,
        60.0: None,
        61.0: Cause.RATE_LIMIT_CALLER,
        90.0: None,
    }
    assert {now: quota.admit(limits, "app", X, A, now) for now in times} == times
    assert quota.admit(limits, "app", X, B, 61.0) is None
    assert quota.admit(limits, "app", X, None, 61.0) is None, "who gives no number can't be counted"
