"""Loss and jitter as RFC 3550 A.3 and A.8 count them, and what begins a numbering anew."""

from __future__ import annotations

import pytest

from media.receiver import Receiver


def feed(receiver: Receiver, rows: list[tuple[int, int, float]], ssrc: int = 7) -> None:
    for seq, stamp, now in rows:
        receiver.receive(ssrc, seq & 0xFFFF, stamp & 0xFFFFFFFF, 160, now)


def steady(first: int, count: int, *, at: float = 1.0) -> list[tuple[int, int, float]]:
    return [(first + index, (first + index) * 160, at + index * 0.02) for index in range(count)]


def test_loss_across_the_wrap_of_the_sequence() -> None:
    receiver = Receiver()
    rows = steady(65530, 20)
    feed(receiver, [row for row in rows if row[0] not in (65533, 65536, 65540)])
    assert (receiver.received, receiver.lost, receiver.extended) == (17, 3, 65530 + 19)


def test_late_and_doubled_packets() -> None:
    receiver = Receiver()
    rows = steady(10, 6)
    feed(receiver, [rows[0], rows[2], rows[1], rows[3], rows[3], rows[5]])
    assert receiver.lost == 0, "one lost, one double: A.3 counts what came"
    assert receiver.received == 6


def test_fraction_is_of_the_time_since_the_last_report() -> None:
    receiver = Receiver()
    rows = steady(0, 40)
    feed(receiver, [row for row in rows[:20] if row[0] % 4 != 1])
    assert receiver.fraction_lost() == 256 * 5 // 20
    feed(receiver, rows[20:])
    assert receiver.fraction_lost() == 0
    assert receiver.lost == 5


def test_jitter_of_alternating_arrivals() -> None:
    receiver = Receiver()
    feed(receiver, [(index, index * 160, index * 0.02 + (0.01 if index % 2 else 0.0)) for index in range(400)])
    assert receiver.jitter == pytest.approx(80, rel=0.02)


def test_what_begins_anew() -> None:
    def begins(row: tuple[int, int, float], ssrc: int = 7) -> bool:
        receiver = Receiver()
        feed(receiver, steady(100, 10))
        before = receiver.source
        feed(receiver, [row], ssrc)
        return receiver.source is not before

    at = 1.2
    assert not begins((110, 110 * 160, at))
    assert not begins((114, 114 * 160, at + 0.08)), "a loss"
    assert not begins((110, 110 * 160 + 80000, at + 10)), "a pause that the timestamp knows of"
    assert not begins((105, 105 * 160, at)), "late"
    assert begins((110, 110 * 160, at), ssrc=8)
    assert begins((9000, 110 * 160, at))
    assert begins((110, 110 * 160 + 800000, at)), "ahead of the clock"
    assert begins((110, 500, at)), "back"
    assert begins((110, 110 * 160, at + 10)), "a pause that the timestamp does not know of"


def test_a_new_numbering_keeps_the_old_losses_and_adds_none() -> None:
    receiver = Receiver()
    feed(receiver, [row for row in steady(0, 10) if row[0] != 4])
    feed(receiver, steady(40000, 10, at=1.2), ssrc=9)
    assert (receiver.lost, receiver.received) == (1, 19)
