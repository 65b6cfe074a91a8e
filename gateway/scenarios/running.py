"""[IO] ``maskline lab run``: reads scenario files, plays them one after the other, reports. Its exit code says it all.

0   every scenario came out as its file says
1   one did not
2   a file can't be read: every fault of every file, with its key's path
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console

from gateway.api.callbacks import CallbackClient
from gateway.config.reading import ConfigError
from gateway.lab.node import NodeError
from gateway.scenarios.desk import Tables
from gateway.scenarios.played import Played
from gateway.scenarios.real import VIRTUAL_ONLY, play_real
from gateway.scenarios.reporting import show, summary, write_junit
from gateway.scenarios.scenario import Scenario, load_scenario
from gateway.scenarios.virtual import play_virtual

EXAMPLES = Path(__file__).parent / "examples"
WEBHOOK_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says."""

    webhook: str = ""
    junit: Path | None = None
    seed: int | None = None
    real: bool = False
    api_port: int = 0
    verbose: bool = False


def run(paths: Sequence[Path], options: Options) -> int:
    """Play files, and those of folders; the ones that ship when there are none."""
    scenarios = read_all(files_of(paths or [EXAMPLES]), real=options.real and bool(paths))
    if scenarios is None:
        return 2
    if options.real:
        scenarios = [one for one in scenarios if not one.form.virtual_only]
    console = open_console()
    began = time.monotonic()
    try:
        played = asyncio.run(_play_all(scenarios, options, console))
    except (NodeError, aiohttp.ClientError, OSError) as error:
        words = str(error) or type(error).__name__
        Console(stderr=True, highlight=False).print(words, markup=False, soft_wrap=True, style="red")
        return 1
    summary(played, console)
    took, seconds = time.monotonic() - began, sum(one.seconds for one in played)
    print(f"{seconds:.1f} s of calls in {took:.1f} s", file=sys.stderr)
    if options.junit is not None:
        write_junit(played, options.junit)
    return 0 if all(one.passed for one in played) else 1


def open_console() -> Console:
    """Colour on a terminal; in a pipe plain lines of one width."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(width=110, no_color=True, highlight=False)


def files_of(paths: Sequence[Path]) -> list[Path]:
    """The files, and the scenario files of folders in their order."""
    return [file for path in paths for file in (sorted(path.glob("*.toml")) if path.is_dir() else [path])]


def read_all(files: Sequence[Path], *, calls: bool = True, real: bool = False) -> list[Scenario] | None:
    """All scenarios; None when there was a fault, and each has been told on stderr. ``real``: for a real node."""
    errors = Console(stderr=True, highlight=False)
    scenarios, wrong = [], not files
    if wrong:
        errors.print("no scenario file")
    for file in files:
        try:
            scenarios.append(load_scenario(file, calls=calls))
            if real and scenarios[-1].form.virtual_only:
                raise ConfigError([("(file)", VIRTUAL_ONLY)])
        except ConfigError as error:
            wrong = True
            for where, text in error.faults:
                errors.print(f"{file}: {where}: {text}", markup=False, soft_wrap=True, style="red")
    return None if wrong else scenarios


async def _play_all(scenarios: Sequence[Scenario], options: Options, console: Console) -> list[Played]:
    done: list[Played] = []
    client = CallbackClient(WEBHOOK_SECONDS) if options.webhook else None
    try:
        with tempfile.TemporaryDirectory(prefix="maskline-lab-") as folder:
            tables = Tables(Path(folder))
            for scenario in scenarios:
                where: dict[str, Any] = {"webhook": options.webhook, "seed": options.seed}
                if options.real:
                    played = await play_real(scenario, api_port=options.api_port, **where)
                else:
                    played = await play_virtual(scenario, tables, client=client, **where)
                show(played, console, verbose=options.verbose)
                done.append(played)
    finally:
        if client is not None:
            await client.close()
    return done
