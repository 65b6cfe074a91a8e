"""Recordings after the call: rendered, cleared away, erased when due; what fails for one holds up no other."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from gateway.api import keeper as keeper_module
from gateway.api.keeper import Keeper
from gateway.database import open_engine, reading, writing
from gateway.schema import recording
from media.recording.render import Rendered
from media.recording.spool import SpoolFlusher
from media.recording.store import RecordingStore
from media.rtp import HEADER

NOW = 1_800_000_000.0
DAY = 86400.0


class Bench:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = NOW

    async def up(self, database_url: str) -> Bench:
        self.engine = open_engine(database_url, synchronous="OFF")
        self.store = RecordingStore(f"file://{self.folder}/recordings")
        self.keeper = Keeper(self.engine, self.store, retention_days=7, clock=lambda: self.now)
        return self

    def spool(self, name: str, seconds: float) -> Path:
        """A spool of both legs' silence."""
        path = self.folder / f"{name}.spool"
        flusher = SpoolFlusher()
        writer = flusher.open(path, {"started": 100.0})
        for index in range(int(seconds * 50)):
            for leg in (0, 1):
                writer.append(leg, 100.0 + index / 50, HEADER.pack(0x80, 8, index, 160 * index, 1) + b"\xd5" * 160)
        writer.close(now=100.0 + seconds)
        assert flusher.stop()
        return path

    async def add(self, name: str, state: str, spool: Path | str = "", erase_at: float | None = None) -> None:
        row = {"name": name, "session": name, "application": "app", "spool": str(spool), "state": state}
        async with writing(self.engine) as connection:
            await connection.execute(insert(recording).values(**row, erase_at=erase_at, ended_at=NOW, created_at=NOW))

    async def row(self, name: str) -> Any:
        async with reading(self.engine) as connection:
            return (await connection.execute(select(recording).where(recording.c.name == name))).one()

    def files(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir() if path.suffix in (".spool", ".wav"))


@pytest.fixture
async def bench(tmp_path: Path, database_url: str) -> AsyncIterator[Bench]:
    made = await Bench(tmp_path).up(database_url)
    yield made
    await made.keeper.stop()
    await made.engine.dispose()


async def test_a_pending_recording_is_rendered_kept_and_erased_when_due(bench: Bench) -> None:
    await bench.add("a.wav", "pending", bench.spool("a", 4.0))
    await bench.keeper.settle()
    row = await bench.row("a.wav")
    assert (row.state, row.seconds, row.spool, len(row.sha256)) == ("ready", 4.0, "", 64)
    assert await bench.store.size("a.wav") == row.size
    assert bench.files() == []
    bench.now = NOW + 8 * DAY - 1
    await bench.keeper.settle()
    assert (await bench.row("a.wav")).state == "ready"
    bench.now = NOW + 8 * DAY
    await bench.keeper.settle()
    assert (await bench.row("a.wav")).state == "erased"
    assert await bench.store.size("a.wav") is None


async def test_a_talk_too_short_leaves_nothing(bench: Bench) -> None:
    await bench.add("short.wav", "pending", bench.spool("short", 2.0))
    await bench.add("unwanted.wav", "empty", bench.spool("unwanted", 4.0))
    await bench.keeper.settle()
    assert [(await bench.row(name)).state for name in ("short.wav", "unwanted.wav")] == ["empty", "empty"]
    assert bench.files() == []


async def test_what_can_not_be_read_fails_and_stays_for_a_look(bench: Bench) -> None:
    broken = bench.folder / "broken.spool"
    broken.write_bytes(b"no spool")
    await bench.add("broken.wav", "pending", broken)
    await bench.add("good.wav", "pending", bench.spool("good", 4.0))
    await bench.keeper.settle()
    assert ((await bench.row("broken.wav")).state, (await bench.row("good.wav")).state) == ("failed", "ready")
    assert bench.files() == ["broken.spool"]


async def test_a_store_that_is_away_is_tried_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await bench.add("a.wav", "pending", bench.spool("a", 4.0))
    await bench.add("old.wav", "ready", erase_at=NOW - 1)

    async def away(*arguments: Any) -> None:
        raise OSError("away")

    with monkeypatch.context() as patch:
        patch.setattr(RecordingStore, "put", away)
        await bench.keeper.settle()
    assert ((await bench.row("a.wav")).state, (await bench.row("old.wav")).state) == ("pending", "erased")
    await bench.keeper.settle()
    assert (await bench.row("a.wav")).state == "ready"


async def test_one_that_can_not_be_erased_holds_up_no_other(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("stuck.wav", "due.wav"):
        await bench.add(name, "ready", erase_at=NOW - 1)
    erase: Callable[..., Any] = RecordingStore.erase

    async def some(store: RecordingStore, name: str) -> None:
        if name == "stuck.wav":
            raise OSError("stuck")
        await erase(store, name)

    monkeypatch.setattr(RecordingStore, "erase", some)
    await bench.keeper.settle()
    assert ((await bench.row("stuck.wav")).state, (await bench.row("due.wav")).state) == ("ready", "erased")


def _die(spool: Path, out: Path) -> Rendered:
    """What a rendering that runs out of memory looks like from outside."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


async def test_a_rendering_process_that_dies_costs_one_try(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await bench.add("a.wav", "pending", bench.spool("a", 4.0))
    with monkeypatch.context() as patch:
        patch.setattr(keeper_module, "render", _die)
        await bench.keeper.settle()
    assert (await bench.row("a.wav")).state == "pending"
    await bench.keeper.settle()
    assert (await bench.row("a.wav")).state == "ready"


async def test_a_recording_that_kills_its_renderer_is_given_up(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await bench.add("a.wav", "pending", bench.spool("a", 4.0))
    monkeypatch.setattr(keeper_module, "render", _die)
    for _ in range(3):
        await bench.keeper.settle()
    assert (await bench.row("a.wav")).state == "failed"
    assert bench.files() == ["a.spool"]


async def test_a_crash_before_the_spool_was_removed_is_made_good(bench: Bench) -> None:
    await bench.add("a.wav", "ready", bench.spool("a", 4.0), erase_at=NOW + DAY)
    await bench.keeper.settle()
    row = await bench.row("a.wav")
    assert (row.state, row.spool, bench.files()) == ("ready", "", [])
