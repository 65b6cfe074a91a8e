"""Files, buffers, clock, folders, tones, keys: each can be well and ill."""

from __future__ import annotations

import pytest

from gateway.doctor.finding import State
from gateway.doctor.limits import Clock, clock, open_files, socket_buffers
from gateway.doctor.services import SLOW_SECONDS, database_speed
from gateway.doctor.storage import GIB, folder, key_file, spool_need, tones


def test_open_files() -> None:
    assert open_files(1 << 20, 5000, 2).state is State.OK
    found = open_files(1024, 5000, 2)
    assert found.state is State.FAILURE
    assert "6024" in found.hint


def test_socket_buffers() -> None:
    assert socket_buffers(212_992, 400).state is State.OK
    assert socket_buffers(100_000, 400).state is State.WARNING
    assert socket_buffers(212_992, 10_000).state is State.WARNING


@pytest.mark.parametrize(
    ("seen", "state"),
    [
        (Clock(True, 0.001, 0.1), State.OK),
        (Clock(True, -0.6, 0.1), State.WARNING),
        (Clock(True, 0.0, 9.0), State.WARNING),
        (Clock(False), State.WARNING),
        (Clock(None), State.WARNING),
    ],
)
def test_the_clock(seen: Clock, state: State) -> None:
    assert clock(seen).state is state


def test_folders() -> None:
    assert folder("recordings.spool", "/s", "", 50 * GIB, 100 * GIB).state is State.OK
    assert folder("recordings.spool", "/s", "Permission denied", 50 * GIB, 100 * GIB).state is State.FAILURE
    assert folder("recordings.spool", "/s", "", GIB // 2, 100 * GIB).state is State.FAILURE
    assert folder("recordings.spool", "/s", "", 5 * GIB, 100 * GIB).state is State.WARNING
    assert folder("recordings.spool", "/s", "", 5 * GIB, 6 * GIB, spool_need(2500)).state is State.FAILURE


def test_tones_and_keys() -> None:
    assert tones([], 12).state is State.OK
    assert tones([("app", "x.wav", "not there")], 12).state is State.FAILURE
    assert key_file("", "", 0).state is State.WARNING
    assert key_file("/k", "can be read by others", 0).state is State.FAILURE
    assert key_file("/k", "", 2).state is State.OK


def test_the_database_s_speed() -> None:
    assert database_speed(SLOW_SECONDS / 2).state is State.OK
    assert database_speed(SLOW_SECONDS * 2).state is State.WARNING
