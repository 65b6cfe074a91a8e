"""[IO] Looks every few seconds at the volumes of recordings; what it sees goes to the call path, the log and metrics.

A look is a statvfs in a thread, so a volume that doesn't answer (a network's) holds nothing up: after ``PATIENCE``
seconds it counts as away, and is not asked again before it has answered.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from pathlib import Path

import structlog

from gateway.calls.disk import SPOOL, DiskTrouble, Room, Told, told
from gateway.config.tree import Config
from gateway.metrics.tally import Labels, Tally

_log = structlog.get_logger()
EVERY = 2.0
PATIENCE = 5.0


def volumes(config: Config) -> dict[str, Path]:
    """The folders to look at, by the name of their label."""
    recordings, found = config.recordings, {SPOOL: Path(config.recordings.spool)}
    if recordings.url.startswith("file://"):
        found["recordings"] = Path(recordings.url.removeprefix("file://"))
    return found


def look(path: Path) -> Room:
    """What there is of room for us."""
    try:
        about = os.statvfs(path)
    except OSError as error:
        return Room(trouble=error.strerror or type(error).__name__)
    free, total = about.f_bavail * about.f_frsize, about.f_blocks * about.f_frsize
    return Room(free, total, "Read-only file system" if about.f_flag & os.ST_RDONLY else "")


async def watch_space(folders: Mapping[str, Path], disk: DiskTrouble, tally: Tally) -> None:
    """Until cancelled."""
    tally.source("maskline_disk_free_bytes", lambda: _figures(disk, free=True))
    tally.source("maskline_disk_bytes", lambda: _figures(disk, free=False))
    await asyncio.gather(*(_watch(name, path, disk) for name, path in folders.items()))


async def _watch(name: str, path: Path, disk: DiskTrouble) -> None:
    while True:
        looking = asyncio.ensure_future(asyncio.to_thread(look, path))
        _, late = await asyncio.wait({looking}, timeout=PATIENCE)
        if late:
            _tell(disk.saw(name, Room(trouble="it doesn't answer"), time.monotonic()))
        _tell(disk.saw(name, await looking, time.monotonic()))
        await asyncio.sleep(EVERY)


def _tell(line: Told | None) -> None:
    if line is not None:
        note = {"ok": _log.info, "low": _log.warning}.get(line.state, _log.error)
        note(told(line.volume, line.state, line.room), volume=line.volume, state=line.state)


def _figures(disk: DiskTrouble, *, free: bool) -> dict[Labels, float]:
    """Of the volumes that answer."""
    return {
        (name,): float(one.room.free if free else one.room.total)
        for name, one in disk.volumes.items()
        if one.room.total
    }
