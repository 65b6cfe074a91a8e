"""``maskline trunk-test NAME``: calls to a real trunk, and what it makes of them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from gateway.config.reading import open_config
from gateway.numbers import NumberError, PhoneNumber


def trunk_test(
    name: Annotated[str, typer.Argument(help="The trunk's name in the configuration.")],
    config: Annotated[Path, typer.Option("--config", "-c", help="The configuration file (TOML).")],
    caller: Annotated[str, typer.Option("--from", help="The number that calls: one that the carrier lets you show.")],
    callee: Annotated[
        str, typer.Option("--to", help="The number that is called: it rings, answers and makes a sound.")
    ],
    ours: Annotated[
        str, typer.Option("--ours", help="A number of the trunk that leads here: it is called, and has to come.")
    ] = "",
    only: Annotated[str, typer.Option(help="These scenarios, by commas; default: all.")] = "",
    ring: Annotated[float, typer.Option(min=1, help="Seconds that it may ring.")] = 45.0,
    numbers: Annotated[bool, typer.Option("--numbers", help="Show real numbers in traces.")] = False,
) -> None:
    """Place calls over a trunk and report pass, fail, not supported; status 1 when something failed.

    Where the trunk wants a registration, that comes first. Calls cost what calls cost: about ten, of a few seconds.
    """
    settings = open_config(config)
    from gateway.trunktest.scenarios import SCENARIOS, Outcome

    wanted = [word.strip() for word in only.split(",") if word.strip()] or list(SCENARIOS)
    trunk = next((one for one in settings.trunk if one.name == name), None)
    errors = Console(stderr=True)
    if trunk is None or any(word not in SCENARIOS for word in wanted):
        names = ", ".join(one.name for one in settings.trunk) if trunk is None else ", ".join(SCENARIOS)
        errors.print(f"there is no such {'trunk' if trunk is None else 'scenario'}; there are: {names}")
        raise typer.Exit(2)
    try:
        parties = PhoneNumber.parse(caller), PhoneNumber.parse(callee)
        own = PhoneNumber.parse(ours) if ours else None
    except NumberError as error:
        errors.print(f"--from, --to and --ours: {error}")
        raise typer.Exit(2) from None
    from gateway.start import StartError
    from gateway.trunktest.running import line, report, run
    from gateway.trunktest.setting import stage_of

    console = Console(highlight=False)

    async def play() -> bool:
        stage = await stage_of(settings, trunk, *parties, ring, own)
        try:
            results = await run(stage, wanted, lambda result: line(result, console))
        finally:
            await stage.stop()
        report(results, stage, console, numbers=numbers)
        return all(one.verdict.outcome is not Outcome.FAIL for one in results)

    try:
        good = asyncio.run(play())
    except (OSError, StartError) as error:
        errors.print(f"can't test: {error}", markup=False, soft_wrap=True)
        raise typer.Exit(2) from None
    raise typer.Exit(0 if good else 1)
