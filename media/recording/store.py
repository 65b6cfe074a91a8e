"""Where finished recordings are kept: a folder, by way of obstore, under flat names that are safe in a URL.

A name is checked before it reaches the store, so that no name from outside can leave the folder.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import LocalStore

from media.recording.render import sync_folder

NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}")


class RecordingStore:
    """Recordings by name. Methods raise ValueError for a name that isn't allowed, OSError when the disk fails."""

    def __init__(self, url: str) -> None:
        """``url``: ``file:///absolute/folder``, made if it isn't there. ValueError for any other URL."""
        parts = urlsplit(url)
        folder = unquote(parts.path)
        if parts.scheme != "file" or parts.netloc not in ("", "localhost") or not folder.startswith("/"):
            raise ValueError(f"recordings are kept in file:///folder, not {url!r}")
        if parts.query or parts.fragment:
            raise ValueError(f"{url!r} has a query or a fragment")
        self._folder = Path(folder)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._store = LocalStore(self._folder)

    def path(self, name: str) -> Path:
        """Where a recording is, or would be, on the local disk."""
        return self._folder / _checked(name)

    async def put(self, name: str, path: str | Path) -> None:
        """Keep a copy of the file ``path`` as ``name``, replacing what has that name; it is on the disk afterwards."""
        target = self.path(name)
        with _disk_errors():
            await obstore.put_async(self._store, name, Path(path))
        await asyncio.to_thread(_sync, target)

    async def size(self, name: str) -> int | None:
        """Bytes of a recording; None if there is none of that name."""
        try:
            with _disk_errors():
                meta = await obstore.head_async(self._store, _checked(name))
        except FileNotFoundError:
            return None
        return meta["size"]

    async def chunks(self, name: str) -> AsyncIterator[bytes]:
        """The bytes of a recording, piece by piece. FileNotFoundError, at the first piece, if there is none."""
        with _disk_errors():
            result = await obstore.get_async(self._store, _checked(name))
            async for chunk in result.stream(min_chunk_size=1 << 16):
                yield bytes(chunk)

    async def erase(self, name: str) -> None:
        """Delete a recording; does nothing when it is gone already."""
        try:
            with _disk_errors():
                await obstore.delete_async(self._store, _checked(name))
        except FileNotFoundError:
            return
        await asyncio.to_thread(sync_folder, self._folder)


@contextlib.contextmanager
def _disk_errors() -> Iterator[None]:
    """Turn what obstore raises into OSError."""
    try:
        yield
    except NotFoundError as error:
        raise FileNotFoundError(str(error)) from error
    except BaseError as error:
        raise OSError(str(error)) from error


def _checked(name: str) -> str:
    if NAME.fullmatch(name) is None:
        raise ValueError(f"{name!r} can't be the name of a recording")
    return name


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
    sync_folder(path.parent)
