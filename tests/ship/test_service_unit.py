"""configs/maskline.service beside the code: the stop, the folders, the command."""

from __future__ import annotations

import shlex
from pathlib import Path

from typer.testing import CliRunner

from gateway.cli import app
from gateway.config.reading import load
from gateway.service import HANG_UP_SECONDS

CONFIGS = Path(__file__).parents[2] / "configs"


def unit() -> dict[str, str]:
    lines = (CONFIGS / "maskline.service").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def test_a_stop_drains_and_is_not_cut_short() -> None:
    made, config = unit(), load(CONFIGS / "maskline.toml", {})
    assert made["KillSignal"] == "SIGTERM"
    # SIGTERM to the media workers as well would end the calls that are to go on.
    assert made["KillMode"] == "mixed"
    assert int(made["TimeoutStopSec"]) >= config.node.drain_seconds + HANG_UP_SECONDS + 25


def test_what_is_written_by_default_is_in_the_state_folder() -> None:
    made, config = unit(), load(CONFIGS / "maskline.toml", {})
    state = "/var/lib/" + made["StateDirectory"]
    assert made["ProtectSystem"] == "strict"
    assert made["WorkingDirectory"] == state
    for place in (config.recordings.spool, config.recordings.url, config.tones.approved, config.database.location):
        assert state + "/" in str(place)


def test_the_command_and_its_environment_are_ours() -> None:
    made = unit()
    program, *words = shlex.split(made["ExecStart"])
    assert program.endswith("/bin/maskline")
    name, value = made["Environment"].split("=", 1)
    assert load(CONFIGS / "maskline.toml", {name: value}).node.log == "json"
    words[-1] = str(CONFIGS / "maskline.toml")
    done = CliRunner().invoke(app, [*words, "--check"])
    assert done.exit_code == 0, done.output
