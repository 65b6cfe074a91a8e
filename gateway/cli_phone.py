"""``maskline phone``: phones that register with the node, so that one can be A or B."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gateway.cli_table import print_table
from gateway.cli_token import at_the_terminal
from gateway.config.reading import open_config
from gateway.numbers import NumberError, PhoneNumber

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from gateway.admin.audit import Change
    from gateway.config.tree import Config

app = typer.Typer(help="Phones that register, and so are A or B.", no_args_is_help=True)
ConfigFile = Annotated[Path, typer.Option("--config", "-c", help="The configuration file (TOML).")]


def _number(text: str) -> PhoneNumber:
    try:
        return PhoneNumber.parse(text)
    except NumberError as error:
        raise typer.BadParameter(str(error)) from None


Number = Annotated[PhoneNumber, typer.Argument(parser=_number, metavar="NUMBER", help="Whose phone it is.")]


@app.command()
def add(number: Number, config: ConfigFile) -> None:
    """Make a phone and print what to type into it; the password is not kept and can't be printed again."""
    from gateway.phones import book

    async def work(change: Change, settings: Config) -> None:
        password = book.new_password()
        if not await book.add(change.connection, number, settings.phones.realm, password, change.at):
            _fail("there is such a phone already; for a new password: maskline phone password")
        change.note("phone.add", f"phone/{number.masked}")
        _print(settings, number, password)

    _change(config, work)


@app.command()
def password(number: Number, config: ConfigFile) -> None:
    """Give a phone another password, from the next second on, and print what to type into it."""
    from gateway.phones import book

    async def work(change: Change, settings: Config) -> None:
        made = book.new_password()
        if not await book.change_password(change.connection, number, settings.phones.realm, made, change.at):
            _fail("there is no such phone")
        change.note("phone.password", f"phone/{number.masked}")
        _print(settings, number, made)

    _change(config, work)


@app.command()
def remove(number: Number, config: ConfigFile) -> None:
    """Forget a phone, from the next second on."""
    from gateway.phones import book

    async def work(change: Change, _settings: Config) -> None:
        if not await book.remove(change.connection, number):
            _fail("there is no such phone")
        change.note("phone.remove", f"phone/{number.masked}")

    _change(config, work)


@app.command("list")
def list_(
    config: ConfigFile, numbers: Annotated[bool, typer.Option("--numbers", help="Show real numbers.")] = False
) -> None:
    """All phones, and where each is registered."""
    from gateway.cli_database import opened
    from gateway.database import reading
    from gateway.phones import book

    settings = open_config(config)

    async def work() -> None:
        table = Table("number", "registered at", "until (UTC)", "node")
        async with opened(settings, made=True) as engine, reading(engine) as connection:
            for phone in await book.listed(connection):
                shown = phone.number.e164 if numbers else phone.number.masked
                if phone.realm != settings.phones.realm:
                    table.add_row(shown, f"[red]nowhere: its password is for the realm {escape(phone.realm)}[/]")
                for node, contact in phone.contacts:
                    until = book.wall(contact.expires)
                    table.add_row(shown, f"[green]{contact.hop}[/]", f"{until:%Y-%m-%d %H:%M:%S}", escape(node))
                if not phone.contacts and phone.realm == settings.phones.realm:
                    table.add_row(shown, "[dim]nowhere[/]")
        print_table(table)

    asyncio.run(work())


def _print(settings: Config, number: PhoneNumber, password: str) -> None:
    """A table that a pipe gets as plain lines: name, tab, value."""
    from gateway.assembly import phone_server
    from gateway.phones.sheet import sheet

    server, console = phone_server(settings), Console(highlight=False, soft_wrap=True)
    rows = sheet(server, number, password)
    if console.is_terminal:
        table = Table("type into the phone", "", show_edge=False)
        for name, value in rows:
            table.add_row(name, f"[bold green]{escape(value)}[/]")
        print_table(table, console)
    else:
        print("\n".join(f"{name}\t{value}" for name, value in rows))
    if not server.enabled:
        Console(stderr=True).print("[yellow]phones.enabled is false: no phone can register until it is true[/]")


def _change(config: Path, work: Callable[[Change, Config], Awaitable[None]]) -> None:
    from gateway.admin.audit import changing
    from gateway.cli_database import opened

    settings = open_config(config)

    async def run(engine: AsyncEngine) -> None:
        async with changing(engine, at_the_terminal(), datetime.now(UTC)) as change:
            await work(change, settings)

    async def main() -> None:
        async with opened(settings, made=True) as engine:
            await run(engine)

    asyncio.run(main())


def _fail(text: str) -> None:
    Console(stderr=True).print(text)
    raise typer.Exit(1)
