"""The store on a real S3 server."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sys
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from media.recording.multipart import note_of
from media.recording.s3 import StoreError
from media.recording.store import RecordingStore
from tests.s3 import BUCKET, KEYS, S3, Line

PART = 5 << 20


@pytest.fixture
def store(s3: S3) -> RecordingStore:
    return RecordingStore(f"s3://{BUCKET}/node/1", s3.access(), part=PART)


async def test_a_recording_is_kept_read_and_erased(tmp_path: Path, s3: S3, store: RecordingStore) -> None:
    data = bytes(range(256)) * 5000
    (tmp_path / "a").write_bytes(data)
    await store.probe()
    assert await store.size("rec-1.wav") is None
    await store.put("rec-1.wav", tmp_path / "a")
    assert await store.size("rec-1.wav") == len(data)
    assert b"".join([chunk async for chunk in store.chunks("rec-1.wav")]) == data
    assert s3.names() == ["node/1/rec-1.wav"]
    await store.erase("rec-1.wav")
    await store.erase("rec-1.wav")
    assert (s3.names(), await store.size("rec-1.wav"), store.shared) == ([], None, True)
    with pytest.raises(FileNotFoundError):
        [chunk async for chunk in store.chunks("rec-1.wav")]


async def test_a_large_one_goes_in_parts(tmp_path: Path, s3: S3, store: RecordingStore) -> None:
    data = os.urandom(2 * PART + 12345)
    (tmp_path / "a").write_bytes(data)
    await store.put("large.wav", tmp_path / "a")
    assert s3.client.head_object(Bucket=BUCKET, Key="node/1/large.wav")["ETag"].strip('"').endswith("-3")
    assert b"".join([chunk async for chunk in store.chunks("large.wav")]) == data


UPLOADING = """
import asyncio, sys
from media.recording.s3 import S3Access
from media.recording.store import RecordingStore
_, url, endpoint, access_key, secret_key, path = sys.argv
access = S3Access(endpoint=endpoint, access_key=access_key, secret_key=secret_key)
asyncio.run(RecordingStore(url, access, part=5 << 20).put("a.wav", path))
"""


async def test_a_kill_in_mid_upload_costs_the_parts_under_way(tmp_path: Path, s3: S3) -> None:
    count, data = 6, os.urandom(6 * PART)
    (tmp_path / "a").write_bytes(data)
    async with Line(s3) as line:
        # Four parts at once: so many bytes can't have gone before two of them are stored.
        line.hold_after = int(5.5 * PART)
        command = (sys.executable, "-c", UPLOADING, f"s3://{BUCKET}/gw", line.endpoint, *KEYS.values())
        killed = await asyncio.create_subprocess_exec(*command, str(tmp_path / "a"))
        while (stored := _noted(tmp_path / "a")) < 2 or line.sent <= line.hold_after:
            assert killed.returncode is None
            await asyncio.sleep(0)
        killed.kill()
        await killed.wait()
    (begun,) = s3.client.list_multipart_uploads(Bucket=BUCKET)["Uploads"]
    with note_of(tmp_path / "a").open("a") as note:
        note.write('{"n": 6, "et')  # as a power cut leaves it
    async with Line(s3) as line:
        store = RecordingStore(f"s3://{BUCKET}/gw", s3.access(line.endpoint), part=PART)
        await store.put("a.wav", tmp_path / "a")
        assert line.sent < (count - stored) * PART + 100_000
        assert b"".join([chunk async for chunk in store.chunks("a.wav")]) == data
    assert begun["Key"] == "gw/a.wav"
    assert "Uploads" not in s3.client.list_multipart_uploads(Bucket=BUCKET)
    assert os.listdir(tmp_path) == ["a"]


def _noted(path: Path) -> int:
    """How many parts the note of an upload names."""
    return len(note_of(path).read_bytes().splitlines()) - 1 if note_of(path).exists() else 0


async def test_a_note_is_believed_of_its_own_upload_only(tmp_path: Path, s3: S3, store: RecordingStore) -> None:
    path, where = tmp_path / "a", {"Bucket": BUCKET, "Key": "node/1/a.wav"}
    data = os.urandom(2 * PART + 1)
    path.write_bytes(data)
    other = s3.client.create_multipart_upload(**where)["UploadId"]
    about = {"upload": other, "sha256": "00" * 32, "part": PART}
    note_of(path).write_text(json.dumps(about) + '\n{"n": 1, "etag": "x"}\n')
    await store.put("a.wav", path)
    assert "Uploads" not in s3.client.list_multipart_uploads(Bucket=BUCKET), "the other was ended"
    # Killed when the server had put the parts together, and nobody had heard so: nothing is sent again.
    about |= {"sha256": hashlib.sha256(data).hexdigest()}
    noted = [json.dumps(about), *(f'{{"n": {number}, "etag": "x"}}' for number in (1, 2, 3))]
    note_of(path).write_text("\n".join(noted))
    await store.put("a.wav", path)
    assert b"".join([chunk async for chunk in store.chunks("a.wav")]) == data
    # Parts that the server doesn't know: from the beginning.
    about |= {"upload": s3.client.create_multipart_upload(**where)["UploadId"]}
    note_of(path).write_text("\n".join([json.dumps(about), *noted[1:]]))
    with pytest.raises(StoreError, match="InvalidPart"):
        await store.put("a.wav", path)
    await store.put("a.wav", path)
    assert (s3.names(), note_of(path).exists()) == (["node/1/a.wav"], False)


async def test_an_address_of_the_store_gives_the_recording(tmp_path: Path, store: RecordingStore) -> None:
    (tmp_path / "a").write_bytes(b"sound")
    await store.put("a.wav", tmp_path / "a")
    address = await store.link("a.wav", 60)
    assert address is not None
    assert "X-Amz-Expires=60" in address
    assert KEYS["secret_key"] not in address

    def get() -> bytes:
        with urllib.request.urlopen(address) as answer:
            return bytes(answer.read())

    assert await asyncio.to_thread(get) == b"sound"


async def test_a_line_that_breaks_leaves_no_object(tmp_path: Path, s3: S3) -> None:
    (tmp_path / "a").write_bytes(os.urandom(2 * PART))
    async with Line(s3) as line:
        store = RecordingStore(f"s3://{BUCKET}", s3.access(line.endpoint), part=PART)
        line.cut_after = PART
        with pytest.raises(StoreError):
            await store.put("a.wav", tmp_path / "a")
        assert s3.names() == []
        line.cut_after = None
        await store.put("a.wav", tmp_path / "a")
    assert s3.names() == ["a.wav"]


async def test_what_comes_back_otherwise_is_not_stored(tmp_path: Path, s3: S3) -> None:
    (tmp_path / "a").write_bytes(b"silence" * 100)
    async with Line(s3) as line:
        line.falsify = b"silence", b"singing"
        with pytest.raises(StoreError, match="not what it was given"):
            await RecordingStore(f"s3://{BUCKET}", s3.access(line.endpoint)).put("a.wav", tmp_path / "a")


async def test_no_bucket_and_no_server_are_told_without_keys(tmp_path: Path, s3: S3) -> None:
    (tmp_path / "a").write_bytes(b"x")
    for store in (
        RecordingStore("s3://nowhere", s3.access()),
        RecordingStore(f"s3://{BUCKET}", s3.access("http://127.0.0.1:9")),
    ):
        with pytest.raises(StoreError) as told:
            await store.put("a.wav", tmp_path / "a")
        assert "AKID" not in str(told.value)
        with pytest.raises(OSError, match=r"."):
            await store.probe()
    with pytest.raises(FileNotFoundError):
        await RecordingStore(f"s3://{BUCKET}", s3.access()).put("a.wav", tmp_path / "missing")


async def test_an_address_is_the_one_that_amazon_s_signer_makes(
    store: RecordingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that S3 itself ends it after its time, and lets nothing in it be changed (moto takes any signature)."""
    address = await store.link("a.wav", 77)
    assert address is not None
    said = parse_qs(urlsplit(address).query)
    signed = datetime.strptime(said["X-Amz-Date"][0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: signed)
    request = AWSRequest("GET", address.partition("?")[0])
    keys = Credentials(KEYS["access_key"], KEYS["secret_key"])
    S3SigV4QueryAuth(keys, "s3", "us-east-1", expires=77).add_auth(request)
    assert parse_qs(urlsplit(request.url).query) == said
