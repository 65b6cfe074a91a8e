"""Shedding against a server made of a queue and a cost, in virtual time: goodput holds, and the queue stays short."""

from __future__ import annotations

import pytest

from gateway.sip.overload import LEAST, Overload

TICK = 0.1
CAPACITY = 300.0
COST = 1.0 / CAPACITY
SHED_COST = COST / 15
BUFFER = 0.2
"""Seconds of work that the kernel holds for us; the rest is lost."""


class Server:
    """``offered`` calls a second for some time; what isn't worked off waits."""

    def __init__(self) -> None:
        self.overload = Overload()
        self.now = 0.0
        self.queue = 0.0
        """Seconds of work that wait."""
        self.turns: list[tuple[float, bool]] = []
        self._due = 0.0

    def run(self, offered: float, seconds: float, waiting: int = 0) -> tuple[float, float]:
        """Calls a second let in, and the longest queue."""
        admitted, longest = 0, 0.0
        for _ in range(round(seconds / TICK)):
            self.now += TICK
            self._due += offered * TICK
            lost = False
            while self._due >= 1.0:
                self._due -= 1.0
                if self.queue >= BUFFER:
                    lost = True
                    continue
                taken = self.overload.admits()
                admitted += taken
                self.queue += COST if taken else SHED_COST
            worked = min(TICK, self.queue)
            self.queue -= worked
            longest = max(longest, self.queue)
            turned = self.overload.observe(self.queue / BUFFER, lost, 0.0, waiting, self.now)
            if turned is not None:
                self.turns.append((self.now, turned))
        return admitted / seconds, longest


@pytest.mark.parametrize("times", [1.5, 3.0, 10.0])
def test_goodput_holds_and_the_queue_stays_short(times: float) -> None:
    server = Server()
    server.run(times * CAPACITY, 20.0)
    goodput, longest = server.run(times * CAPACITY, 60.0)
    spent_on_shedding = (times * CAPACITY - goodput) * SHED_COST
    assert goodput > 0.85 * CAPACITY * (1 - spent_on_shedding)
    assert longest < 0.3


def test_below_capacity_nothing_is_shed() -> None:
    server = Server()
    assert server.run(0.9 * CAPACITY, 60.0)[0] == pytest.approx(0.9 * CAPACITY, rel=0.01)
    assert server.overload.shed == 0


def test_a_burst_that_is_worked_off_sheds_nothing() -> None:
    server = Server()
    server.run(0.5 * CAPACITY, 5.0)
    server.run(1.5 * CAPACITY, 0.1)
    server.run(0.5 * CAPACITY, 5.0)
    assert server.overload.shed == 0


def test_it_begins_once_and_ends_once() -> None:
    server = Server()
    server.run(0.5 * CAPACITY, 5.0)
    server.run(3 * CAPACITY, 30.0)
    server.run(0.5 * CAPACITY, 30.0)
    (began, one), (ended, two) = server.turns
    assert (one, two) == (True, False)
    assert 5.0 < began < 8.0
    assert 35.0 < ended < 65.0
    assert server.overload.share == 1.0


def test_a_database_that_does_not_answer_sheds_too() -> None:
    server = Server()
    assert server.run(0.1 * CAPACITY, 20.0, waiting=1000)[0] < 0.2 * 0.1 * CAPACITY
    assert server.overload.share == LEAST
    server.run(0.1 * CAPACITY, 30.0)
    assert not server.overload.shedding


def test_the_share_is_let_in_evenly() -> None:
    overload = Overload()
    overload.share = 0.25
    taken = [overload.admits() for _ in range(400)]
    assert sum(taken) in (100, 101)
    assert all(sum(taken[start : start + 8]) == 2 for start in range(8, 392))
    assert overload.shed == 400 - sum(taken)
