"""The command line ``maskline``: serve, demo, explain, lab, ledger, phone, token, vault, version."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from gateway import (
    cli_doctor,
    cli_lab,
    cli_ledger,
    cli_phone,
    cli_recordings,
    cli_token,
    cli_trace,
    cli_trunk_test,
    cli_vault,
)
from gateway.config.reading import open_config
from gateway.numbers import NumberError, PhoneNumber

app = typer.Typer(
    help="A self-hosted masked-number voice gateway.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(cli_lab.app, name="lab")
app.add_typer(cli_ledger.app, name="ledger")
app.add_typer(cli_phone.app, name="phone")
app.add_typer(cli_recordings.app, name="recordings")
app.add_typer(cli_token.app, name="token")
app.add_typer(cli_vault.app, name="vault")
app.add_typer(cli_trace.app, name="trace")


@app.command()
def serve(
    config: Annotated[Path, typer.Option("--config", "-c", help="The configuration file (TOML).")],
    check: Annotated[
        bool, typer.Option("--check", help="Only check it and print the effective configuration without secrets.")
    ] = False,
) -> None:
    """Run a node in the foreground. Ctrl-C or SIGTERM drains: no new calls, standing ones end; again: at once."""
    settings = open_config(config)
    if check:
        print(json.dumps(settings.without_secrets(), indent=2, ensure_ascii=False))
        return
    from gateway import log  # what serve needs would slow down every other command
    from gateway.service import run

    log.configure(settings.node.log)
    raise typer.Exit(run(settings, config))


@app.command()
def explain(
    config: Annotated[Path, typer.Option("--config", "-c", help="The configuration file (TOML).")],
    called: Annotated[str, typer.Option(help="The number that is dialled.")],
    caller: Annotated[str, typer.Option(help="Who calls; nothing: withheld.")] = "",
    at: Annotated[datetime | None, typer.Option(help="When (UTC); default: now.")] = None,
    extension: Annotated[str, typer.Option(help="AXE: what is dialled behind it.")] = "",
    numbers: Annotated[bool, typer.Option("--numbers", help="Show real numbers.")] = False,
) -> None:
    """Say where a call would go, and why, without placing it."""
    settings = open_config(config)
    try:
        parties = PhoneNumber.parse(caller) if caller else None, PhoneNumber.parse(called)
    except NumberError as error:
        Console(stderr=True).print(f"--caller and --called: {error}")
        raise typer.Exit(2) from None
    from gateway.assembly import exchange_settings
    from gateway.bindings.store import BindingStore
    from gateway.cli_database import opened
    from gateway.explaining import explain as explained

    async def ask() -> bool:
        async with opened(settings) as engine:
            moment = at.replace(tzinfo=UTC) if at else datetime.now(UTC)
            store = BindingStore(engine)
            lines = await explained(store, exchange_settings(settings), *parties, moment, extension, masked=not numbers)
        console = Console(highlight=False, soft_wrap=True)
        for line in lines:
            colour = {True: "green", False: "red", None: "default"}[line.good]
            console.print(f"[bold]{line.what:>12}[/]  [{colour}]{escape(line.text)}[/]")
        return bool(lines[-1].good)

    raise typer.Exit(0 if asyncio.run(ask()) else 1)


app.command()(cli_doctor.doctor)
app.command("trunk-test")(cli_trunk_test.trunk_test)


@app.command()
def demo(
    keep: Annotated[Path | None, typer.Option(help="Folder for the demo's database and recording.")] = None,
) -> None:
    """Start a node on loopback, place a masked call and check everything about it."""
    from gateway.lab.demo import demo as run_demo

    raise typer.Exit(run_demo(keep=keep))


@app.command()
def version() -> None:
    """Print the version."""
    print(f"maskline {installed_version('maskline')} (Python {sys.version.split()[0]})")


def main() -> None:
    """Entry point of the console script."""
    app()
