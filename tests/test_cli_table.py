"""Nothing of a table is cut."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.table import Table

from gateway.cli_table import print_table

ID = "20261126180718-e65e43648a05-recording-of-a-long-name"


def printed(*, terminal: bool, width: int = 40) -> list[str]:
    table = Table("name", "application", "note")
    table.add_row(ID, "test-axb", "held by the court until further notice")
    file = io.StringIO()
    print_table(table, Console(file=file, force_terminal=terminal, color_system=None, width=width))
    return file.getvalue().splitlines()


@pytest.mark.parametrize("width", [20, 80, 200])
def test_in_a_pipe_a_row_is_one_line(width: int) -> None:
    row = next(line for line in printed(terminal=False, width=width) if "test-axb" in line)
    assert ID in row
    assert "held by the court until further notice" in row


def test_on_a_terminal_a_long_id_goes_on_in_the_next_line() -> None:
    lines = printed(terminal=True)
    assert all(len(line) <= 40 for line in lines)
    assert "…" not in "".join(lines)
    assert ID in "".join(line.split("│")[1].strip() for line in lines if line.startswith("│"))
