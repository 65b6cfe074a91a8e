"""Each key is reported once, whatever the link does to its packets (RFC 4733 §2.5)."""

from __future__ import annotations

import random

from media.telephone_event import DigitReader


def event(key: int, duration: int, *, end: bool = False) -> bytes:
    return bytes((key, 0x80 * end | 10)) + duration.to_bytes(2, "big")


def pressed(stamp: int, key: int) -> list[tuple[int, bytes]]:
    rows = [(stamp, event(key, 160 * index)) for index in range(1, 6)]
    return rows + [(stamp, event(key, 800, end=True))] * 3


def read(rows: list[tuple[int, bytes]]) -> str:
    reader = DigitReader()
    return "".join(reader.receive(stamp, payload) for stamp, payload in rows)


def test_once_at_the_end() -> None:
    reader = DigitReader()
    assert [reader.receive(*row) for row in pressed(0, 11)] == ["", "", "", "", "", "#", "", ""]


def test_the_same_key_twice() -> None:
    assert read(pressed(0, 1) + pressed(4000, 1)) == "11"


def test_a_lost_end_shows_with_the_next_key() -> None:
    assert read(pressed(0, 1)[:4] + pressed(4000, 2)) == "12"


def test_an_end_that_comes_late() -> None:
    first, second = pressed(0, 1), pressed(4000, 2)
    assert read([*first[:7], second[0], first[7], *second[1:]]) == "12"
    assert read([*first[:5], second[0], first[7], *second[1:]]) == "12"


def test_a_long_event_in_segments_is_one_key() -> None:
    rows = [(0, event(3, 65535)), (65535, event(3, 65535)), (131070, event(3, 900, end=True))]
    assert read(rows) == "3"


def test_other_events_and_scraps_are_no_keys() -> None:
    assert read([(0, event(16, 160, end=True)), (8, b""), (16, b"\x01\x80"), (24, event(255, 0, end=True))]) == ""


def test_lost_packets_cost_a_key_only_when_all_are_lost() -> None:
    chance = random.Random(8)
    for _ in range(200):
        keys = [chance.randrange(16) for _ in range(6)]
        kept = [[row for row in pressed(9000 * at, key) if chance.random() > 0.4] for at, key in enumerate(keys)]
        rows = [row for one in kept for row in one]
        expected = "".join("0123456789*#ABCD"[key] for key, one in zip(keys, kept, strict=True) if one)
        assert read([*rows, (999999, event(0, 160))]) == expected
