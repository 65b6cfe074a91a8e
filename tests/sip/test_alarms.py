from __future__ import annotations

from random import Random

from gateway.sip.alarms import FEW, Alarms


class One:
    def __init__(self, name: str = "") -> None:
        self.name = name
        self.armed: float | None = None


def test_the_earliest_first_and_once_each() -> None:
    alarms: Alarms[One] = Alarms()
    a, b, c = One("a"), One("b"), One("c")
    for one, at in ((a, 3.0), (b, 1.0), (c, 2.0)):
        alarms.set(one, at)
    assert alarms.deadline == 1.0
    assert alarms.next_due(0.9) is None
    assert [alarms.next_due(2.0), alarms.next_due(2.0), alarms.next_due(2.0)] == [b, c, None]
    assert (b.armed, a.armed) == (None, 3.0)


def test_the_last_word_counts() -> None:
    alarms: Alarms[One] = Alarms()
    one = One()
    for at in (5.0, 1.0, 9.0):
        alarms.set(one, at)
    assert alarms.deadline == 9.0
    alarms.set(one, None)
    assert alarms.deadline is None
    assert alarms.next_due(100.0) is None


def test_what_is_over_is_not_held_until_its_time() -> None:
    """A hundred thousand sessions that would have refreshed in a quarter of an hour."""
    alarms: Alarms[One] = Alarms()
    for number in range(100_000):
        one = One()
        alarms.set(one, number + 900.0)
        alarms.set(one, None)
    assert len(alarms) <= 2 * FEW + 2


def test_against_a_list_with_the_same_wishes() -> None:
    for seed in range(20):
        random, alarms = Random(seed), Alarms[One]()
        ones, wanted, now = [One(str(number)) for number in range(40)], dict[int, float](), 0.0
        for _ in range(3000):
            place = random.randrange(len(ones))
            if random.random() < 0.3:
                alarms.set(ones[place], None)
                wanted.pop(place, None)
            else:
                at = now + random.random() * random.choice((1, 1000))
                alarms.set(ones[place], at)
                wanted[place] = at
            now += random.random() * 0.1
            assert alarms.deadline == min(wanted.values(), default=None)
            while (due := alarms.next_due(now)) is not None:
                assert wanted.pop(int(due.name)) <= now
            assert all(at > now for at in wanted.values())
            assert len(alarms) <= 2 * len(wanted) + FEW + 2
