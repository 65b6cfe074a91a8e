"""Parts of long messages: in any order, twice, never, and more of them than can be kept."""

from __future__ import annotations

from random import Random

from gateway.sms import pieces
from gateway.sms.pieces import Pieces
from gateway.sms.tpdu import Piece

TEXTS = ["one ", "two ", "three"]


def part(index: int, reference: int = 9, total: int = 3) -> Piece:
    return Piece(reference, total, index)


def test_in_any_order_and_some_twice() -> None:
    random = Random(7)
    for _ in range(50):
        waiting, order = Pieces(), [1, 2, 3, *random.choices([1, 2], k=2)]
        random.shuffle(order)
        order = order[: max(order.index(one) for one in (1, 2, 3)) + 1]
        told = [waiting.add("a", part(index), TEXTS[index - 1]) for index in order]
        assert told == [True, *[False] * (len(order) - 2), None]
        assert waiting.take("a", part(1)) == "one two three"
        assert waiting.take("a", part(1)) is None


def test_messages_are_told_apart() -> None:
    waiting = Pieces()
    assert [waiting.add(key, part(1, reference), "x") for key in "ab" for reference in (1, 2)] == [True] * 4
    assert waiting.add("a", part(1, 1, total=2), "x") is True
    assert waiting.take("b", part(3, 2)) == "x"


def test_what_has_come_when_it_is_waited_for_no_longer() -> None:
    waiting = Pieces()
    waiting.add("a", part(3), "three")
    waiting.add("a", part(1), "one ")
    assert waiting.take("a", part(1)) == "one three"


def test_a_part_of_one_is_whole_and_so_is_what_finds_no_room() -> None:
    waiting = Pieces()
    assert waiting.add("a", part(1, total=1), "x") is None
    assert waiting.take("a", part(1, total=1)) == "x"
    for number in range(pieces.MOST):
        assert waiting.add(number, part(1), "x") is True
    assert waiting.add("late", part(2), "y") is None
    assert waiting.take("late", part(2)) == "y"
