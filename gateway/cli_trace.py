"""``maskline trace``: the SIP of single calls. ``trace --number X`` turns it on, ``trace show`` reads it."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gateway.cli_table import print_table
from gateway.config.reading import open_config
from gateway.numbers import NumberError

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from gateway.admin.roles import Actor

app = typer.Typer(help="The SIP of single calls: record it for a time, show it.", invoke_without_command=True)
ConfigFile = Annotated[Path, typer.Option("--config", "-c", help="The configuration file (TOML).")]


@app.callback()
def start(
    context: typer.Context,
    config: Annotated[Path | None, typer.Option("--config", "-c", help="The configuration file (TOML).")] = None,
    number: Annotated[str, typer.Option(help="Calls of this number: caller, X or callee.")] = "",
    call: Annotated[str, typer.Option(help="The call with this session id.")] = "",
    next: Annotated[int, typer.Option(min=0, max=1000, help="The next so many calls that come in.")] = 0,
    minutes: Annotated[int, typer.Option(min=1, max=1440, help="For how long.")] = 10,
) -> None:
    """Record calls from now on: give one of --number, --call, --next."""
    if context.invoked_subcommand is not None:
        return
    if config is None or sum(map(bool, (number, call, next))) != 1:
        Console(stderr=True).print("give --config and one of --number, --call, --next; or: list, show, stop")
        raise typer.Exit(2)
    from gateway.admin.audit import changing
    from gateway.admin.traces import NewSwitch, new_switch, noted
    from gateway.tracing.store import add_switch

    async def work(engine: AsyncEngine) -> None:
        now = datetime.now(UTC)
        try:
            switch = new_switch(NewSwitch(number=number, call=call, next=next, minutes=minutes), now.timestamp())
        except NumberError:
            Console(stderr=True).print("--number is no phone number")
            raise typer.Exit(2) from None
        async with changing(engine, _me(), now) as change:
            if not await add_switch(change.connection, switch, _me().name, now.timestamp()):
                Console(stderr=True).print("too many traces are wanted already: maskline trace stop")
                raise typer.Exit(1)
            change.note("trace.start", f"trace/{switch.id}", noted(switch, minutes))
        print(f"{switch.id}: on for {minutes} min, in every node within seconds; then: maskline trace list")

    _run(config, work)


@app.command("list")
def list_(config: ConfigFile) -> None:
    """What is traced now, and the calls that were."""
    from gateway.database import reading
    from gateway.numbers import PhoneNumber
    from gateway.tracing.store import read_list, read_switches

    async def work(engine: AsyncEngine) -> None:
        async with reading(engine) as connection:
            switches = await read_switches(connection, datetime.now(UTC).timestamp())
            traces = await read_list(connection)
        on = Table("on", "for", "until (UTC)")
        for switch in switches:
            value = PhoneNumber(switch.value).masked if switch.kind == "number" else switch.value or str(switch.calls)
            on.add_row(switch.id, escape(f"{switch.kind} {value}"), _time(switch.until))
        calls = Table("call", "node", "began (UTC)", "messages")
        for one in traces:
            calls.add_row(escape(one.session), escape(one.node), _time(one.started_at), str(one.messages))
        console = Console(highlight=False)
        for table in (on, calls):
            if table.row_count:
                print_table(table, console)
        if not traces:
            console.print("no call has been traced")

    _run(config, work)


@app.command()
def show(
    id: Annotated[str, typer.Argument(help="The call's session id, or its beginning.")],
    config: ConfigFile,
    full: Annotated[bool, typer.Option("--full", help="Each message behind the ladder.")] = False,
    pcap: Annotated[Path | None, typer.Option(help="Write a file for Wireshark instead.")] = None,
    numbers: Annotated[bool, typer.Option("--numbers", help="Show real numbers; it is noted.")] = False,
) -> None:
    """Both legs of a call as a ladder, or as a pcap file."""
    from gateway.admin.audit import changing
    from gateway.database import reading
    from gateway.tracing.pcap import pcap as written
    from gateway.tracing.shown import show as ladder
    from gateway.tracing.store import read_trace

    async def work(engine: AsyncEngine) -> None:
        async with reading(engine) as connection:
            trace = await read_trace(connection, id)
        if trace is None:
            Console(stderr=True).print("no such call was traced: maskline trace list")
            raise typer.Exit(1)
        if numbers:
            async with changing(engine, _me(), datetime.now(UTC)) as change:
                change.note("trace.reveal", f"call/{trace.session}")
        messages = trace.messages if numbers else trace.masked.messages
        if pcap is None:
            console = Console(highlight=False)
            ladder(console if console.is_terminal else Console(width=120, no_color=True), messages, full=full)
        else:
            pcap.write_bytes(written(seen for _, seen in messages))
            print(f"{pcap}: {len(messages)} messages")

    _run(config, work)


@app.command()
def stop(id: Annotated[str, typer.Argument(help="As listed.")], config: ConfigFile) -> None:
    """Trace no more calls for it."""
    from gateway.admin.audit import changing
    from gateway.tracing.store import end_switch

    async def work(engine: AsyncEngine) -> None:
        async with changing(engine, _me(), datetime.now(UTC)) as change:
            if not await end_switch(change.connection, id):
                Console(stderr=True).print("there is no such switch: maskline trace list")
                raise typer.Exit(1)
            change.note("trace.end", f"trace/{id}")

    _run(config, work)


def _time(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}"


def _me() -> Actor:
    """Who sits at the terminal."""
    from gateway.admin.roles import Actor, Role

    return Actor(token="", name=f"terminal:{getpass.getuser()}", role=Role.OPERATOR)


def _run(config: Path, work: Callable[[AsyncEngine], Awaitable[None]]) -> None:
    from gateway.cli_database import opened

    settings = open_config(config)

    async def run() -> None:
        async with opened(settings) as engine:
            await work(engine)

    asyncio.run(run())
