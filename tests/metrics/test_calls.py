"""What the end of a call leaves in the figures."""

from __future__ import annotations

from typing import Any

from gateway.calls.record import CallRecord
from gateway.causes import Cause
from gateway.metrics.calls import count_call, count_media
from gateway.metrics.tally import Tally
from gateway.numbers import PhoneNumber
from media.control import Closed, LegStats


def record(**known: Any) -> CallRecord:
    base: dict[str, Any] = {
        "session": "s", "trunk": "in", "application": "a", "mode": "AXB", "binding": None, "user_data": None,
        "direction": 0, "x": PhoneNumber("+8617000000001"), "caller": None, "shown": None, "callee": None,
        "started": 10.0, "cause": Cause.NORMAL, "way": "out",
    }  # fmt: skip
    return CallRecord(**(base | known))


def sums(tally: Tally) -> dict[str, float]:
    return {f"{name} {' '.join(labels)}".strip(): numbers[-1] for name, labels, numbers in tally.rows()}


def test_an_answered_call() -> None:
    tally = Tally()
    count_call(tally, record(forwarded=10.5, rang=12.0, answered=15.5, ended=75.5))
    assert sums(tally) == {
        "maskline_calls_total AXB normal in": 1,
        "maskline_post_dial_delay_seconds out": 2.0,
        "maskline_answer_seconds out": 5.0,
        "maskline_call_duration_seconds out": 60.0,
    }


def test_who_had_to_dial_an_extension_waits_from_the_callee_s_invite() -> None:
    tally = Tally()
    count_call(tally, record(mode="AXE", forwarded=20.5, rang=22.0, ended=30.0, cause=Cause.NO_ANSWER))
    assert sums(tally)["maskline_post_dial_delay_seconds out"] == 1.5


def test_a_call_that_nobody_could_place() -> None:
    tally = Tally()
    count_call(tally, record(mode="", way="", ended=10.1, cause=Cause.NUMBER_UNKNOWN_HERE))
    assert sums(tally) == {"maskline_calls_total none number_unknown_here in": 1}


def test_jitter_of_legs_that_were_heard() -> None:
    tally = Tally()
    count_media(tally, Closed("s", LegStats(received=100, jitter=0.004), LegStats()))
    assert sums(tally) == {"maskline_rtp_jitter_seconds caller": 0.004}
