"""Where finished recordings are kept: a folder or a bucket of an S3 server, by way of obstore, under flat names that
are safe in a URL.

A name is checked before it reaches the store, so that no name from outside can leave the folder. ``put`` reads back
what it has stored and compares: only then the caller may delete its own copy. What is larger than ``PART`` goes to S3
in parts (``multipart``); an upload that is broken off leaves no object, and the next ``put`` of the same file goes on
where it stood. A request that fails is tried again a few times within ``PATIENCE``; longer waits are the caller's.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import LocalStore, S3Store

from media.recording.multipart import Multipart
from media.recording.render import sync_folder
from media.recording.s3 import S3Access, StoreError

NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}")
PART = 8 << 20
PATIENCE = timedelta(seconds=20)


class RecordingStore:
    """Recordings by name. Methods raise ValueError for a name that isn't allowed, OSError when disk or server fails."""

    def __init__(self, url: str, access: S3Access | None = None, *, part: int = PART) -> None:
        """``url``: ``file:///absolute/folder``, made if it isn't there, or ``s3://bucket/prefix``. ValueError."""
        parts = urlsplit(url)
        if parts.query or parts.fragment:
            raise ValueError(f"{url!r} has a query or a fragment")
        self._part = part
        self._parts: Multipart | None = None
        self.folder: Path | None = None
        self._store: LocalStore | S3Store
        if parts.scheme == "s3" and parts.netloc:
            prefix, access = unquote(parts.path).strip("/"), access or S3Access()
            self._store = _bucket(parts.netloc, prefix, access)
            self._parts = Multipart(parts.netloc, prefix, access, part)
            return
        folder = unquote(parts.path)
        if parts.scheme != "file" or parts.netloc not in ("", "localhost") or not folder.startswith("/"):
            raise ValueError(f"recordings are kept in file:///folder or s3://bucket, not {url!r}")
        self.folder = Path(folder)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._store = LocalStore(self.folder)

    @property
    def shared(self) -> bool:
        """Whether other machines see the same recordings."""
        return self.folder is None

    def path(self, name: str) -> Path:
        """Where a recording is, or would be, on the local disk."""
        assert self.folder is not None
        return self.folder / _checked(name)

    async def put(self, name: str, path: str | Path) -> None:
        """Keep a copy of the file ``path`` as ``name``, replacing what has that name; it is safe afterwards.

        What is stored has been read back and is the same; if not, StoreError. FileNotFoundError: ``path`` isn't there.
        """
        _checked(name)
        path = Path(path)
        size, wanted = await asyncio.to_thread(_digest, path)
        stored = hashlib.sha256()
        try:
            if self._parts is not None and size > self._part:
                await self._parts.put(name, path, wanted.hex())
            else:
                with _errors():
                    await obstore.put_async(self._store, name, path, chunk_size=self._part)
            if self.folder is not None:
                await asyncio.to_thread(_sync, self.path(name))
            async for chunk in self.chunks(name):
                stored.update(chunk)
        except FileNotFoundError as error:
            raise StoreError(str(error)) from error
        if stored.digest() != wanted:
            raise StoreError("what the store gives back is not what it was given")

    async def probe(self) -> None:
        """See that the store answers. StoreError."""
        with _errors():
            async for _ in obstore.list(self._store, chunk_size=1):
                return

    async def size(self, name: str) -> int | None:
        """Bytes of a recording; None if there is none of that name."""
        try:
            with _errors():
                meta = await obstore.head_async(self._store, _checked(name))
        except FileNotFoundError:
            return None
        return meta["size"]

    async def chunks(self, name: str) -> AsyncIterator[bytes]:
        """The bytes of a recording, piece by piece. FileNotFoundError, at the first piece, if there is none."""
        with _errors():
            result = await obstore.get_async(self._store, _checked(name))
            async for chunk in result.stream(min_chunk_size=1 << 16):
                yield bytes(chunk)

    async def link(self, name: str, seconds: int) -> str | None:
        """An address at the store itself, good for so long; None when it gives none (a folder)."""
        if not isinstance(self._store, S3Store):
            return None
        with _errors():
            return await obstore.sign_async(self._store, "GET", _checked(name), timedelta(seconds=seconds))

    async def erase(self, name: str) -> None:
        """Delete a recording; does nothing when it is gone already."""
        try:
            with _errors():
                await obstore.delete_async(self._store, _checked(name))
        except FileNotFoundError:
            return
        if self.folder is not None:
            await asyncio.to_thread(sync_folder, self.folder)


def _bucket(bucket: str, prefix: str, access: S3Access) -> S3Store:
    named = {
        "endpoint": access.endpoint,
        "region": access.place,
        "access_key_id": access.access_key,
        "secret_access_key": access.secret_key,
    }
    config: dict[str, str | bool] = {name: value for name, value in named.items() if value}
    config["virtual_hosted_style_request"] = not access.path_style
    return S3Store(
        bucket,
        prefix=prefix or None,
        config=config,  # type: ignore[arg-type]
        client_options={"allow_http": access.endpoint.startswith("http://"), "timeout": timedelta(minutes=5)},
        retry_config={"max_retries": 3, "retry_timeout": PATIENCE},
    )


@contextlib.contextmanager
def _errors() -> Iterator[None]:
    """Turn what obstore raises into OSError."""
    try:
        yield
    except (NotFoundError, FileNotFoundError):  # its text, with the server's whole answer, says no more
        raise FileNotFoundError("there is no such recording, or no such bucket") from None
    except BaseError as error:
        raise StoreError(_words(error)) from error


def _words(error: BaseError) -> str:
    """The first line: what obstore tells of its own state goes on for pages."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


def _checked(name: str) -> str:
    if NAME.fullmatch(name) is None:
        raise ValueError(f"{name!r} can't be the name of a recording")
    return name


def _digest(path: Path) -> tuple[int, bytes]:
    """Bytes, and their SHA-256."""
    with path.open("rb") as file:
        return os.fstat(file.fileno()).st_size, hashlib.file_digest(file, "sha256").digest()


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
    sync_folder(path.parent)
