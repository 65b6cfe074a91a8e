"""``maskline recordings``: what was recorded, as it lies there; listening, proof, legal hold."""

from __future__ import annotations

import asyncio
import getpass
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gateway.cli_table import print_table
from gateway.config.reading import open_config

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from gateway.config.tree import Config
    from gateway.recordings.audio import AudioReader
    from gateway.recordings.proof import Proof
    from media.recording.store import RecordingStore

app = typer.Typer(help="Recordings: list, show, play, export; proof; legal hold.", no_args_is_help=True)
ConfigFile = Annotated[Path, typer.Option("--config", "-c", help="The configuration file (TOML).")]
Name = Annotated[str, typer.Argument(help="The recording's name (recordObjectName of the CDR), or a call's session.")]
Why = Annotated[str, typer.Option(help="Why; it is kept with the proof.")]
MEMORY = "/dev/shm" if os.path.isdir("/dev/shm") else None
PLAYERS = (("ffplay", "-nodisp", "-autoexit", "-loglevel", "error"), ("sox", "-q"), ("play", "-q"), ("aplay", "-q"))


@dataclass(frozen=True, slots=True)
class _Shop:
    """What a command works with."""

    engine: AsyncEngine
    store: RecordingStore
    reader: AudioReader
    proof: Proof


@app.command("list")
def list_(
    config: ConfigFile,
    application: Annotated[str, typer.Option(help="Only this application's.")] = "",
    state: Annotated[str, typer.Option(help="Only those that are so: ready, failed, erased, ...")] = "",
    held: Annotated[bool, typer.Option("--held", help="Only those under legal hold.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 50,
) -> None:
    """The newest recordings."""

    async def work(shop: _Shop) -> None:
        from sqlalchemy import select

        from gateway.database import reading
        from gateway.schema import recording

        query = select(recording).order_by(recording.c.created_at.desc(), recording.c.name).limit(limit)
        for column, value in ((recording.c.application, application), (recording.c.state, state)):
            query = query.where(column == value) if value else query
        query = query.where(recording.c.hold.is_not(None)) if held else query
        table = Table("name", "application", "state", "begun (UTC)", "seconds", "erased (UTC)", "note")
        async with reading(shop.engine) as connection:
            for row in await connection.execute(query):
                note = "held" if row.hold else row.trouble or ""
                begun = _time(row.answered_at or row.created_at)
                table.add_row(
                    escape(row.name), escape(row.application), row.state, begun, f"{row.seconds or 0:.1f}",
                    _time(row.erase_at), escape(note),
                )  # fmt: skip
        print_table(table)

    _run(config, work)


@app.command()
def show(
    name: Name,
    config: ConfigFile,
    png: Annotated[Path | None, typer.Option(help="Write the waveform there too (needs the extra 'plot').")] = None,
) -> None:
    """Draw both channels, and say how each leg came over and who heard the notice when."""

    async def work(shop: _Shop) -> None:
        from gateway.recordings.drawing import clock, heard, scale_line, wave_line, write_png

        row = await _find(shop, name)
        channels = await _channels(shop, row)
        console = Console(highlight=False)
        seconds = len(channels[0]) / 8000
        console.print(f"[bold]{escape(row.name)}[/]  {escape(row.application)}  {clock(seconds)}  {row.state}")
        for line in _facts(row):
            console.print(line, markup=False)
        width = max(20, min(100, console.width) - 8)
        for number, codes in enumerate(channels):
            colour = ("cyan", "yellow")[number]
            console.print(f"[{colour}]{('caller', 'callee')[number]:>7} {wave_line(codes, width)}[/]")
        console.print(f"{'':>7} {scale_line(seconds, width)}")
        table = Table("leg", "level", "peak", "talks", "nothing came", "heard the notice")
        for number, codes in enumerate(channels):
            one = heard(codes)
            level = "-" if one.level is None else f"{one.level:.0f} dBFS"
            cells = (level, f"{one.peak:.0f} dBFS", f"{one.talking:.1f} s", f"{one.silent:.1f} s", _notice(row, number))
            table.add_row(("caller", "callee")[number], *cells)
        print_table(table, console)
        for line in await _quality(shop, row):
            console.print(line, markup=False)
        if png is not None:
            try:
                write_png(png, channels, row.name, _spans(row))
            except ImportError:
                raise _Told("matplotlib is not installed: pip install 'maskline[plot]'") from None
            console.print(f"written to {png}", markup=False)

    _run(config, work)


@app.command()
def play(name: Name, config: ConfigFile) -> None:
    """Play it with the first of ffplay, sox and aplay that is installed."""

    async def work(shop: _Shop) -> None:
        row = await _find(shop, name)
        player = next((one for one in PLAYERS if shutil.which(one[0])), None)
        if player is None:
            raise _Told(f"install one of {', '.join(one[0] for one in PLAYERS)}, or use: maskline recordings export")
        raw = await _wav(shop, row)
        # In memory, where the system has it: a recording that is sealed is not to lie on the disk in plain.
        with tempfile.NamedTemporaryFile(suffix=".wav", dir=MEMORY) as file:
            file.write(raw)
            file.flush()
            behind = ("-d",) if player[0] == "sox" else ()
            ended = await asyncio.to_thread(subprocess.run, [*player, file.name, *behind], check=False)
            if ended.returncode:
                raise _Told(f"{player[0]} ended with {ended.returncode}")

    _run(config, work)


@app.command()
def export(
    name: Name,
    to: Annotated[Path, typer.Argument(help="The file to write; it must not exist. -: standard output.")],
    config: ConfigFile,
    form: Annotated[str, typer.Option(help="stereo, mono (WAV) or flac.")] = "stereo",
) -> None:
    """Write it to a file."""

    async def work(shop: _Shop) -> None:
        row = await _find(shop, name)
        raw = await _form(shop, row, form)
        if str(to) == "-":
            sys.stdout.buffer.write(raw)
            return
        try:
            with to.open("xb") as file:
                file.write(raw)
        except OSError as error:
            raise _Told(f"{to}: {error.strerror}") from None

    _run(config, work)


@app.command()
def verify(
    config: ConfigFile,
    names: Annotated[list[str] | None, typer.Argument(help="Only these recordings; default: all.")] = None,
    key: Annotated[list[str] | None, typer.Option(help="A public key that may have signed; default: any.")] = None,
    chain: Annotated[bool, typer.Option("--chain", help="Only the chain, not the recordings themselves.")] = False,
) -> None:
    """See whether the chain of proof holds, and every recording is what it says. Exit 1 when not."""

    async def work(shop: _Shop) -> None:
        from gateway.recordings.verifying import verify as verified

        told = await verified(shop.engine, None if chain else shop.reader, keys=key or (), names=names or ())
        console = Console(highlight=False, soft_wrap=True)
        print(f"{told.entries} entries, {told.days} days ({told.signed} signed), "
              f"{told.recordings} recordings looked at, {told.erased} erased")  # fmt: skip
        for one in sorted(told.keys):
            print(f"signed by {one}")
        for fault in told.faults:
            console.print(f"[red]{escape(fault)}[/]")
        if told.faults:
            raise typer.Exit(1)
        print("all holds")

    _run(config, work)


@app.command()
def hold(name: Name, config: ConfigFile, why: Why) -> None:
    """Legal hold: it is not erased until it is released."""
    _act("hold", name, config, why)


@app.command()
def release(name: Name, config: ConfigFile, why: Why) -> None:
    """End a legal hold; what is due is erased then."""
    _act("release", name, config, why)


@app.command()
def erase(name: Name, config: ConfigFile, why: Why) -> None:
    """Erase it now. Its proof stays: who, when, why, and the hash of what it was."""
    _act("erase", name, config, why)


def _act(verb: Literal["hold", "release", "erase"], name: str, config: Path, why: str) -> None:
    async def work(shop: _Shop) -> None:
        from gateway.admin.audit import changing
        from gateway.admin.roles import Actor, Role
        from gateway.recordings import holding

        row = await _find(shop, name)
        me = Actor(token="", name=f"terminal:{getpass.getuser()}", role=Role.OPERATOR)
        now = datetime.now(UTC)
        try:
            async with changing(shop.engine, me, now) as change:
                common = (shop.proof, row.name, me.name, why, now.timestamp())
                match verb:
                    case "hold":
                        await holding.hold(change.connection, *common)
                    case "release":
                        await holding.release(change.connection, *common)
                    case "erase":
                        await holding.erase(change.connection, shop.store, *common)
                change.note(f"recording.{verb}", f"recording/{row.name}", {"why": why})
        except holding.HoldError as error:
            raise _Told(str(error)) from None

    _run(config, work)


class _Told(Exception):
    """What went wrong, in words; exit 1."""


def _run(config: Path, work: Callable[[_Shop], Awaitable[None]]) -> None:
    settings = open_config(config)
    try:
        asyncio.run(_work(settings, work))
    except _Told as error:
        Console(stderr=True).print(str(error), markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None


async def _work(settings: Config, work: Callable[[_Shop], Awaitable[None]]) -> None:
    from gateway.assembly import proof_of, recording_store
    from gateway.cli_database import opened
    from gateway.recordings.audio import AudioReader

    async with opened(settings) as engine:
        try:
            store = recording_store(settings)
            shop = _Shop(engine, store, AudioReader(store), proof_of(settings))
        except (OSError, ValueError) as error:
            raise _Told(str(error)) from None
        await work(shop)


async def _find(shop: _Shop, name: str) -> Any:
    from sqlalchemy import or_, select

    from gateway.database import reading
    from gateway.schema import recording

    async with reading(shop.engine) as connection:
        query = select(recording).where(or_(recording.c.name == name, recording.c.session == name))
        row = (await connection.execute(query)).first()
    if row is None:
        raise _Told(f"there is no recording {name}")
    return row


async def _wav(shop: _Shop, row: Any) -> bytes:
    if row.state not in ("rendered", "ready"):
        raise _Told(f"the recording is {row.state}")
    try:
        return await shop.reader.wav(row)
    except OSError as error:
        raise _Told(str(error)) from None


async def _channels(shop: _Shop, row: Any) -> Any:
    from media.recording.wav import parse

    return parse(await _wav(shop, row))


async def _form(shop: _Shop, row: Any, form: str) -> bytes:
    raw = await _wav(shop, row)
    if form == "stereo":
        return raw
    from media.recording.forms import Mixer, to_flac

    if form == "mono":
        return Mixer(len(raw)).feed(raw)
    if form == "flac":
        import numpy as np

        return to_flac(np.stack(await _channels(shop, row), axis=1))
    raise _Told("form: stereo, mono or flac")


def _time(at: float | None) -> str:
    return "" if at is None else f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}"


def _facts(row: Any) -> list[str]:
    held = json.loads(row.hold) if row.hold else None
    lines = [f"begun {_time(row.answered_at)} UTC, ended {_time(row.ended_at)} UTC, kept as {row.object or row.name}"]
    lines += [f"erased {_time(row.erase_at)} UTC"] if row.erase_at else []
    lines += [f"held by {held['by']} since {_time(held['at'])} UTC: {held['why']}"] if held else []
    return lines + ([f"holds only the beginning: {row.trouble}"] if row.trouble else [])


def _spans(row: Any) -> list[Any]:
    """When each heard the notice, in seconds of the recording."""
    spans = json.loads(row.notice) if row.notice else [None, None]
    begun = row.answered_at or 0.0
    return [None if span is None or None in span else [moment - begun for moment in span] for span in spans]


def _notice(row: Any, side: int) -> str:
    span = _spans(row)[side]
    return "no" if span is None else f"{span[0] * 1000:.0f} to {span[1] * 1000:.0f} ms after the answer"


async def _quality(shop: _Shop, row: Any) -> list[str]:
    """How each leg's packets came over, as the call's record has it (gateway.calls.quality)."""
    from sqlalchemy import select

    from gateway.database import reading
    from gateway.schema import cdr

    async with reading(shop.engine) as connection:
        found = (await connection.execute(select(cdr.c.quality).where(cdr.c.session == row.session))).scalar()
    quality = json.loads(found) if found else {}
    return [
        f"{leg:>7}  {one['packets']} packets, {one['lost']} lost, jitter up to {one['jitter_ms']} ms, "
        f"score {one['mos'] or '-'} (worst {one['worst'] or '-'})"
        for leg, one in quality.items()
        if isinstance(one, dict)
    ]
