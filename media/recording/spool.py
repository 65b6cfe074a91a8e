"""The raw packets of a call, on disk as they arrive, so that a call whose process was killed can still be heard.

A file, all numbers little-endian::

    8 bytes   b"MLSPOOL1"
    u32, u32  length and CRC-32 of the header
    header    JSON object (UTF-8): what the caller gave, with ``started`` in monotonic seconds among it
    records until the end of the file, each:
      u8      0 or 1: a packet of that leg (caller, callee); 2 or 3: a codec note of leg 0 or 1; 4: the call ended
      u8      0xA5, so that a hole of zeros left by a power cut is seen as the end
      u16     length of what follows the time, never 0
      f64     monotonic seconds of arrival
      bytes   the RTP packet from its first byte; of a codec note one byte, the payload type
                (8 PCMA, 0 PCMU); of the end one byte of no meaning

With a data key the whole of it is sealed (sealed.py), a frame for each write; the key itself, as the gateway has sealed
it, stands before the first of them.

A file that ends inside a record ends before it; no end needs to be noted. Appending packs the record and puts it on a
deque, which is safe between threads without a lock; everything that touches the disk, creating the file included, is
done by the one thread of SpoolFlusher. What was written is the kernel's, so the death of a worker costs a recording its
last ``WRITE_EVERY`` seconds; only a power cut reaches what was not synced yet, ``SYNC_EVERY`` more. A disk that stands
still costs a recording, never a call: past ``BACKLOG`` packets (nearly three minutes of both legs, 4 MB; with more than
64 recordings less, ``BACKLOG_OF_ALL`` in all, 200 MB) the writer gives up and says so in ``error``. What was written
before a disk was full, or stood still, stays. While a file is written it is locked (flock); the lock ends with its
process, however that ends, and ``wait_written`` waits for it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import math
import os
import struct
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from media.control import SLOW_DISK
from media.recording.sealed import SALT_BYTES, Sealer, SealError, open_cut

MAGIC = b"MLSPOOL1"
PURPOSE = b"spool"
BACKLOG = 16384
BACKLOG_OF_ALL = 1 << 20
LEAST_BACKLOG = 512
WRITE_EVERY = 0.5
SYNC_EVERY = 1.0

_HEAD = struct.Struct("<8sII")
_RECORD = struct.Struct("<BBHd")
_MARK = 0xA5
_NOTE = 2
ENDED = 4
SLOW = SLOW_DISK
_pack = _RECORD.pack

Record = tuple[int, float, bytes]


class SpoolError(Exception):
    """A file that is no spool."""


class SpoolBusy(SpoolError):
    """A spool that is still being written."""


class SpoolWriter:
    """One recording that is being written. ``error`` is empty while all is well; after that nothing more is kept."""

    __slots__ = (
        "_closing", "_fd", "_flusher", "_limit", "_on_closed", "_over", "_parts", "_push", "_sealer", "_synced", "done",
        "error", "kept", "path",
    )  # fmt: skip

    def __init__(
        self, path: str | Path, header: Mapping[str, Any], flusher: SpoolFlusher, data_key: bytes = b"",
        kept_key: bytes = b"",
    ) -> None:  # fmt: skip
        """The file is created by ``flusher`` soon after; it must not exist, and its last part must be no link."""
        self.path = str(path)
        self.error = ""
        self.kept = False
        self.done = False
        text = json.dumps(dict(header), separators=(",", ":"), ensure_ascii=False).encode()
        self._parts = deque([_HEAD.pack(MAGIC, len(text), zlib.crc32(text)) + text])
        self._push = self._parts.append
        self._limit = flusher.room()
        self._fd = -1
        self._sealer = Sealer(data_key, PURPOSE, os.urandom(SALT_BYTES), kept_key) if data_key else None
        self._synced: float | None = None
        self._closing = False
        self._over = False
        self._on_closed: Callable[[], None] | None = None
        self._flusher = flusher
        flusher.add(self)

    def append(self, leg: int, now: float, packet: bytes) -> None:
        """Keep one RTP packet. Never waits and never raises; does nothing once closed or failed."""
        if len(self._parts) < self._limit:
            self._push(_pack(leg, _MARK, len(packet), now) + packet)
        elif self._limit:
            self._fail(SLOW)

    def codec(self, leg: int, payload_type: int, now: float) -> None:
        """Note what a leg sends from now on."""
        self.append(leg + _NOTE, now, bytes([payload_type]))

    def close(self, on_closed: Callable[[], None] | None = None, *, now: float | None = None) -> None:
        """No more packets; the recording lasts until ``now`` (None: until the last packet).

        ``on_closed`` is called on the flusher's thread when the file is safe, or has failed.
        """
        if self._closing:
            return
        if now is not None:
            self.append(ENDED, now, b"\0")
        self._limit = 0
        self._on_closed = on_closed
        self._closing = True
        self._flusher.wake()

    def _fail(self, error: str) -> None:
        """Keep no more, and say so."""
        self._limit = 0
        self.error = error
        self._flusher.tell()

    # The rest runs on the flusher's thread.

    def step(self, now: float) -> None:
        """Write what there is; sync when it is time; finish when closed. Sets ``done`` when nothing is left to do."""
        closing = self._closing
        if not self._over and self.error in ("", SLOW):
            # A disk that was slow may still take what was heard before we gave up.
            try:
                self._write()
                if closing or self._synced is None or now - self._synced >= SYNC_EVERY:
                    os.fdatasync(self._fd)
                    self._synced = now
            except OSError as error:
                self._fail(error.strerror or type(error).__name__)
        if self.error or closing:
            self._finish(closing)

    def _write(self) -> None:
        begin, known = b"", self._fd >= 0
        if not known:
            self._fd = _create(self.path)
            begin = self._sealer.head if self._sealer is not None else b""
        parts = self._parts
        waiting = [parts.popleft() for _ in range(len(parts))]
        plain = b"".join(waiting)
        if self._sealer is not None and plain:
            plain = self._sealer.frame(plain)
        data = memoryview(begin + plain)
        while data:
            data = data[os.write(self._fd, data) :]
        self.kept = self.kept or known or len(waiting) > 1

    def _finish(self, closing: bool) -> None:
        self._limit = 0
        self._over = True
        self._parts.clear()
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                os.close(self._fd)
            self._fd = -1
        if closing:
            self.done = True
            if self._on_closed is not None:
                self._on_closed()


def _create(path: str) -> int:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with contextlib.suppress(OSError):
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with contextlib.suppress(OSError):
        folder = os.open(os.path.dirname(path) or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    return fd


class SpoolFlusher:
    """One thread that writes all spools. ``open`` makes a writer; ``stop`` closes all that are open and waits.

    ``on_failed`` is called, on any thread, when a writer has got an ``error``.
    """

    def __init__(self, on_failed: Callable[[], None] = lambda: None) -> None:
        self.tell = on_failed
        self._new: deque[SpoolWriter] = deque()
        self._writers: list[SpoolWriter] = []
        self._wake = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def open(
        self, path: str | Path, header: Mapping[str, Any], data_key: bytes = b"", kept_key: bytes = b""
    ) -> SpoolWriter:
        """A writer for a new file. ``header`` must hold ``started``, monotonic seconds; ``data_key`` seals it, and it
        keeps ``kept_key``."""
        return SpoolWriter(path, header, self, data_key, kept_key)

    def room(self) -> int:
        """How many packets a new writer may let wait: all of them together have a bound too."""
        waiting = len(self._writers) + len(self._new) + 1
        return max(LEAST_BACKLOG, min(BACKLOG, BACKLOG_OF_ALL // waiting))

    def add(self, writer: SpoolWriter) -> None:
        """Take a writer under care; SpoolWriter does that itself."""
        self._new.append(writer)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="spool", daemon=True)
            self._thread.start()
        self._wake.set()

    def wake(self) -> None:
        """Make the next round come now."""
        self._wake.set()

    def stop(self, timeout: float = 10.0) -> bool:
        """Close every spool and end the thread. False if the disk didn't let it end in ``timeout`` seconds."""
        self._stopping = True
        self._wake.set()
        if self._thread is None:
            return True
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            self._wake.wait(WRITE_EVERY if self._writers else None)
            self._wake.clear()
            last = self._stopping
            while self._new:
                self._writers.append(self._new.popleft())
            for writer in self._writers:
                if last:
                    writer.close()
                try:
                    writer.step(time.monotonic())
                except Exception as error:  # one recording's trouble, on_closed included, must not end the others
                    writer.error = f"{type(error).__name__}: {error}"
                    self.tell()
            self._writers = [writer for writer in self._writers if not writer.done]
            if last:
                return


def wait_written(path: str | Path, timeout: float = 10.0) -> None:
    """Wait until nobody writes a spool any more. SpoolBusy after ``timeout`` seconds; OSError."""
    until = time.monotonic() + timeout
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise SpoolBusy(f"{path} is still being written") from None
                time.sleep(0.02)
    finally:
        os.close(fd)


def read_spool(path: str | Path, data_key: bytes = b"") -> tuple[dict[str, Any], Iterator[Record]]:
    """The header, and the records in the order of arrival: (leg, leg + 2 for a codec note, or ENDED; seconds; bytes).

    A tail that is cut or damaged ends the records. Raises SpoolError when the header itself isn't whole, and OSError.
    """
    raw = Path(path).read_bytes()
    if data_key:
        try:
            raw = open_cut(raw, data_key, PURPOSE)
        except SealError as error:
            raise SpoolError(f"{path}: {error}") from None
    if len(raw) < _HEAD.size or raw[: len(MAGIC)] != MAGIC:
        raise SpoolError(f"{path} is no spool")
    _, length, checksum = _HEAD.unpack_from(raw)
    text = raw[_HEAD.size : _HEAD.size + length]
    if len(text) != length or zlib.crc32(text) != checksum:
        raise SpoolError(f"the header of {path} is cut or damaged")
    header = json.loads(text)
    if not isinstance(header, dict):
        raise SpoolError(f"the header of {path} is no object")
    return header, _records(raw, _HEAD.size + length)


def _records(raw: bytes, position: int) -> Iterator[Record]:
    while position + _RECORD.size <= len(raw):
        leg, mark, length, now = _RECORD.unpack_from(raw, position)
        position += _RECORD.size
        if mark != _MARK or leg > ENDED or length == 0 or not math.isfinite(now) or position + length > len(raw):
            return
        yield leg, now, raw[position : position + length]
        position += length
