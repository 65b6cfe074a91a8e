"""What a call's record says of its sound."""

from __future__ import annotations

import json

import pytest

from gateway.calls.quality import MOST, CallQuality
from gateway.standing import StandingSound
from media.control import LegQuality, Quality

GOOD = LegQuality(250, 0, 0.004, 0.05, 4.4, 0.0, 0.002, 4.38)
BAD = LegQuality(200, 50, 0.04, -1.0, 2.0, -1.0, -1.0, 0.0)
NOTHING = LegQuality(0, 0, 0.0, -1.0, 0.0, -1.0, -1.0, 0.0)


def test_a_call_of_three_intervals() -> None:
    quality = CallQuality()
    for index, caller in enumerate((GOOD, BAD, NOTHING)):
        quality.add(Quality("s", caller, GOOD), 112.0 + 5 * index)
    found = json.loads(json.dumps(quality.summary(100.0)))
    assert (found["seconds"], found["after"]) == (5.0, 7.0)
    assert found["caller"] == {
        "packets": 450, "lost": 50, "mos": 3.2, "worst": 2.0, "jitter_ms": 40, "round_trip_ms": 50, "far_mos": 4.38,
        "series": [[4.4, 0.0, 4, 50, 4.38], [2.0, 20.0, 40, None, None], [None, 0.0, 0, None, None]],
    }  # fmt: skip
    assert found["callee"]["mos"] == 4.4
    caller, callee = quality.latest or (None, None)
    assert caller == StandingSound(mos=None, lost_percent=0.0, jitter_ms=0, round_trip_ms=None, far_mos=None)
    assert callee == StandingSound(mos=4.4, lost_percent=0.0, jitter_ms=4, round_trip_ms=50, far_mos=4.38)
    assert CallQuality().latest is None


@pytest.mark.parametrize("hours", [1, 5, 30])
def test_a_long_call_keeps_its_worst_moments_in_bounded_room(hours: int) -> None:
    quality = CallQuality()
    count = hours * 720 + 7
    for index in range(count):
        quality.add(Quality("s", BAD if index == count // 3 else GOOD, GOOD), 5.0 * index)
    found = quality.summary(0.0)
    assert found is not None
    rows = found["caller"]["series"]
    assert MOST / 2 <= len(rows) <= MOST
    assert sum(row[0] == 2.0 for row in rows) == 1
    at = next(index for index, row in enumerate(rows) if row[0] == 2.0)
    assert at * found["seconds"] <= count // 3 * 5 < (at + 1) * found["seconds"]
    assert found["caller"]["packets"] == 250 * count - 50


def test_a_silent_call() -> None:
    quality = CallQuality()
    assert quality.summary(0.0) is None
    quality.add(Quality("s", NOTHING, NOTHING), 3.0)
    found = quality.summary(0.0)
    assert found is not None
    assert found["caller"]["mos"] is None


def test_what_no_worker_told_of_is_a_gap_on_the_axis() -> None:
    """A worker died 12 s after its last word; the last interval of a call is a short one."""
    quality = CallQuality()
    for now in (5.02, 10.0, 27.1, 28.4):
        quality.add(Quality("s", GOOD, GOOD), now)
    found = quality.summary(0.0)
    assert found is not None
    assert found["after"] == 0.0
    assert [row[0] for row in found["caller"]["series"]] == [4.4, 4.4, None, None, 4.4, 4.4]
    assert found["caller"]["packets"] == 1000
