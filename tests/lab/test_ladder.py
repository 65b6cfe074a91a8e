from __future__ import annotations

import io

from rich.console import Console

from gateway.lab.ladder import Ladder


def lines(encoding: str = "utf-8", *, colour: bool = False) -> tuple[Ladder, io.TextIOWrapper]:
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = Console(file=out, width=100, force_terminal=colour, color_system="standard" if colour else None)
    return Ladder(console, 10.0), out


def text_of(out: io.TextIOWrapper) -> list[str]:
    out.seek(0)
    return out.read().splitlines()


def show(ladder: Ladder) -> None:
    ladder.message(10.0, "A", sent=True, title="INVITE")
    ladder.message(10.01, "B", sent=False, title="INVITE")
    ladder.message(10.02, "A", sent=False, title="100 Trying")
    ladder.message(10.5, "B", sent=True, title="180 Ringing")
    ladder.note(10.6, "A hears the waiting tone (620 Hz)")


def test_both_legs_line_up() -> None:
    ladder, out = lines()
    show(ladder)
    assert text_of(out) == [
        "   0.000  A │── INVITE ────────────────▶│                           │ B",
        "   0.010  A │                           │── INVITE ────────────────▶│ B",
        "   0.020  A │◀──────────── 100 Trying ──│                           │ B",
        "   0.500  A │                           │◀─────────── 180 Ringing ──│ B",
        "   0.600    │  A hears the waiting tone (620 Hz)",
    ]


def test_without_line_drawing_it_is_ascii() -> None:
    ladder, out = lines("ascii")
    show(ladder)
    ladder.table([("name", "value", True), ("other", "worse", False)])
    text = text_of(out)
    assert text[0] == "   0.000  A |-- INVITE ---------------->|                           | B"
    assert all(line.isascii() for line in text)


def test_colour_only_on_a_terminal() -> None:
    ladder, out = lines(colour=True)
    show(ladder)
    assert any("\x1b[" in line for line in text_of(out))


def test_a_long_title_is_cut_and_the_table_marks_what_fails() -> None:
    ladder, out = lines()
    ladder.message(10.0, "A", sent=False, title="480 Temporarily Unavailable And More")
    ladder.table([("name", "value", True), ("other", "worse", False)])
    text = text_of(out)
    assert "480 Temporarily Una…" in text[0]
    assert len(text[0]) == 71
    assert any(line.startswith("✔") and "value" in line for line in text)
    assert any(line.startswith("✘") and "worse" in line for line in text)
