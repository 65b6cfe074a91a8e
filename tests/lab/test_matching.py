from __future__ import annotations

from typing import Any

import pytest

from gateway.scenarios.matching import ABSENT, faults, in_words, matches


@pytest.mark.parametrize(
    ("wanted", "right", "wrong"),
    [
        (0, [0, 0.0], [1, "0", ABSENT, None]),
        ("a", ["a"], ["b", 1, ABSENT]),
        ({"present": True}, [0, ""], [ABSENT]),
        ({"present": False}, [ABSENT], [0]),
        ({"matches": r"^r.*\.wav$"}, ["rec.wav"], ["rec.wave", 7, ABSENT]),
        ({"one_of": [0, "a"]}, [0, "a"], ["0", ABSENT]),
        ({"min": 2, "max": 3}, [2, 2.5, 3], [1.9, 3.1, "2", ABSENT, True]),
        ({"max": 3}, [-1], [4]),
    ],
)
def test_what_matches(wanted: Any, right: list[Any], wrong: list[Any]) -> None:
    assert list(faults(wanted, "x")) == []
    assert [got for got in right if not matches(wanted, got)] == []
    assert [got for got in wrong if matches(wanted, got)] == []
    assert in_words(wanted)


@pytest.mark.parametrize(
    ("wanted", "path"),
    [
        ({"mtches": "a"}, "x.mtches"),
        ({}, "x"),
        ({"matches": "("}, "x.matches"),
        ({"matches": 3}, "x.matches"),
        ({"present": 1}, "x.present"),
        ({"one_of": 1}, "x.one_of"),
        ({"min": "a"}, "x.min"),
        ({"min": 1, "present": True}, "x"),
    ],
)
def test_a_matcher_that_is_none_is_named(wanted: Any, path: str) -> None:
    assert path in [where for where, _ in faults(wanted, "x")]
