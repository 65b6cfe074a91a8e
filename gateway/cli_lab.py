"""``maskline lab``: scenarios of masked calls for a customer's CI."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

app = typer.Typer(help="Play scenarios of calls against your server, in virtual time or on a real node.",
                  no_args_is_help=True)  # fmt: skip


def _address(text: str) -> str:
    parts = urlsplit(text)
    if text and (parts.scheme not in ("http", "https") or not parts.hostname):
        raise typer.BadParameter("must be an http:// or https:// address")
    return text


Webhook = Annotated[
    str,
    typer.Option(help="Your server: events, CDRs and questions go there as from production.", callback=_address),
]
ApiPort = Annotated[int, typer.Option(min=0, max=65535, help="Of the real node's REST API; 0: any.")]


@app.command()
def run(
    scenarios: Annotated[
        list[Path] | None, typer.Argument(help="Scenario files or folders; default: those that ship.")
    ] = None,
    webhook: Webhook = "",
    junit: Annotated[Path | None, typer.Option(help="Write a JUnit report to this file.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Instead of the seed of the files.")] = None,
    real: Annotated[bool, typer.Option("--real", help="On a real node on loopback, in real time.")] = False,
    api_port: ApiPort = 0,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Ladder and checks of what passed, too.")] = False,
) -> None:
    """Play scenarios: 0 when all came out as they say, 1 when one did not, 2 when a file is wrong."""
    from gateway import log  # all this takes a second to import
    from gateway.scenarios.running import Options
    from gateway.scenarios.running import run as run_all

    log.configure()
    options = Options(webhook=webhook, junit=junit, seed=seed, real=real, api_port=api_port, verbose=verbose)
    raise typer.Exit(run_all(scenarios or [], options))


@app.command()
def examples(folder: Annotated[Path, typer.Argument(help="Where to put them.")]) -> None:
    """Copy the scenarios that ship into a folder, to begin with."""
    from gateway.scenarios.running import EXAMPLES

    folder.mkdir(parents=True, exist_ok=True)
    for file in sorted(EXAMPLES.glob("*.toml")):
        shutil.copyfile(file, folder / file.name)
        print(folder / file.name)


@app.command()
def serve(
    scenario: Annotated[Path | None, typer.Argument(help="What the node is, and what is bound; default: AXB.")] = None,
    webhook: Webhook = "",
    api_port: ApiPort = 0,
    control_port: Annotated[int, typer.Option(min=0, max=65535, help="Where calls are asked for; 0: any.")] = 0,
    info: Annotated[Path | None, typer.Option(help="Write addresses, key and secret to this file (JSON).")] = None,
) -> None:
    """A real node with a virtual carrier that stays; POST a call to it from tests in any language."""
    import asyncio

    from gateway import log
    from gateway.lab.node import NodeError
    from gateway.scenarios.running import read_all
    from gateway.scenarios.scenario import read_scenario
    from gateway.scenarios.serving import serve as serve_it

    log.configure()
    read = [read_scenario({}, calls=False)] if scenario is None else read_all([scenario], calls=False, real=True)
    if read is None:
        raise typer.Exit(2)
    try:
        asyncio.run(serve_it(read[0], webhook=webhook, api_port=api_port, control_port=control_port, info=info))
    except (NodeError, OSError) as error:
        typer.echo(f"can't serve: {error}", err=True)
        raise typer.Exit(1) from None
