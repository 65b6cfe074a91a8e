"""``maskline recordings``, on a node's own database and folders: listening, proof, legal hold."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from sqlalchemy import insert
from typer.testing import CliRunner

from gateway.cli import app
from gateway.database import migrate, open_engine, writing
from gateway.recordings.keeper import Keeper
from gateway.recordings.part import KeeperSettings
from gateway.recordings.proof import Proof, proof_key
from gateway.schema import cdr, recording
from media.recording import wav
from media.recording.spool import SpoolFlusher
from media.recording.store import RecordingStore
from media.rtp import HEADER
from tests.test_cli_vault import MINIMAL

BEGUN = 1_700_000_000.0
LEG = {"packets": 200, "lost": 3, "mos": 4.2, "worst": 3.9, "jitter_ms": 7, "round_trip_ms": 20, "far_mos": None}


class Shell:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "maskline.toml"
        self.url = f"sqlite+aiosqlite:///{folder}/maskline.db"
        self.config.write_text(
            f'{MINIMAL}[database]\nurl = "{self.url}"\n[recordings]\nurl = "file://{folder}/kept"\n'
            f'spool = "{folder}"\nproof_key = "{folder}/proof"\n'
        )

    def __call__(self, *words: str, output: bool = True) -> tuple[int, str]:
        environment = {"COLUMNS": "120"}
        ran = CliRunner(env=environment).invoke(app, ["recordings", *words, "--config", str(self.config)])
        assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.exception
        return ran.exit_code, ran.output

    async def record(self, *names: str) -> None:
        """The caller says a tone for two seconds, then the callee one for two."""
        await migrate(self.url)
        engine = open_engine(self.url)
        store = RecordingStore(f"file://{self.folder}/kept")
        for name in names:
            flusher = SpoolFlusher()
            writer = flusher.open(self.folder / f"{name}.spool", {"started": 100.0})
            sound = wav.encode(0.3 * np.sin(np.arange(160 * 200) / 3)).tobytes()
            for number in range(200):
                head = HEADER.pack(0x80, 8, number, 160 * number, number // 100)
                writer.append(number // 100, 100.0 + number / 50, head + sound[160 * number : 160 * number + 160])
            writer.close(now=104.0)
            assert flusher.stop()
            row: dict[str, Any] = {
                "name": name, "session": f"call-{name}", "application": "app", "state": "pending", "node": "gw",
                "spool": str(self.folder / f"{name}.spool"), "answered_at": BEGUN, "ended_at": BEGUN + 4,
                "created_at": BEGUN, "notice": json.dumps([[BEGUN, BEGUN + 1.25], None]),
            }  # fmt: skip
            call: dict[str, Any] = {
                "session": f"call-{name}", "application": "app", "mode": "AXB", "x": "+8617000000001", "trunk": "t",
                "direction": 0, "started_at": BEGUN, "ended_at": BEGUN + 4, "answered": True, "seconds": 4.0,
                "cause": 0, "recorded": True, "payload": "{}", "quality": json.dumps({"caller": LEG, "callee": LEG}),
            }  # fmt: skip
            async with writing(engine) as connection:
                await connection.execute(insert(recording).values(**row))
                await connection.execute(insert(cdr).values(**call))
        keeper = Keeper(engine, store, KeeperSettings(node="gw"), lambda: BEGUN + 5, ticks=lambda: 1.0,
                        proof=Proof(proof_key(self.folder / "proof")))  # fmt: skip
        await keeper.settle()
        await keeper.stop()
        await engine.dispose()


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    made = Shell(tmp_path)
    asyncio.run(made.record("a.wav", "b.wav"))
    return made


def test_listening(shell: Shell) -> None:
    code, out = shell("list")
    assert (code, out.count("ready"), "2023-11-14 22:13:20" in out) == (0, 2, True)
    code, out = shell("show", "a.wav", "--png", str(shell.folder / "a.png"))
    assert code == 0, out
    caller, callee = (line.split(" ", 2)[-1] for line in out.splitlines() if "█" in line or "▇" in line)
    # He says something for the first two of four seconds, the other for the last two: not a mark beside that.
    loud = [[place for place, mark in enumerate(line) if mark in "▇█"] for line in (caller, callee)]
    width = max(loud[1]) + 1
    assert loud == [list(range(width // 2)), list(range(width // 2, width))], (caller, callee)
    assert "0 to 1250 ms after the answer" in out
    assert "200 packets, 3 lost, jitter up to 7 ms, score 4.2 (worst 3.9)" in out
    assert "-13 dBFS" in out
    assert (shell.folder / "a.png").read_bytes().startswith(b"\x89PNG")
    assert shell("show", "call-a.wav")[0] == 0
    for form, channels in (("stereo", 2), ("mono", 1), ("flac", 2)):
        to = shell.folder / f"out-{form}"
        assert shell("export", "a.wav", str(to), "--form", form)[0] == 0
        sound, rate = soundfile.read(to, always_2d=True)
        assert (rate, sound.shape) == (8000, (32000, channels))
        code, out = shell("export", "a.wav", str(to))
        assert (code, "File exists" in out) == (1, True)
    assert "there is no recording" in shell("show", "x.wav")[1]


def test_playing_uses_what_is_installed_and_leaves_no_file(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    player = shell.folder / "bin" / "aplay"
    player.parent.mkdir()
    player.write_text(f'#!/bin/sh\ncp "$2" {shell.folder}/played.wav\n')
    player.chmod(0o755)
    monkeypatch.setenv("PATH", f"{player.parent}:/bin")
    monkeypatch.setattr("gateway.cli_recordings.PLAYERS", (("aplay", "-q"),))
    before = set(os.listdir("/dev/shm"))
    assert shell("play", "a.wav")[0] == 0
    assert wav.parse((shell.folder / "played.wav").read_bytes())[0].size == 32000
    assert set(os.listdir("/dev/shm")) <= before
    monkeypatch.setattr("gateway.cli_recordings.PLAYERS", (("no such player",),))
    assert "install one of" in shell("play", "a.wav")[1]


def test_proof_and_legal_hold(shell: Shell) -> None:
    code, out = shell("verify")
    assert (code, "2 recordings looked at" in out, "all holds" in out) == (0, True, True)
    assert shell("hold", "a.wav", "--why", "case 7")[0] == 0
    assert "held" in shell("list", "--held")[1]
    code, out = shell("erase", "a.wav", "--why", "no")
    assert (code, "held" in out) == (1, True)
    assert shell("release", "a.wav", "--why", "closed")[0] == 0
    assert shell("erase", "a.wav", "--why", "asked for")[0] == 0
    code, out = shell("verify")
    assert (code, "1 recordings looked at, 1 erased" in out) == (0, True)
    assert "the recording is erased" in shell("show", "a.wav")[1]
    kept = shell.folder / "kept" / "b.wav"
    kept.write_bytes(kept.read_bytes()[:-1] + b"x")
    code, out = shell("verify")
    assert (code, "b.wav: was changed" in out) == (1, True)
    assert shell("verify", "--chain")[0] == 0
