"""A spool to a two-channel WAV: caller left, callee right, sample 0 at the moment of answer. Or to the same as FLAC,
and sealed.

Runs in a process pool: arguments and result can be pickled, and all is in memory (about 100 KB for each second of
the call). The file appears whole or not at all, and is on the disk when ``render`` returns.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from media.recording import wav
from media.recording.forms import Form, to_flac
from media.recording.keys import without_keys
from media.recording.parts import read_parts
from media.recording.sealed import SALT_BYTES, Sealer
from media.recording.spool import ENDED, SpoolError
from media.recording.timeline import place
from media.recording.wav import RATE

PURPOSE = b"audio"
LONGEST = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Rendered:
    """A finished WAV. ``sha256`` and ``size`` are the WAV's, whatever form is kept; ``channels`` are SHA-256 of the raw
    codes of caller and callee, all in hexadecimal; ``empty``: neither party was heard at all."""

    seconds: float
    sha256: str
    channels: tuple[str, str]
    size: int
    empty: bool


def render(
    spool: str | Path, out: str | Path, form: Form = "wav", data_key: bytes = b"", *, ended: float | None = None,
    max_seconds: float = LONGEST, mute_keys: bool = False,
) -> Rendered:  # fmt: skip
    """Make ``out`` from a spool (all its parts), replacing it if it exists; with ``data_key`` both are sealed.
    ``mute_keys``: digits in the sound become silence.

    Both channels last from the header's ``started`` to ``ended`` (monotonic seconds of the same boot); when None, to
    the end that the spool notes; when it notes none, as after a crash, to the last packet. Waits while the spool is
    still written, for 10 s at most. Raises SpoolError after that and when the header is of no use; OSError.
    """
    header, records = read_parts(spool, data_key)
    started = header.get("started")
    if isinstance(started, bool) or not isinstance(started, int | float) or not math.isfinite(started):
        raise SpoolError(f"{spool} doesn't say when it started")
    legs: tuple[list[tuple[float, bytes]], list[tuple[float, bytes]]] = ([], [])
    end: float | None = None
    for leg, now, packet in records:
        if leg in (0, 1):
            legs[leg].append((now, packet))
        elif leg == ENDED:
            end = now
    placed = [place(packets, float(started)) for packets in legs]
    longest = round(max_seconds * RATE)
    ended = end if ended is None else ended
    wanted = max(one.end for one in placed) if ended is None else round((ended - started) * RATE)
    frames = min(longest, max(0, wanted))
    caller, callee = (one.samples(frames) for one in placed)
    if mute_keys:
        caller, callee = without_keys(caller), without_keys(callee)
    channels = (hashlib.sha256(caller.data).hexdigest(), hashlib.sha256(callee.data).hexdigest())
    pairs = np.stack((caller, callee), axis=1)
    head, samples = wav.head(2, frames), pairs.reshape(-1).data
    whole = hashlib.sha256(head)
    whole.update(samples)
    pieces: Iterator[bytes | memoryview] = iter((head, samples) if form == "wav" else (to_flac(pairs),))
    if data_key:
        pieces = Sealer(data_key, PURPOSE, os.urandom(SALT_BYTES)).all(pieces)
    _publish(pieces, Path(out))
    return Rendered(
        seconds=frames / RATE,
        sha256=whole.hexdigest(),
        channels=channels,
        size=len(head) + len(samples),
        empty=not any(len(one.positions) for one in placed),
    )


def _publish(data: Iterator[bytes | memoryview], out: Path) -> None:
    fd, part = tempfile.mkstemp(prefix=f".{out.name}.", suffix=".part", dir=out.parent)
    try:
        with os.fdopen(fd, "wb") as file:
            for piece in data:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, out)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise
    sync_folder(out.parent)


def sync_folder(folder: Path) -> None:
    """Make the names of a folder's files outlive a power cut."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
