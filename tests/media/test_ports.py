"""Pairs of ports: never out twice, rested before they are used again."""

from __future__ import annotations

import random

import pytest

from media.ports import PortPool


def test_even_ports_with_room_for_their_rtcp() -> None:
    pool = PortPool(20001, 20006, 30.0)
    assert [pool.take(0.0), pool.take(0.0), pool.take(0.0)] == [20002, 20004, None]


def test_the_longest_rested_goes_first() -> None:
    pool = PortPool(20000, 20005, 30.0)
    for _ in range(3):
        pool.take(0.0)
    pool.give_back(20004, 1.0)
    pool.give_back(20000, 2.0)
    assert [pool.take(30.9), pool.take(31.0), pool.take(31.0), pool.take(32.0)] == [None, 20004, None, 20000]


def test_an_unused_pair_needs_no_rest() -> None:
    pool = PortPool(20000, 20001, 30.0)
    pool.take(0.0)
    pool.put_back(20000)
    assert pool.take(0.0) == 20000


def test_what_is_not_out_cant_come_back() -> None:
    pool = PortPool(20000, 20003, 30.0)
    for give in (lambda: pool.give_back(20000, 0.0), lambda: pool.put_back(20000)):
        with pytest.raises(ValueError, match="20000"):
            give()


def test_no_port_is_ever_out_twice_nor_back_before_its_rest() -> None:
    chance, pool = random.Random(4), PortPool(20000, 20039, 5.0)
    out: list[int] = []
    freed: dict[int, float] = {}
    now = 0.0
    for _ in range(3000):
        now += chance.random()
        if out and chance.random() < 0.5:
            port = out.pop(chance.randrange(len(out)))
            pool.give_back(port, now)
            freed[port] = now
        else:
            taken = pool.take(now)
            if taken is not None:
                assert taken not in out
                assert now - freed.get(taken, -9.0) >= 5.0
                out.append(taken)
        assert pool.out == len(out)


def test_resting_pairs_are_counted_until_they_may_be_taken() -> None:
    pool = PortPool(20000, 20009, 30.0)
    first, second = pool.take(0.0), pool.take(0.0)
    assert first is not None
    assert second is not None
    pool.give_back(first, 1.0)
    pool.give_back(second, 5.0)
    assert [pool.resting(now) for now in (6.0, 31.0, 35.0)] == [2, 1, 0]


def test_a_certain_pair_is_taken_even_while_it_rests() -> None:
    pool = PortPool(20000, 20007, 30.0)
    first = pool.take(0.0)
    assert first == 20000
    pool.give_back(first, 0.0)
    assert pool.claim(20000)
    assert not pool.claim(20000), "it is out"
    assert not pool.claim(30000), "it is none of these"
    assert pool.out == 1


def test_what_a_predecessor_had_rests() -> None:
    pool = PortPool(20000, 20007, 30.0)
    pool.rest((20000, 20004, 40000), 0.0)
    assert [pool.take(1.0) for _ in range(3)] == [20002, 20006, None]
    assert pool.resting(1.0) == 2
    assert pool.take(30.0) == 20000
