"""[IO] Approved tones as files, where a call finds them: each node keeps a folder equal to the database's live tones.

Signalling looks for a tone in the middle of a call, so it looks at the file system and never at the database. The web
process looks at the database once a second, and at once when a tone was approved at this node. A file is put in place
by a rename: a call that plays the old sound has it in memory and goes on. What is in the folder and not in the database
is removed, so the folder is the shelf's alone.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.database import ask, reading
from gateway.tones.folder import EVERYBODY
from gateway.tones.names import is_key, is_name
from gateway.tones.states import LIVE
from gateway.tones.tables import tone

_log = structlog.get_logger()
PACE = 1.0
_WANTED = select(tone.c.application, tone.c.name, tone.c.sha256).where(tone.c.slot == LIVE)


class Shelf:
    """``sync`` once, ``start`` for ever."""

    def __init__(self, engine: AsyncEngine, folder: str) -> None:
        self._engine = engine
        self._folder = Path(folder).absolute()
        self._there: dict[tuple[str, str], str] | None = None
        self._syncing = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                await self.sync()
            except Exception as error:
                _log.error(
                    "approved tones could not be put in place", error=type(error).__name__, folder=str(self._folder)
                )
            await asyncio.sleep(PACE)

    async def sync(self) -> None:
        """Make the folder equal to the database."""
        async with self._syncing:
            wanted = {(application, name): digest for application, name, digest in await ask(self._engine, _WANTED, {})}
            if self._there is None:
                self._there = await asyncio.to_thread(self._look)
            for key in [key for key in self._there if key not in wanted]:
                self._place(*key).unlink(missing_ok=True)
                del self._there[key]
            for key, digest in wanted.items():
                if self._there.get(key) != digest and is_name(key[1]) and (not key[0] or is_key(key[0])):
                    await self._put(key)

    async def _put(self, key: tuple[str, str]) -> None:
        mine = (tone.c.application == key[0], tone.c.name == key[1], tone.c.slot == LIVE)
        async with reading(self._engine) as connection:
            row = (await connection.execute(select(tone.c.sound, tone.c.sha256).where(*mine))).first()
        if row is not None:
            await asyncio.to_thread(_write, self._place(*key), row.sound)
            assert self._there is not None
            self._there[key] = row.sha256

    def _place(self, application: str, name: str) -> Path:
        return self._folder / (application or EVERYBODY) / name

    def _look(self) -> dict[tuple[str, str], str]:
        """What lies in the folder, by its content."""
        found: dict[tuple[str, str], str] = {}
        for path in self._folder.glob("*/*"):
            if path.is_file():
                owner = "" if path.parent.name == EVERYBODY else path.parent.name
                found[owner, path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
        return found


def _write(place: Path, sound: Any) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=place.parent.parent, delete=False) as file:
        file.write(sound)
    os.chmod(file.name, 0o644)
    os.replace(file.name, place)
