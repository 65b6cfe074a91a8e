"""Volumes of recordings, looked at as they are; and one that doesn't answer."""

from __future__ import annotations

import asyncio
import subprocess
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway import space
from gateway.calls.disk import SPOOL, DiskTrouble, Room
from gateway.metrics.page import page
from gateway.metrics.tally import Tally
from tests.media.test_worker_disk import mounted


@asynccontextmanager
async def watched(path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[DiskTrouble, Tally]]:
    monkeypatch.setattr(space, "EVERY", 0.0)
    disk, tally = DiskTrouble(low_percent=50.0, least=100 << 10), Tally()
    task = asyncio.create_task(space.watch_space({SPOOL: path}, disk, tally))
    try:
        yield disk, tally
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(disk: DiskTrouble, state: str) -> None:
    while True:
        if SPOOL in disk.volumes and disk.volumes[SPOOL].state == state:
            return
        await asyncio.sleep(0)


async def test_a_disk_that_fills_empties_and_turns_read_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with mounted(tmp_path / "disk", "1m") as folder, capture_logs() as lines:
        async with watched(folder, monkeypatch) as (disk, tally):
            await until(disk, "ok")
            (folder / "a").write_bytes(bytes(600 << 10))
            await until(disk, "low")
            assert disk.takes(0.0)
            shown = page(tally.rows()).decode()
            assert 'maskline_disk_bytes{volume="spool"} 1.048576e+06' in shown
            assert 'maskline_disk_free_bytes{volume="spool"} 434176.0' in shown
            (folder / "a").write_bytes(bytes(1000 << 10))
            await until(disk, "full")
            assert not disk.takes(0.0)
            (folder / "a").unlink()
            await until(disk, "ok")
            await asyncio.to_thread(subprocess.run, ["mount", "-o", "remount,ro", str(folder)], check=True)
            await until(disk, "away")
            assert disk.notes(0.0) == ["the volume of the spool can't be written: Read-only file system"]
    said = [(line["state"], line["log_level"]) for line in lines]
    assert said == [("low", "warning"), ("full", "error"), ("ok", "info"), ("away", "error")]


async def test_a_volume_that_does_not_answer_holds_nothing_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer, asked = threading.Event(), 0

    def hanging(path: Path) -> Room:
        nonlocal asked
        asked += 1
        answer.wait()
        return Room(1 << 40, 1 << 40)

    monkeypatch.setattr(space, "look", hanging)
    monkeypatch.setattr(space, "PATIENCE", 0.01)
    async with watched(tmp_path, monkeypatch) as (disk, _):
        await until(disk, "away")
        assert (asked, disk.volumes[SPOOL].room.trouble) == (1, "it doesn't answer")
        answer.set()
        await until(disk, "ok")


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert space.look(tmp_path / "no") == Room(trouble="No such file or directory")
