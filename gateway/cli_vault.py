"""``maskline vault``: the keys of encryption at rest."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from gateway.config.reading import open_config
from gateway.vault.cipher import Cipher, VaultError
from gateway.vault.keys import Vault, add_key

if TYPE_CHECKING:
    from gateway.config.tree import Database

app = typer.Typer(help="Encryption at rest: make keys, seal the database, change its key.", no_args_is_help=True)
ConfigFile = Annotated[Path, typer.Option("--config", "-c", help="The configuration file (TOML).")]


@app.command("new-key")
def new_key(file: Annotated[Path, typer.Argument(help="The key file; made when it is not there.")]) -> None:
    """Make a key and write it behind the others in FILE. It is used from the next `rotate` on."""
    with _told():
        print(add_key(file).id)


@app.command()
def status(config: ConfigFile) -> None:
    """Say which key the database is sealed under, and which are in the file."""
    settings = open_config(config).database
    console = Console(highlight=False, soft_wrap=True)
    with _told():
        used = asyncio.run(_used(settings))
        keys = Vault(Path(settings.key_file)).keys if settings.key_file else {}
        console.print(f"database  {'[yellow]not sealed[/]' if used is None else f'[green]sealed[/] under {used}'}")
        for id in keys:
            console.print(f"key       {id}{'  in use' if id == used else ''}")
        if used is not None and used not in keys:
            raise VaultError(f"key {used} is not in the file: set database.key_file to the one that has it")


@app.command()
def rotate(config: ConfigFile) -> None:
    """Seal the database under the file's newest key; when it is already, make one more first.

    Everything is sealed anew in one transaction: nodes that write wait for it, so stop them when there is much. With
    several nodes: `new-key`, copy the file to each, then `rotate`.
    """
    settings = open_config(config).database
    with _told():
        file = _key_file(settings)
        if not file.exists():
            add_key(file)
        used, vault = asyncio.run(_used(settings)), Vault(file)
        if used == vault.newest.id:
            add_key(file)
            vault = Vault(file)
        _reseal(settings, vault.keys, vault.newest)
        print(f"sealed under {vault.newest.id}" + (f"; {used} is needed for older backups only" if used else ""))


@app.command()
def unseal(config: ConfigFile) -> None:
    """Write everything in plain again: for leaving encryption at rest. Stop the nodes first."""
    settings = open_config(config).database
    with _told():
        _reseal(settings, Vault(_key_file(settings)).keys, None)
        print("not sealed; take database.key_file out of the configuration")


def _key_file(settings: Database) -> Path:
    if not settings.key_file:
        raise VaultError("database.key_file: is not set")
    return Path(settings.key_file)


async def _used(settings: Database) -> str | None:
    from gateway.database import migrate, open_engine, reading
    from gateway.vault.guard import key_in_use

    await migrate(settings.url, claiming=False)
    engine = open_engine(settings.url)
    try:
        async with reading(engine) as connection:
            return await key_in_use(connection)
    finally:
        await engine.dispose()


def _reseal(settings: Database, keys: dict[str, Cipher], target: Cipher | None) -> None:
    from gateway.resealing import reseal

    console = Console(highlight=False)
    columns = (TextColumn("{task.description:>16}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        tasks: dict[str, TaskID] = {}

        def progress(table: str, done: int, total: int) -> None:
            if table not in tasks:
                tasks[table] = bars.add_task(table, total=total)
            bars.update(tasks[table], completed=done)

        asyncio.run(reseal(settings.location, keys, target, progress))


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        Console(stderr=True).print(str(error), markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None
