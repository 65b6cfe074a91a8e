from __future__ import annotations

import os
from pathlib import Path

import pytest

from media.recording.store import RecordingStore


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "kept here"


@pytest.fixture
def store(folder: Path) -> RecordingStore:
    return RecordingStore(f"file://{folder}".replace(" ", "%20"))


async def test_a_recording_is_kept_read_and_erased(tmp_path: Path, folder: Path, store: RecordingStore) -> None:
    data = bytes(range(256)) * 5000
    (tmp_path / "a.wav").write_bytes(data)
    assert await store.size("rec-1.wav") is None
    await store.put("rec-1.wav", tmp_path / "a.wav")
    assert await store.size("rec-1.wav") == len(data)
    assert b"".join([chunk async for chunk in store.chunks("rec-1.wav")]) == data
    assert os.listdir(folder) == ["rec-1.wav"]
    assert store.path("rec-1.wav").read_bytes() == data
    await store.erase("rec-1.wav")
    await store.erase("rec-1.wav")
    assert await store.size("rec-1.wav") is None
    assert os.listdir(folder) == []
    with pytest.raises(FileNotFoundError):
        [chunk async for chunk in store.chunks("rec-1.wav")]


async def test_putting_again_replaces(tmp_path: Path, store: RecordingStore) -> None:
    for data in (b"one", b"three", b""):
        (tmp_path / "a.wav").write_bytes(data)
        await store.put("x", tmp_path / "a.wav")
        assert await store.size("x") == len(data)
        assert b"".join([chunk async for chunk in store.chunks("x")]) == data


async def test_what_is_not_there_cannot_be_put(tmp_path: Path, store: RecordingStore) -> None:
    with pytest.raises(FileNotFoundError):
        await store.put("x", tmp_path / "gone.wav")
    assert await store.size("x") is None


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".hidden", "../x", "a/b", "/etc/passwd", "a\\b", "a b", "a%2Fb", "a\n", "录", "a" * 201]
)
async def test_a_name_that_could_leave_the_folder_is_refused(tmp_path: Path, store: RecordingStore, name: str) -> None:
    (tmp_path / "a.wav").write_bytes(b"x")
    with pytest.raises(ValueError, match="name of a recording"):
        await store.put(name, tmp_path / "a.wav")
    with pytest.raises(ValueError, match="name of a recording"):
        await store.size(name)
    with pytest.raises(ValueError, match="name of a recording"):
        await store.erase(name)
    with pytest.raises(ValueError, match="name of a recording"):
        [chunk async for chunk in store.chunks(name)]


async def test_a_disk_that_fails_raises_oserror(tmp_path: Path, folder: Path, store: RecordingStore) -> None:
    (tmp_path / "a.wav").write_bytes(b"x")
    (folder / "x" / "y").mkdir(parents=True)
    with pytest.raises(OSError, match=r"."):
        await store.put("x", tmp_path / "a.wav")


@pytest.mark.parametrize(
    "url", ["", "/tmp/x", "file:relative", "file://host/x", "file:///x?y=1", "s3:///x", "s3://b?x=1"]
)
def test_what_is_no_store_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        RecordingStore(url)
