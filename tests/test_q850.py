"""Reason headers (RFC 3326) and what a refusal means with and without one (privatenumber.md section 8.4)."""

from __future__ import annotations

import pytest

from gateway.causes import _BY_Q850, Cause, cause_of_refusal, q850_of


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (["Q.850;cause=17"], 17),
        (['q.850 ; text="user busy" ; cause = 17'], 17),
        (['SIP;cause=486;text="Busy, here", Q.850;cause=17;text="x"'], 17),
        (["SIP;cause=486", "Q.850;cause=21"], 21),
        (['Q.850;text="cause=99";cause=16'], 16),
        (['Q.850;text="a \\" ;cause=99";cause=16'], 16),
        (["Q.850;cause=0"], None),
        (["Q.850;cause=128"], None),
        (["Q.850;cause=1700"], None),
        (["Q.850;cause=x"], None),
        (["Q.850"], None),
        (["SIP;cause=200"], None),
        (["XQ.850;cause=17"], None),
        (["preemption;cause=1;text=Q.850"], None),
        ([""], None),
        ([], None),
        (["Q.850" + ";a" * 100_000 + ";cause=17"], None),
        (['Q.850;text="' + "\\" * 100_000], None),
    ],
)
def test_reading_a_reason(lines: list[str], found: int | None) -> None:
    assert q850_of(lines) == found


@pytest.mark.parametrize(
    ("status", "rang", "q850", "cause"),
    [
        # What section 8.4 names stays, whatever stands beside it.
        (404, False, 17, Cause.CALLEE_UNKNOWN),
        (486, False, 21, Cause.BUSY),
        (600, True, 19, Cause.BUSY),
        (603, True, 17, Cause.CALLEE_REJECTED),
        (403, True, 17, Cause.CALLEE_REFUSED),
        (408, False, 17, Cause.CONNECT_TIMEOUT),
        # Where the status says little the cause counts.
        (480, False, 17, Cause.BUSY),
        (480, False, 1, Cause.CALLEE_UNKNOWN),
        (480, True, 21, Cause.CALLEE_REJECTED),
        (480, True, 20, Cause.NO_ANSWER),
        (480, False, 20, Cause.UNREACHABLE),
        (480, False, 18, Cause.UNREACHABLE),
        (500, False, 17, Cause.BUSY),
        (503, False, 34, Cause.CALLEE_SIDE_FAILED),
        (502, False, 3, Cause.NO_ROUTE),
        (487, True, 19, Cause.NO_ANSWER),
        # Without one, or with one that says nothing of a callee, as before.
        (480, True, None, Cause.NO_ANSWER),
        (480, False, 16, Cause.UNREACHABLE),
        (480, False, 31, Cause.UNREACHABLE),
        (500, False, None, Cause.CALLEE_SIDE_FAILED),
        (488, False, None, Cause.CALLEE_REFUSED),
        (302, False, None, Cause.CALLEE_SIDE_FAILED),
    ],
)
def test_what_a_refusal_means(status: int, rang: bool, q850: int | None, cause: Cause) -> None:
    assert cause_of_refusal(status, rang=rang, q850=q850)[0] is cause


def test_the_table_and_the_causes_agree() -> None:
    """A cause's own Q.850 number, read back, is that cause again, where it is one of a callee."""
    for cause in (Cause.BUSY, Cause.NO_ANSWER, Cause.CALLEE_UNKNOWN, Cause.CALLEE_REJECTED, Cause.NO_ROUTE):
        assert _BY_Q850[cause.q850] is cause
