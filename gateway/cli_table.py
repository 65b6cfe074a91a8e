"""Tables of the command line, of which nothing is cut: a name or an id is there to be copied, or read by a program."""

from __future__ import annotations

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

_WIDEST = 10_000


def print_table(table: Table, console: Console | None = None) -> None:
    """In a pipe a row is one line, as wide as it must be; on a terminal what is too wide goes on in the next line."""
    console = console or Console(highlight=False)
    for column in table.columns:
        column.overflow = "fold"
    if not console.is_terminal:
        needed = Measurement.get(console, console.options.update(max_width=_WIDEST), table).maximum
        console.width = max(console.width, needed)
    console.print(table)
