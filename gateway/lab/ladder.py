"""A call on the terminal: messages of both legs on one ladder as they pass, with notes between them.

       0.412  A │── INVITE ────────────────▶│                           │ B
       0.431  A │                           │── INVITE ────────────────▶│ B
       0.433  A │◀──────────── 100 Trying ──│                           │ B
       0.640    │  A hears the waiting tone (620 Hz)

Colour on a terminal, plain lines in a pipe, ASCII where the output can't show line drawing.
"""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

WIDTH = 27
_FANCY = str.maketrans("", "")
_PLAIN = str.maketrans("│─▶◀…✔✘", "|-><~v!")


class Ladder:
    """Prints to ``console``; times are shown from ``start`` (monotonic seconds)."""

    def __init__(self, console: Console, start: float) -> None:
        self._console = console
        self._start = start
        self._signs = _FANCY if console.encoding.lower().startswith("utf") else _PLAIN

    def heading(self, text: str) -> None:
        self._print(Text(f"\n{text}", style="bold"))

    def message(self, at: float, party: str, *, sent: bool, title: str) -> None:
        """A SIP message between ``party`` (``A`` left, ``B`` right) and the gateway in the middle."""
        text = title if len(title) <= WIDTH - 7 else title[: WIDTH - 8] + "…"
        rightwards = sent == (party == "A")
        arrow = f"── {text} ".ljust(WIDTH - 1, "─") + "▶" if rightwards else "◀" + f" {text} ──".rjust(WIDTH - 1, "─")
        empty = " " * WIDTH
        left, right = (arrow, empty) if party == "A" else (empty, arrow)
        style = self._style(title)
        line = self._time(at)
        line.append("A │").append(left, style if party == "A" else "")
        line.append("│").append(right, style if party == "B" else "").append("│ B")
        self._print(line)

    def note(self, at: float, text: str, style: str = "magenta") -> None:
        """Something that isn't a message: what is heard, an event that arrived."""
        self._print(self._time(at).append("  │  ").append(text, style))

    def say(self, text: str, style: str = "") -> None:
        self._print(Text(text, style))

    def table(self, rows: list[tuple[str, str, bool]]) -> None:
        """The closing table: what was checked, the measured value, whether it holds."""
        table = Table(box=None, pad_edge=False, show_header=True, header_style="bold")
        table.add_column("")
        table.add_column("check", no_wrap=False)
        table.add_column("measured", overflow="fold")
        for name, measured, passed in rows:
            mark = Text(("✔" if passed else "✘").translate(self._signs), style="green" if passed else "bold red")
            table.add_row(mark, Text(name), Text(measured.translate(self._signs), style="" if passed else "red"))
        self._console.print(table)

    def _time(self, at: float) -> Text:
        return Text(f"{at - self._start:8.3f}  ", style="dim").append("", "not dim")

    @staticmethod
    def _style(title: str) -> str:
        if not title[:1].isdigit():
            return "cyan"
        return {"1": "yellow", "2": "green"}.get(title[0], "red")

    def _print(self, text: Text) -> None:
        text.plain = text.plain.translate(self._signs)
        self._console.print(text, soft_wrap=True, highlight=False)
