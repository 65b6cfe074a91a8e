"""The judge of the soak: what rises is told from what wanders."""

from __future__ import annotations

import pytest

from tests.bench.soak import judge, slope


def test_slope_of_a_line() -> None:
    assert slope([(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)]) == pytest.approx(2.0)
    assert slope([(0.0, 1.0)]) == 0.0


@pytest.mark.parametrize(("per_second", "flat"), [(0.0, True), (0.05, False), (-0.05, True)])
def test_what_rises_is_told_from_what_wanders(per_second: float, flat: bool) -> None:
    points = [(at, 100.0 + per_second * at + (at * 7 % 5) / 5) for at in (2.0 * number for number in range(150))]
    warming = [(at, value if at > 100 else 50.0) for at, value in points]
    assert judge({("signalling", "memory"): warming}, 300.0) is flat


def test_a_socket_for_each_call_is_a_leak() -> None:
    points = [(2.0 * number, 30.0 + number // 10) for number in range(150)]
    assert judge({("media", "sockets"): points}, 300.0) is False
