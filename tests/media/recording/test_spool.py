from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from media.recording import spool
from media.recording.spool import SpoolError, SpoolFlusher, SpoolWriter, read_spool, wait_written

HEADER = {"session": "s1", "name": "rec-1", "started": 100.0}


@pytest.fixture
def flusher() -> Iterator[SpoolFlusher]:
    flusher = SpoolFlusher()
    yield flusher
    assert flusher.stop()


class Unattended(SpoolFlusher):
    """No thread: the test takes the steps."""

    def add(self, writer: SpoolWriter) -> None:
        pass


def test_what_was_appended_is_read_back(tmp_path: Path, flusher: SpoolFlusher) -> None:
    writer = flusher.open(tmp_path / "a.spool", HEADER)
    writer.codec(1, 0, 100.0)
    for number in range(1000):
        writer.append(number % 2, 100 + number / 100, bytes([number % 256]) * 172)
    writer.close()
    assert flusher.stop()
    header, records = read_spool(tmp_path / "a.spool")
    assert header == HEADER
    assert next(records) == (3, 100.0, b"\0")
    assert list(records) == [(n % 2, 100 + n / 100, bytes([n % 256]) * 172) for n in range(1000)]
    assert (writer.done, writer.error) == (True, "")
    assert (tmp_path / "a.spool").stat().st_mode & 0o777 == 0o600


def test_a_step_makes_packets_safe_while_the_call_goes_on(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path / "a", HEADER, Unattended())
    writer.append(0, 100.0, b"first")
    writer.step(1.0)
    assert list(read_spool(tmp_path / "a")[1]) == [(0, 100.0, b"first")]
    writer.append(0, 100.1, b"second")
    writer.step(1.2)
    assert len(list(read_spool(tmp_path / "a")[1])) == 2
    assert not writer.done
    writer.close()
    writer.step(1.3)
    assert writer.done


def test_stop_closes_what_is_still_open(tmp_path: Path, flusher: SpoolFlusher) -> None:
    closed: list[str] = []
    writers = [flusher.open(tmp_path / str(number), HEADER) for number in range(20)]
    writers[0].close(lambda: closed.append("0"))
    for writer in writers[1:]:
        writer.append(0, 1.0, b"x")
    assert flusher.stop()
    assert closed == ["0"]
    assert all(writer.done and not writer.error for writer in writers)
    assert all(len(list(read_spool(tmp_path / str(n))[1])) == 1 for n in range(1, 20))


def test_nothing_is_kept_after_the_close(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path / "a", HEADER, Unattended())
    writer.close()
    writer.append(0, 1.0, b"late")
    writer.step(0.0)
    assert list(read_spool(tmp_path / "a")[1]) == []


@pytest.mark.parametrize("kind", ["file", "link"])
def test_a_path_that_exists_is_never_written(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "victim"
    path = target if kind == "file" else tmp_path / "a"
    target.write_bytes(b"keep")
    if kind == "link":
        path.symlink_to(target)
    writer = SpoolWriter(path, HEADER, Unattended())
    writer.append(0, 1.0, b"x")
    writer.step(0.0)
    assert writer.error == "File exists"
    assert target.read_bytes() == b"keep"
    writer.close()
    writer.step(0.1)
    assert writer.done


def test_a_disk_that_stands_still_costs_the_recording_and_bounded_memory(tmp_path: Path) -> None:
    told: list[str] = []
    flusher = Unattended(lambda: told.append(writer.error))
    writer = SpoolWriter(tmp_path / "a", HEADER, flusher)
    for _ in range(100_000):
        writer.append(0, 1.0, bytes(172))
    assert len(writer._parts) == spool.BACKLOG
    assert told == [spool.SLOW]
    writer.step(0.0)
    assert (writer.error, writer.kept, len(list(read_spool(tmp_path / "a")[1]))) == (
        spool.SLOW, True, spool.BACKLOG - 1
    )  # fmt: skip
    writer.append(0, 1.0, bytes(172))
    assert not writer._parts
    writer.step(1.0)
    writer.close()
    writer.step(2.0)
    assert (writer.done, told) == (True, [spool.SLOW])


def test_all_that_wait_have_a_bound_too(tmp_path: Path) -> None:
    flusher = SpoolFlusher()
    flusher._writers = [SpoolWriter(tmp_path / "x", HEADER, Unattended())] * 400
    assert flusher.room() == spool.BACKLOG_OF_ALL // 401
    flusher._writers *= 100
    assert flusher.room() == spool.LEAST_BACKLOG


def test_an_error_of_the_disk_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_fd: int, _data: object) -> int:
        raise OSError(28, "No space left on device")

    told: list[str] = []
    writer = SpoolWriter(tmp_path / "a", HEADER, Unattended(lambda: told.append(writer.error)))
    monkeypatch.setattr(os, "write", full)
    writer.step(0.0)
    assert (told, writer.kept) == (["No space left on device"], False)


def test_a_cut_tail_ends_the_records_and_nothing_else(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path / "a", HEADER, Unattended())
    for number in range(3):
        writer.append(0, float(number), b"packet")
    writer.close()
    writer.step(0.0)
    whole = (tmp_path / "a").read_bytes()
    start = len(whole) - 3 * 18
    for size in range(start, len(whole) + 1):
        (tmp_path / "b").write_bytes(whole[:size])
        assert len(list(read_spool(tmp_path / "b")[1])) == (size - start) // 18
    (tmp_path / "b").write_bytes(whole + bytes(4096))
    assert len(list(read_spool(tmp_path / "b")[1])) == 3


def test_what_is_no_spool_is_refused(tmp_path: Path) -> None:
    for raw in (
        b"",
        b"RIFF" * 10,
        b"MLSPOOL1" + struct.pack("<II", 99, 0) + b"{}",
        b"MLSPOOL1" + struct.pack("<II", 2, 0) + b"{}",
    ):
        (tmp_path / "a").write_bytes(raw)
        with pytest.raises(SpoolError):
            read_spool(tmp_path / "a")


def test_a_spool_is_locked_while_it_is_written(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path / "a", HEADER, Unattended())
    writer.step(0.0)
    with pytest.raises(SpoolError, match="still being written"):
        wait_written(tmp_path / "a", timeout=0.0)
    writer.close()
    writer.step(0.1)
    wait_written(tmp_path / "a", timeout=0.0)


def test_trouble_of_one_recording_leaves_the_others_alone(tmp_path: Path) -> None:
    def broken() -> None:
        raise RuntimeError("not now")

    flusher = SpoolFlusher()
    first, second = (flusher.open(tmp_path / name, HEADER) for name in "ab")
    first.close(broken)
    second.append(0, 1.0, b"x")
    assert flusher.stop()
    assert "not now" in first.error
    assert (second.done, second.error) == (True, "")


KEY = bytes(range(32))


def test_a_sealed_spool_opens_with_its_key_only_and_up_to_a_cut(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path / "a", HEADER, Unattended(), KEY)
    for step in range(5):
        for number in range(50):
            writer.append(number % 2, 100.0 + step + number / 50, b"what they said")
        writer.step(float(step))
    raw = (tmp_path / "a").read_bytes()
    assert b"what they said" not in raw
    assert b"rec-1" not in raw
    header, records = read_spool(tmp_path / "a", KEY)
    assert (header, len(list(records))) == (HEADER, 250)
    for cut in (len(raw) - 1, len(raw) * 3 // 5):
        (tmp_path / "cut").write_bytes(raw[:cut])
        kept = len(list(read_spool(tmp_path / "cut", KEY)[1]))
        assert kept == (200 if cut == len(raw) - 1 else 100) or kept == 150
    for key in (b"", bytes(32)):
        with pytest.raises(SpoolError):
            read_spool(tmp_path / "a", key)
    writer.close()
    writer.step(9.0)
