"""[IO] A large file to S3 in parts, gone on with after a broken line or a restart where it stood.

obstore sends in parts too, but gives no name of the upload out, so what it has begun can't be gone on with: botocore
does these requests, in threads of their own. Beside the file lies its note, ``<file>.upload``, JSON lines:

    {"upload": name at the server, "sha256": of the file, "part": bytes of each part}
    {"n": 1, "etag": "..."}        written when the server has that part; the last line may be cut

A process that is killed costs at most the parts that were under way (``AT_ONCE``). A note of another file, or of other
parts, ends the upload it names, and a new one begins. An upload that the server doesn't know any more is either done
(then the object is there) or was ended by a rule of the bucket: it begins anew at the next try. Whether what is stored
is right is for the caller to see, who reads it back.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import json
import threading
from base64 import b64encode
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from media.recording.s3 import S3Access, StoreError

AT_ONCE = 4
_DONE_PERHAPS = ("NoSuchUpload", "404", "500")
_USELESS = ("NoSuchUpload", "404", "InvalidPart", "InvalidPartOrder", "EntityTooSmall")
_SETTINGS = {
    "connect_timeout": 5,
    "read_timeout": 60,
    "max_pool_connections": AT_ONCE,
    "retries": {"mode": "standard", "total_max_attempts": 4},
    # What S3's newest clients add unasked, many servers refuse; each part has its MD5.
    "request_checksum_calculation": "when_required",
    "response_checksum_validation": "when_required",
}


def note_of(path: Path) -> Path:
    """Where the note of a file lies."""
    return path.with_name(path.name + ".upload")


class Note:
    """What is known of an upload that has begun; each part is written down as soon as it is stored. A full disk takes
    no note: then the upload that frees it can't be gone on with, but goes."""

    def __init__(self, path: Path) -> None:
        """``path``: of the file that is uploaded."""
        self.path = note_of(path)
        self.upload = ""
        self.parts: dict[int, str] = {}
        self._about: dict[str, Any] = {}
        self._turn = threading.Lock()

    def read(self) -> None:
        """What an earlier run has left; nothing, or lines that are cut, are no error."""
        with contextlib.suppress(FileNotFoundError, ValueError, KeyError, TypeError):
            lines = self.path.read_text().splitlines()
            self._about = json.loads(lines[0]) if lines else {}
            self.upload = self._about.pop("upload", "")
            for line in lines[1:]:
                part = json.loads(line)
                self.parts[part["n"]] = part["etag"]

    def fits(self, sha256: str, part: int) -> bool:
        """Whether it is of that file, cut so."""
        return bool(self.upload) and self._about == {"sha256": sha256, "part": part}

    def begin(self, upload: str, sha256: str, part: int) -> None:
        """A new upload."""
        self.upload, self.parts, self._about = upload, {}, {"sha256": sha256, "part": part}
        with contextlib.suppress(OSError):
            self.path.write_text(json.dumps({"upload": upload, **self._about}) + "\n")

    def add(self, number: int, etag: str) -> None:
        """The server has a part."""
        with self._turn:
            self.parts[number] = etag
            with contextlib.suppress(OSError), self.path.open("a") as file:
                file.write(json.dumps({"n": number, "etag": etag}) + "\n")

    def drop(self) -> None:
        """There is nothing to go on with."""
        self.path.unlink(missing_ok=True)


class Multipart:
    """Uploads to one bucket; all of them together have ``AT_ONCE`` parts under way and in memory."""

    def __init__(self, bucket: str, prefix: str, access: S3Access, part: int) -> None:
        self._bucket = bucket
        self._prefix = prefix + "/" if prefix else ""
        self._access = access
        self._part = part
        self._made: Any = None
        self._making = threading.Lock()
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="s3")

    async def put(self, name: str, path: Path, sha256: str) -> None:
        """Store the file ``path``, of that hash in hexadecimal. StoreError, OSError."""
        loop, broken_off = asyncio.get_running_loop(), threading.Event()
        key, note = self._prefix + name, Note(path)
        size = (await asyncio.to_thread(path.stat)).st_size

        def call(what: Callable[..., None], *arguments: Any) -> asyncio.Future[None]:
            return loop.run_in_executor(self._pool, what, *arguments)

        await call(self._begin, key, note, sha256)
        count = -(-size // self._part)
        missing = deque(number for number in range(1, count + 1) if number not in note.parts)

        async def go() -> None:
            while missing:
                await call(self._send, key, note, path, missing.popleft(), broken_off)

        try:
            await asyncio.gather(*(go() for _ in range(AT_ONCE)))
        finally:
            # The threads can't be cancelled, but what they send from says no.
            missing.clear()
            broken_off.set()
        await call(self._complete, key, note, size)

    # The rest runs in threads.

    def _client(self) -> Any:
        with self._making:
            if self._made is None:
                access = self._access
                style = "path" if access.path_style else "virtual"
                self._made = Session().create_client(
                    "s3",
                    endpoint_url=access.endpoint or None,
                    region_name=access.place or None,
                    aws_access_key_id=access.access_key or None,
                    aws_secret_access_key=access.secret_key or None,
                    config=Config(**_SETTINGS, s3={"addressing_style": style}),
                )
            return self._made

    def _begin(self, key: str, note: Note, sha256: str) -> None:
        note.read()
        if note.fits(sha256, self._part):
            return
        client, where = self._client(), {"Bucket": self._bucket, "Key": key}
        if note.upload:
            with contextlib.suppress(ClientError, BotoCoreError):
                client.abort_multipart_upload(**where, UploadId=note.upload)
        with _errors():
            note.begin(client.create_multipart_upload(**where)["UploadId"], sha256, self._part)

    def _send(self, key: str, note: Note, path: Path, number: int, broken_off: threading.Event) -> None:
        with path.open("rb") as file:
            file.seek((number - 1) * self._part)
            data = file.read(self._part)
        md5 = b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
        with _errors(note):
            stored = self._client().upload_part(
                Bucket=self._bucket, Key=key, UploadId=note.upload, PartNumber=number, ContentMD5=md5,
                Body=_Piece(data, broken_off),
            )  # fmt: skip
        note.add(number, stored["ETag"])

    def _complete(self, key: str, note: Note, size: int) -> None:
        client, where = self._client(), {"Bucket": self._bucket, "Key": key}
        parts = [{"PartNumber": number, "ETag": etag} for number, etag in sorted(note.parts.items())]
        with _errors(note):
            try:
                client.complete_multipart_upload(**where, UploadId=note.upload, MultipartUpload={"Parts": parts})
            except ClientError as error:
                # Killed between the server's work and its answer?
                if _code(error) not in _DONE_PERHAPS or client.head_object(**where)["ContentLength"] != size:
                    raise
        note.drop()


class _Piece(io.BytesIO):
    """A part, which is read as it is sent."""

    def __init__(self, data: bytes, broken_off: threading.Event) -> None:
        super().__init__(data)
        self._broken_off = broken_off

    def read(self, size: int | None = -1, /) -> bytes:
        if self._broken_off.is_set():
            raise StoreError("the upload was broken off")
        return super().read(size)


@contextlib.contextmanager
def _errors(note: Note | None = None) -> Iterator[None]:
    """Turn what botocore raises into StoreError; a note that is of no use any more goes."""
    try:
        yield
    except ClientError as error:
        if note is not None and _code(error) in _USELESS:
            note.drop()
        raise StoreError(f"the S3 server says {_code(error)}") from None
    except BotoCoreError as error:
        raise StoreError((str(error).splitlines() or [type(error).__name__])[0][:300]) from None


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", "nothing"))[:60]
