"""``maskline ledger``: what was pushed to customers' servers, what they answered, and pushing it once more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gateway.cli_table import print_table
from gateway.config.reading import open_config

app = typer.Typer(help="Events and CDRs: attempts, dead letters, replay.", no_args_is_help=True)
T = TypeVar("T")
ConfigFile = Annotated[Path, typer.Option("--config", "-c", help="The configuration file (TOML).")]
Application = Annotated[str, typer.Option("--application", "-a", help="Only this application's (its key).")]
Session = Annotated[str, typer.Option("--session", help="Only this call's.")]
Since = Annotated[datetime | None, typer.Option(help="Only what was made from then on (UTC).")]
Plain = Annotated[bool, typer.Option("--numbers", help="Show real numbers.")]


@app.command("list")
def list_(
    config: ConfigFile,
    application: Application = "",
    session: Session = "",
    state: Annotated[str, typer.Option(help="waiting, done or dead.")] = "",
    since: Since = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
) -> None:
    """The newest rows, and how many are dead."""
    from gateway.api.ledger import Ledger, Wanted

    wanted = Wanted(application=application, session=session, state=state, since=_utc(since))

    async def ask(ledger: Ledger) -> None:
        rows = await ledger.entries(wanted, limit=limit)
        table = Table("made (UTC)", "id", "application", "kind", "state", "tries", "due (UTC)")
        colours = {"dead": "red", "waiting": "yellow", "done": "green"}
        for row in rows:
            state = f"[{colours.get(row.state, 'white')}]{row.state}[/]"
            due = f"{row.due_at:%m-%d %H:%M:%S}" if row.state == "waiting" else ""
            made = f"{row.created_at:%Y-%m-%d %H:%M:%S}"
            table.add_row(made, row.id, escape(row.application), row.kind, state, str(row.tries), due)
        console = Console(highlight=False)
        print_table(table, console)
        for dead in await ledger.dead():
            kinds = ", ".join(f"{count} {kind}" for kind, count in dead.kinds.items())
            console.print(f"[red]dead[/] {escape(dead.application)}: {kinds}; since {dead.oldest:%Y-%m-%d %H:%M:%S}")

    _run(config, ask)


@app.command()
def show(id: str, config: ConfigFile, numbers: Plain = False) -> None:
    """One row with all its attempts."""
    from gateway.api.ledger import Ledger

    async def ask(ledger: Ledger) -> None:
        console = Console(highlight=False)
        row = await ledger.entry(id, masked=not numbers)
        if row is None:
            console.print("there is no such row")
            raise typer.Exit(1)
        console.print(f"{row.id}  {escape(row.application)}  {row.kind}  {row.state}, {row.tries} tries")
        for name, value in row.payload.items():
            console.print(f"  {name}: {escape(str(value))}")
        table = Table("at (UTC)", "ms", "status", "answer")
        for one in row.attempts:
            status = str(one.status) if one.status is not None else f"[red]{escape(one.error or '')}[/]"
            table.add_row(f"{one.at:%Y-%m-%d %H:%M:%S}", f"{1000 * one.seconds:.0f}", status, escape(one.answer))
        print_table(table, console)

    _run(config, ask)


@app.command()
def replay(
    config: ConfigFile,
    ids: Annotated[list[str] | None, typer.Argument(help="Rows by id.")] = None,
    application: Application = "",
    session: Session = "",
    state: Annotated[str, typer.Option(help="Only rows in this state: dead, or done.")] = "dead",
    since: Since = None,
    before: Annotated[datetime | None, typer.Option(help="Only what was made before (UTC).")] = None,
) -> None:
    """Push rows again: the dead ones of an application, of a time, or single ones whatever their state."""
    from gateway.api.ledger import Ledger, Wanted

    wanted = Wanted(
        ids=ids or (), application=application, session=session, state="" if ids else state, since=_utc(since),
        before=_utc(before),
    )  # fmt: skip

    async def ask(ledger: Ledger) -> None:
        if not (ids or application or session or since or before):
            Console(stderr=True).print("say which: ids, --application, --session, --since or --before")
            raise typer.Exit(2)
        count = await ledger.replay(wanted, datetime.now(UTC))
        Console(highlight=False).print(f"{count} will be pushed again within seconds")

    _run(config, ask)


def _run(config: Path, ask: Callable[..., Awaitable[None]]) -> None:
    from gateway.api.ledger import Ledger
    from gateway.cli_database import opened

    settings = open_config(config)

    async def run() -> None:
        async with opened(settings) as engine:
            await ask(Ledger(engine))

    asyncio.run(run())


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC)
