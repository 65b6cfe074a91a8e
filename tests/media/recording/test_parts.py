"""Recordings in several files: a worker died in the call, another one went on."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from media.control import part_path
from media.recording import wav
from media.recording.parts import parts_of, remove_parts
from media.recording.render import PURPOSE, render
from media.recording.sealed import Opener
from media.recording.spool import SpoolError, SpoolFlusher

Packets = list[tuple[float, bytes]]
Streams = Callable[..., Packets]
KEY = bytes(range(32))


def write(path: str, packets: Packets, *, leg: int = 0, ended: float | None = None, key: bytes = b"") -> None:
    """A part of the recording that began at 100."""
    flusher = SpoolFlusher()
    writer = flusher.open(path, {"session": "s", "started": 100.0}, key)
    for now, packet in packets:
        writer.append(leg, now, packet)
    writer.close(now=ended)
    assert flusher.stop()


@pytest.mark.parametrize("key", [b"", KEY], ids=["plain", "sealed"])
def test_the_parts_are_one_file_with_silence_between(tmp_path: Path, make_stream: Streams, key: bytes) -> None:
    spool = str(tmp_path / "call.spool")
    packets = make_stream(700, 9.0, jitter=0.01)
    for part, (low, high) in enumerate([(100.0, 103.0), (104.0, 106.0), (107.5, 109.0)]):
        here = [one for one in packets if low <= one[0] < high]
        write(part_path(spool, part), here, ended=109.5 if part == 2 else None, key=key)
    rendered = render(spool, tmp_path / "a.wav", data_key=key)
    assert rendered.seconds == 9.5
    raw = (tmp_path / "a.wav").read_bytes()
    left, right = wav.parse(Opener(key, PURPOSE).feed(raw) if key else raw)
    heard = [float(np.abs(wav.decode(left[at : at + 4000])).max()) > 0.1 for at in range(0, len(left), 4000)]
    told = [at not in (6, 7, 12, 13, 14, 18) for at in range(19)]
    assert heard == told, "half seconds: each part where it belongs"
    assert (right == wav.SILENCE).all()
    # What comes after a gap is where the sender's clock has it, to the sample.
    whole = wav.decode(left)
    phase = [math.atan2(*_parts(whole[at : at + 8000], 700, at)) for at in (8000, 33000, 62000)]
    assert max(phase) - min(phase) < 0.05


def _parts(sound: np.ndarray, hertz: float, at: int) -> tuple[float, float]:
    angle = 2 * np.pi * hertz * (np.arange(len(sound)) + at) / 8000
    return float((sound * np.cos(angle)).sum()), float((sound * np.sin(angle)).sum())


def test_a_part_that_is_missing_or_damaged_costs_only_itself(tmp_path: Path, make_stream: Streams) -> None:
    spool = str(tmp_path / "call.spool")
    with pytest.raises(FileNotFoundError):
        render(spool, tmp_path / "a.wav")
    Path(part_path(spool, 1)).write_bytes(b"MLSPOOL1")
    with pytest.raises(FileNotFoundError):
        render(spool, tmp_path / "a.wav")
    write(part_path(spool, 2), [one for one in make_stream(700, 4.0) if one[0] >= 102.0], ended=104.0)
    assert render(spool, tmp_path / "a.wav").seconds == 4.0
    left, _ = wav.parse((tmp_path / "a.wav").read_bytes())
    assert (left[:15_900] == wav.SILENCE).all()
    assert (left[16_400:] != wav.SILENCE).mean() > 0.9
    Path(spool).write_bytes(b"what is this?")
    assert render(spool, tmp_path / "a.wav").seconds == 4.0
    Path(part_path(spool, 2)).unlink()
    with pytest.raises(SpoolError):
        render(spool, tmp_path / "a.wav")


def test_all_parts_go_together(tmp_path: Path) -> None:
    spool = tmp_path / "call.spool"
    for part in (0, 1, 3):
        Path(part_path(str(spool), part)).touch()
    (tmp_path / "call.spool.done").touch()
    assert [path.name for path in parts_of(spool)] == ["call.spool", "call.spool.1", "call.spool.3"]
    remove_parts(spool)
    assert [path.name for path in tmp_path.iterdir()] == ["call.spool.done"]
    remove_parts(spool)
