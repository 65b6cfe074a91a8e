"""[IO] Spool files that no row names: the node died before its journal had written that a recording began, or the
database was put back to an earlier day. Looked for at a start, after the calls of a crash are closed and before there
is a new one: whatever lies in the spool then, belongs to nobody else.

    a spool that can be read     gets a row, pending: rendered and kept like any other, for its application where an
                                 event of its call tells that, else for the operator alone
    sealed, and keeps its key    likewise; the row gets the key (datakeys.py)
    sealed, the key not to be    gets a row, failed
    had; no spool, or damaged
    written right now            left alone: a worker of the node that died still drains

Each is named in the log and counted. How long what has failed is kept, is ``erasing``'s matter.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.database import reading, writing
from gateway.recordings.datakeys import opened
from gateway.schema import outbox, recording
from gateway.vault.cipher import VaultError
from media.recording.parts import parts_of
from media.recording.sealed import is_sealed, kept_key
from media.recording.spool import SpoolBusy, SpoolError, read_spool, wait_written

_log = structlog.get_logger()
SUFFIX = ".spool"
BATCH = 500
_HEAD = 1 << 12
"""Of a sealed file: its key is in it."""
_NO_KEY = "it keeps no key: nobody can open it"


@dataclass(frozen=True, slots=True)
class Orphan:
    """What a file says of itself. ``trouble``: why it can't be rendered, "" when it can."""

    path: Path
    session: str = ""
    began: float = 0.0
    ended: float = 0.0
    trouble: str = ""
    data_key: bytes = field(default=b"", repr=False)

    @property
    def name(self) -> str:
        """Of the recording."""
        return self.path.name.removesuffix(SUFFIX)


async def adopt(engine: AsyncEngine, spool: Path, node: str, now: float) -> list[Orphan]:
    """Give each a row; what was found."""
    found: list[Orphan] = []
    paths = iter(await asyncio.to_thread(_spools, spool))
    while batch := {path.name.removesuffix(SUFFIX): path for path in islice(paths, BATCH)}:
        async with reading(engine) as connection:
            query = select(recording.c.name).where(recording.c.name.in_(batch))
            known = set((await connection.execute(query)).scalars())
        unknown = [path for name, path in batch.items() if name not in known]
        orphans = await asyncio.to_thread(_looked_at, unknown, engine)
        async with writing(engine) as connection:
            for orphan in orphans:
                row = await _row(connection, orphan, node, now)
                await connection.execute(insert(recording).values(**row))
        found += orphans
    for orphan in found:
        _log.error("a spool file that no call had noted", name=orphan.name, kept=not orphan.trouble, why=orphan.trouble)
    return found


async def _row(connection: AsyncConnection, orphan: Orphan, node: str, now: float) -> dict[str, Any]:
    query = select(outbox.c.application).where(outbox.c.session == orphan.session).limit(1)
    application = (await connection.execute(query)).scalar() if orphan.session else None
    return {
        "name": orphan.name, "session": orphan.session, "application": application or "", "node": node,
        "spool": str(orphan.path), "state": "failed" if orphan.trouble else "pending", "created_at": now,
        "answered_at": orphan.began or None, "ended_at": orphan.ended or now,
        "trouble": orphan.trouble or "no call had noted it",
        "data_key": base64.b64encode(orphan.data_key).decode() or None,
    }  # fmt: skip


def _spools(folder: Path) -> list[Path]:
    """Of each recording its first file, which a worker that died in the first half second has not left."""
    found = (path.name.partition(SUFFIX) for path in folder.absolute().glob(f"*{SUFFIX}*"))
    return sorted(
        {folder.absolute() / f"{name}{SUFFIX}" for name, _, part in found if not part or part[1:].isdecimal()}
    )


def _looked_at(paths: Iterable[Path], engine: AsyncEngine) -> list[Orphan]:
    found = []
    for path in paths:
        try:
            found.append(_look(path, engine))
        except SpoolBusy:
            _log.warning("a spool file of a worker that still drains", name=path.name)
        except OSError as error:
            _log.error("a spool file can't be looked at", name=path.name, error=error.strerror)
    return found


def _look(path: Path, engine: AsyncEngine) -> Orphan:
    for part in parts_of(path):
        if part.exists():
            wait_written(part, 0.0)
    trouble = ""
    for part in parts_of(path):
        try:
            data_key = _data_key(part, engine)
            header, _ = read_spool(part, data_key)
            break
        except FileNotFoundError:
            continue
        except (SpoolError, VaultError, ValueError) as error:
            trouble = trouble or str(error).replace(str(part), "it")
    else:
        return Orphan(path, trouble=trouble)
    session, wall = header.get("session"), header.get("wall")
    began = float(wall) if isinstance(wall, int | float) else 0.0
    ended = max(part.stat().st_mtime for part in parts_of(path) if part.exists())
    return Orphan(path, session if isinstance(session, str) else "", began, ended, data_key=data_key)


def _data_key(path: Path, engine: AsyncEngine) -> bytes:
    """Of a sealed file; b"" when it is plain. SpoolError, VaultError, OSError."""
    with path.open("rb") as file:
        begin = file.read(_HEAD)
    if not is_sealed(begin):
        return b""
    kept = kept_key(begin)
    if not kept:
        raise SpoolError(_NO_KEY)
    return opened(kept, engine)
