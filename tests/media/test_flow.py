"""Counts of browsers' legs: what never came is told from what came late."""

from __future__ import annotations

import pytest

from media.flow import Flow, Totals
from media.rtp import HEADER


def flow_of(*numbers: int, ssrc: int = 7) -> Flow:
    made = Flow()
    for number in numbers:
        made.came(HEADER.pack(0x80, 8, number & 0xFFFF, 160 * number & 0xFFFFFFFF, ssrc) + bytes(160))
    return made


@pytest.mark.parametrize(
    ("numbers", "lost"),
    [
        ((), 0),
        ((5,), 0),
        ((5, 6, 9, 10), 2),
        ((5, 7, 6, 8), 0),
        ((65534, 65535, 65537, 65538), 1),
        ((10, 11, 11, 12), 0),
        ((10, 12, 30000, 30001, 30003), 2),
        ((10, 9, 8), 0),
    ],
)
def test_lost(numbers: tuple[int, ...], lost: int) -> None:
    assert flow_of(*numbers).lost == lost


def test_a_new_source_begins_anew() -> None:
    made = flow_of(1, 2, 4)
    made.came(HEADER.pack(0x80, 8, 500, 0, 8) + bytes(20))
    assert made.lost == 1
    assert (made.packets_in, made.octets_in) == (4, 3 * 172 + 32)


def test_totals_hold_legs_that_are_over() -> None:
    totals, over, standing = Totals(), flow_of(1, 3), flow_of(1)
    standing.went(bytes(172))
    totals.settle(over)
    assert totals.sums([standing]) == [3, 1, 3 * 172, 172, 1]
