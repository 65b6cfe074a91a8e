"""What the web process is started with."""

from __future__ import annotations

from gateway.heap import environment


def test_one_heap_and_all_that_is_ours() -> None:
    made = environment({"PATH": "/bin", "MASKLINE_WEB__LISTEN": "127.0.0.1:1"})
    assert made == {
        "PATH": "/bin",
        "MASKLINE_WEB__LISTEN": "127.0.0.1:1",
        "MALLOC_ARENA_MAX": "1",
        "MALLOC_TRIM_THRESHOLD_": "131072",
    }


def test_what_the_operator_says_stays() -> None:
    assert environment({"MALLOC_ARENA_MAX": "8"})["MALLOC_ARENA_MAX"] == "8"
