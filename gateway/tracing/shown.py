"""A trace as people read it: both legs on one ladder, then each message in full when asked, once however often sent."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import Console

from gateway.lab.ladder import Ladder
from gateway.tracing.messages import CALLER, Seen, title_of


def show(console: Console, trace: Sequence[tuple[int, Seen]], *, full: bool = False) -> None:
    """``trace``: (side, message) in order, masked already where it must be."""
    if not trace:
        return
    first = trace[0][1].at
    ladder = Ladder(console, first)
    legs = " ".join(f"{'A' if side == CALLER else 'B'} = {peer}" for side, peer in _peers(trace))
    ladder.say(f"{datetime.fromtimestamp(first, UTC):%Y-%m-%d %H:%M:%S} UTC  {legs}")
    firsts: dict[tuple[bool, str, bytes], int] = {}
    for number, (side, seen) in enumerate(trace, 1):
        first_number = firsts.setdefault((seen.sent, str(seen.peer), seen.data), number)
        again = "" if first_number == number else " again"
        title = f"{_harmless(title_of(seen.data))} ({first_number}{again})"
        ladder.message(seen.at, "A" if side == CALLER else "B", sent=not seen.sent, title=title)
    if full:
        for number in firsts.values():
            seen = trace[number - 1][1]
            way = f"to {seen.peer}" if seen.sent else f"from {seen.peer}"
            ladder.heading(f"({number}) {seen.at - first:.3f} s {way}")
            text = seen.data.decode("utf-8", "replace").replace("\r\n", "\n").rstrip()
            ladder.say(_harmless(text))


def as_text(trace: Sequence[tuple[int, Seen]], *, full: bool = False) -> str:
    """The same as plain text."""
    out = io.StringIO()
    show(Console(file=out, width=120, no_color=True, highlight=False), trace, full=full)
    return out.getvalue()


def _harmless(text: str) -> str:
    """What a peer wrote must not steer the reader's terminal."""
    return "".join(sign if sign.isprintable() or sign == "\n" else "?" for sign in text)


def _peers(trace: Sequence[tuple[int, Seen]]) -> list[tuple[int, str]]:
    found: dict[tuple[int, str], None] = {}
    for side, seen in trace:
        found.setdefault((side, str(seen.peer)))
    return list(found)
