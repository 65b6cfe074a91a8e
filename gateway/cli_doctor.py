"""``maskline doctor``: the machine and the configuration, looked at before a carrier does."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.cli_table import print_table
from gateway.config.reading import open_config

if TYPE_CHECKING:
    from gateway.doctor.finding import Finding

_STYLES = {"ok": "green", "warning": "yellow", "failure": "bold red"}


def doctor(
    config: Annotated[Path, typer.Option("--config", "-c", help="The configuration file (TOML).")],
    behind_nat: Annotated[
        bool, typer.Option("--behind-nat", help="The advertised addresses are a NAT's that forwards to this host.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Look at the machine, the configuration and what is around it; say what to do. Status 1: something won't work."""
    settings = open_config(config)
    from gateway.doctor.rounds import examine

    found = asyncio.run(examine(settings, behind_nat=behind_nat))
    if as_json:
        print(json.dumps([asdict(finding) for finding in found], indent=2, ensure_ascii=False))
    else:
        show(found, Console(highlight=False))
    raise typer.Exit(1 if any(finding.state == "failure" for finding in found) else 0)


def show(found: list[Finding], console: Console) -> None:
    """A table on a terminal, a line each in a pipe."""
    if console.is_terminal:
        table = Table("", "check", "seen", "what to do", box=None, pad_edge=False)
        for one in found:
            style = _STYLES[one.state]
            table.add_row(Text(one.state, style), Text(one.check), Text(one.said), Text(one.hint))
        print_table(table, console)
    else:
        for one in found:
            hint = f"; {one.hint}" if one.hint else ""
            console.print(f"{one.state:<8} {one.check}: {one.said}{hint}", markup=False, soft_wrap=True)
    counts = {state: sum(one.state == state for one in found) for state in _STYLES}
    console.print(", ".join(f"{count} {state}" for state, count in counts.items()))
