"""The command line ``maskline``: serve, demo, ledger, version."""

from __future__ import annotations

import json
import sys
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Annotated

import typer

from gateway import cli_ledger
from gateway.config.reading import open_config

app = typer.Typer(
    help="A self-hosted masked-number voice gateway.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(cli_ledger.app, name="ledger")


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
