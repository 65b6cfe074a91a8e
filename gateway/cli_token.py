"""``maskline token``: who may use the management API. The first token can only be made here."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gateway.admin.roles import Actor, Role
from gateway.cli_table import print_table
from gateway.config.reading import open_config

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

app = typer.Typer(help="Tokens of the management API.", no_args_is_help=True)
ConfigFile = Annotated[Path, typer.Option("--config", "-c", help="The configuration file (TOML).")]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Who or what will use it.")],
    config: ConfigFile,
    role: Annotated[Role, typer.Option(help="What it may do.")] = Role.OPERATOR,
    enterprise: Annotated[str | None, typer.Option(help="A tenant's enterprise, by id.")] = None,
    days: Annotated[int | None, typer.Option(min=1, help="For how many days; default: for ever.")] = None,
) -> None:
    """Make a token and print it; it is not kept and can't be printed again."""
    from gateway.admin.audit import changing
    from gateway.admin.tokens import TokenError, make_token

    async def work(engine: AsyncEngine) -> None:
        now = datetime.now(UTC)
        ends = now + timedelta(days=days) if days else None
        async with changing(engine, at_the_terminal(), now) as change:
            try:
                id, text = await make_token(
                    change.connection, name=name, role=role, enterprise_id=enterprise,
                    by=at_the_terminal().name, at=now, expires_at=ends,
                )  # fmt: skip
            except TokenError as error:
                Console(stderr=True).print(str(error))
                raise typer.Exit(2) from None
            change.note("token.create", f"token/{id}", {"name": name, "role": role}, enterprise=enterprise)
        print(text)

    _run(config, work)


@app.command("list")
def list_(config: ConfigFile) -> None:
    """All tokens, without their secrets."""
    from sqlalchemy import select

    from gateway.admin.tables import admin_token
    from gateway.admin.tokens import read_token
    from gateway.database import reading

    async def work(engine: AsyncEngine) -> None:
        table = Table("id", "name", "role", "enterprise", "made (UTC)", "expires", "revoked")
        async with reading(engine) as connection:
            for row in await connection.execute(select(admin_token).order_by(admin_token.c.created_at)):
                one = read_token(row)
                times = [
                    f"{at:%Y-%m-%d %H:%M}" if at else "" for at in (one.created_at, one.expires_at, one.revoked_at)
                ]
                table.add_row(one.id, escape(one.name), one.role, escape(one.enterprise or ""), *times)
        print_table(table)

    _run(config, work)


@app.command()
def revoke(id: str, config: ConfigFile) -> None:
    """Refuse a token from now on."""
    from gateway.admin.audit import changing
    from gateway.admin.tokens import revoke_token

    async def work(engine: AsyncEngine) -> None:
        async with changing(engine, at_the_terminal(), datetime.now(UTC)) as change:
            if not await revoke_token(change.connection, id, change.at):
                Console(stderr=True).print("there is no such token, or it is revoked already")
                raise typer.Exit(1)
            change.note("token.revoke", f"token/{id}")

    _run(config, work)


def at_the_terminal() -> Actor:
    """Who sits there."""
    return Actor(token="", name=f"terminal:{getpass.getuser()}", role=Role.OPERATOR)


def _run(config: Path, work: Callable[[AsyncEngine], Awaitable[None]]) -> None:
    from gateway.cli_database import opened

    settings = open_config(config)

    async def run() -> None:
        # The first token is often made before the first start.
        async with opened(settings, made=True) as engine:
            await work(engine)

    asyncio.run(run())
