"""[IO] A recording as somebody hears it: the two-channel WAV, whatever form it is kept in; or the mono mix, or FLAC.

    kept as        object          read by
    WAV            name.wav        passed on
    FLAC           name.flac       decoded in a thread, a few at a time: a whole file is in memory
    sealed         ... .sealed     opened frame by frame with the data key of its row

A recording that waits for its store is read from this node's disk.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Row

from gateway.recordings.part import finished
from media.recording.forms import Mixer, from_flac
from media.recording.render import PURPOSE
from media.recording.sealed import Opener, SealError
from media.recording.store import RecordingStore

Wanted = Literal["stereo", "mono"]
WANTED: tuple[Wanted, ...] = ("stereo", "mono")
DECODING = 2
_PIECE = 1 << 16


class AudioError(OSError):
    """A recording is there and can't be read."""


@dataclass(frozen=True, slots=True)
class Audio:
    """``size`` bytes come in ``pieces``."""

    size: int
    pieces: AsyncIterator[bytes]


def object_name(name: str, form: str, *, sealed: bool) -> str:
    """Under which name a recording is kept."""
    return f"{name.removesuffix('.wav')}.{form}{'.sealed' if sealed else ''}"


def object_of(row: Row[Any]) -> str:
    """Likewise, of a row of any version."""
    return str(row.object or row.name)


class AudioReader:
    """Reads what ``store`` keeps."""

    def __init__(self, store: RecordingStore) -> None:
        self._store = store
        self._decoding = asyncio.Semaphore(DECODING)

    async def open(self, row: Row[Any], wanted: Wanted = "stereo") -> Audio | None:
        """The recording of a row that is rendered or ready; None when it isn't there. OSError."""
        local = finished(row) if row.state == "rendered" else None
        if local is not None and not await asyncio.to_thread(local.exists):
            return None
        size = row.size if local is not None else await self._store.size(object_of(row))
        if size is None:
            return None
        # What lies there has the WAV's size only where it is one.
        size = row.size if row.size is not None else size
        pieces = self._wav(row, local)
        if wanted == "mono":
            mixer = Mixer(size)
            return Audio(mixer.size, _mixed(mixer, pieces))
        return Audio(size, pieces)

    async def wav(self, row: Row[Any]) -> bytes:
        """All of the WAV. FileNotFoundError, OSError."""
        return b"".join([piece async for piece in self._wav(row, finished(row) if row.state == "rendered" else None)])

    async def _wav(self, row: Row[Any], local: Path | None) -> AsyncIterator[bytes]:
        pieces = self._opened(row, local)
        if not object_of(row).removesuffix(".sealed").endswith(".flac"):
            async for piece in pieces:
                yield piece
            return
        async with self._decoding:
            decoded = from_flac(b"".join([piece async for piece in pieces]))
            try:
                while (block := await asyncio.to_thread(next, decoded, None)) is not None:
                    yield block
            except ValueError as error:
                raise AudioError(str(error)) from None

    async def _opened(self, row: Row[Any], local: Path | None) -> AsyncIterator[bytes]:
        raw = self._store.chunks(object_of(row)) if local is None else _read(local)
        if not object_of(row).endswith(".sealed"):
            async for piece in raw:
                yield piece
            return
        if not row.data_key:
            raise AudioError("the recording's key is gone")
        opener = Opener(base64.b64decode(row.data_key), PURPOSE)
        try:
            async for piece in raw:
                yield opener.feed(piece)
        except SealError as error:
            raise AudioError(str(error)) from None
        if not opener.whole:
            raise AudioError("a sealed recording is cut")


async def _read(path: Path) -> AsyncIterator[bytes]:
    with await asyncio.to_thread(path.open, "rb") as file:
        while piece := await asyncio.to_thread(file.read, _PIECE):
            yield piece


async def _mixed(mixer: Mixer, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async for piece in pieces:
        yield mixer.feed(piece)
