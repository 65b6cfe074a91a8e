from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from gateway.lab.analysis import dominant, level
from gateway.lab.wave import Wave
from media.recording import wav
from media.recording.forms import Form, from_flac
from media.recording.render import PURPOSE, render
from media.recording.sealed import Opener
from media.recording.spool import SpoolError, SpoolFlusher

Packets = list[tuple[float, bytes]]
Streams = Callable[..., Packets]
Spools = Callable[..., Path]


@pytest.fixture
def spooled(tmp_path: Path) -> Spools:
    def make(caller: Packets, callee: Packets, *, started: object = 100.0, ended: float | None = None) -> Path:
        path = tmp_path / "call.spool"
        path.unlink(missing_ok=True)
        flusher = SpoolFlusher()
        writer = flusher.open(path, {"session": "s", "name": "n", "started": started})
        writer.codec(0, 8, 100.0)
        both = [(now, 0, packet) for now, packet in caller] + [(now, 1, packet) for now, packet in callee]
        for now, leg, packet in sorted(both):
            writer.append(leg, now, packet)
        writer.close(now=ended)
        assert flusher.stop()
        assert not writer.error
        return path

    return make


def test_the_caller_is_left_and_the_callee_right(tmp_path: Path, make_stream: Streams, spooled: Spools) -> None:
    spool = spooled(make_stream(700, 6.0, jitter=0.03), make_stream(1300, 6.0, begin=100.02, jitter=0.03, seed=2))
    rendered = render(spool, tmp_path / "a.wav", ended=105.5)
    raw = (tmp_path / "a.wav").read_bytes()
    wave = Wave.parse(raw)
    assert (wave.format, wave.rate, wave.bits, wave.channels) == (6, 8000, 8, 2)
    assert (wave.seconds, rendered.seconds, rendered.size, rendered.empty) == (5.5, 5.5, len(raw), False)
    assert rendered.sha256 == hashlib.sha256(raw).hexdigest()
    assert rendered.channels == tuple(hashlib.sha256(wave.channel(n)).hexdigest() for n in (0, 1))
    left, right = (wav.decode(codes) for codes in wav.parse(raw))
    assert (dominant(left), dominant(right)) == (700, 1300)
    assert level(left, 1300) < -55
    assert level(right, 700) < -55  # what A-law itself makes of 1300 Hz is at -59 dB


def test_loss_jitter_and_a_lawful_pause_keep_the_channels_together(
    tmp_path: Path, make_stream: Streams, spooled: Spools
) -> None:
    random = np.random.default_rng(3)
    caller = [one for one in make_stream(700, 30.0, jitter=0.06, ppm=100) if random.random() > 0.05]
    callee = [one for one in make_stream(1300, 30.0, jitter=0.06, seed=4) if not 110 < one[0] < 115]
    rendered = render(spooled(caller, callee), tmp_path / "a.wav")
    left, right = wav.parse((tmp_path / "a.wav").read_bytes())
    assert rendered.seconds == pytest.approx(30.0, abs=0.04)
    spans = [np.flatnonzero(codes != wav.SILENCE) for codes in (left, right)]
    assert abs(int(spans[0][0]) - int(spans[1][0])) <= 320
    assert abs(int(spans[0][-1]) - int(spans[1][-1])) <= 320
    assert (right[84_000:112_000] == wav.SILENCE).all()


def test_keys_in_the_sound_are_left_out_where_that_is_wanted(
    tmp_path: Path, make_rtp: Callable[..., bytes], make_stream: Streams, spooled: Spools
) -> None:
    time = np.arange(32000) / 8000
    pressed = 0.2 * (np.sin(2 * np.pi * 770 * time) + np.sin(2 * np.pi * 1336 * time))
    sound = wav.encode(np.where((time > 2.0) & (time < 2.2), pressed, 0.3 * np.sin(2 * np.pi * 700 * time))).tobytes()
    caller = [(100.0 + n * 0.02, make_rtp(n, n * 160, sound[n * 160 : n * 160 + 160])) for n in range(200)]
    spool = spooled(caller, make_stream(1300, 4.0))
    kept = []
    for mute in (False, True):
        render(spool, tmp_path / "a.wav", mute_keys=mute)
        left, right = wav.parse((tmp_path / "a.wav").read_bytes())
        kept.append((level(wav.decode(left[16200:17500]), 770) > -30, dominant(wav.decode(left[:15000]))))
        assert dominant(wav.decode(right[:31000])) == 1300
    assert kept == [(True, 700), (False, 700)]


def test_a_call_with_one_party_or_none(tmp_path: Path, make_stream: Streams, spooled: Spools) -> None:
    rendered = render(spooled(make_stream(700, 4.0), []), tmp_path / "a.wav")
    assert (rendered.seconds, rendered.empty) == (4.0, False)
    assert (wav.parse((tmp_path / "a.wav").read_bytes())[1] == wav.SILENCE).all()
    rendered = render(spooled([], []), tmp_path / "a.wav", ended=103.0)
    assert (rendered.seconds, rendered.empty) == (3.0, True)
    rendered = render(spooled([], []), tmp_path / "a.wav", ended=99.0)
    assert (rendered.seconds, rendered.size) == (0.0, len((tmp_path / "a.wav").read_bytes()))


def test_the_same_spool_gives_the_same_file_and_no_more(tmp_path: Path, make_stream: Streams, spooled: Spools) -> None:
    spool = spooled(make_stream(700, 4.0, jitter=0.02), make_stream(1300, 4.0))
    first = render(spool, tmp_path / "a.wav", ended=200.0, max_seconds=10.0)
    assert first.seconds == 10.0
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert pool.submit(render, spool, tmp_path / "a.wav", ended=200.0, max_seconds=10.0).result() == first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.wav", "call.spool"]


def test_the_end_that_was_noted_counts_before_the_last_packet(
    tmp_path: Path, make_stream: Streams, spooled: Spools
) -> None:
    spool = spooled(make_stream(700, 4.0), [], ended=107.25)
    assert render(spool, tmp_path / "a.wav").seconds == 7.25
    assert render(spool, tmp_path / "a.wav", ended=102.0).seconds == 2.0


@pytest.mark.parametrize("started", [None, "soon", True])
def test_a_spool_without_a_start_is_refused(tmp_path: Path, spooled: Spools, started: object) -> None:
    with pytest.raises(SpoolError, match="started"):
        render(spooled([], [], started=started), tmp_path / "a.wav")
    assert not (tmp_path / "a.wav").exists()


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path, make_stream: Streams, spooled: Spools) -> None:
    spool = spooled(make_stream(700, 1.0), [])
    (tmp_path / "a.wav").mkdir()
    with pytest.raises(OSError, match=r"a\.wav"):
        render(spool, tmp_path / "a.wav")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.wav", "call.spool"]


KILLED = """
import struct, sys, threading
from media.recording.spool import SpoolFlusher, read_spool
writer = SpoolFlusher().open(sys.argv[1], {"session": "s", "name": "n", "started": 100.0})
for number in range(250):
    packet = struct.pack(">BBHII", 0x80, 8, number, number * 160, 7) + b"\\x11" * 160
    writer.append(number % 2, 100 + number * 0.02, packet)
while True:
    try:
        if len(list(read_spool(sys.argv[1])[1])) == 250:
            break
    except Exception:
        pass
print("ready", flush=True)
threading.Event().wait()
"""


def test_a_killed_process_leaves_a_recording(tmp_path: Path) -> None:
    spool = tmp_path / "call.spool"
    with subprocess.Popen([sys.executable, "-c", KILLED, str(spool)], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        child.send_signal(signal.SIGKILL)
    rendered = render(spool, tmp_path / "a.wav")
    assert rendered.seconds == 5.0
    left, right = wav.parse((tmp_path / "a.wav").read_bytes())
    assert ((left == 0x11) ^ (right == 0x11)).all()


@pytest.mark.parametrize("form", ["wav", "flac"])
def test_a_sealed_spool_becomes_a_sealed_recording_of_the_same_sound(
    tmp_path: Path, make_stream: Streams, form: Form
) -> None:
    key = bytes(range(32))
    for name, data_key in (("plain", b""), ("sealed", key)):
        flusher = SpoolFlusher()
        writer = flusher.open(tmp_path / f"{name}.spool", {"started": 100.0}, data_key)
        for now, packet in make_stream(440, 2.0):
            writer.append(0, now, packet)
        writer.close(now=102.0)
        assert flusher.stop()
    plain = render(tmp_path / "plain.spool", tmp_path / "plain.wav")
    sealed = render(tmp_path / "sealed.spool", tmp_path / "sealed", form, key)
    assert sealed == plain
    opener = Opener(key, PURPOSE)
    opened = opener.feed((tmp_path / "sealed").read_bytes())
    assert opener.whole
    whole = opened if form == "wav" else b"".join(from_flac(opened))
    assert whole == (tmp_path / "plain.wav").read_bytes()
