"""docs/seeing.md names commands and options that exist, scenarios that are played and keys of the configuration."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from gateway.cli import app
from gateway.config.tree import Config
from gateway.trunktest.scenarios import SCENARIOS

TEXT = (Path(__file__).parent.parent / "docs" / "seeing.md").read_text(encoding="utf-8")
COMMANDS = [line.strip().partition("#")[0] for line in TEXT.splitlines() if line.startswith("maskline ")]


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_that_is_shown_exists_with_its_options(line: str) -> None:
    words = shlex.split(line)[1:]
    command = get_command(app)
    while words and isinstance(command, TyperGroup) and words[0] in command.commands:
        command = command.commands[words.pop(0)]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known


def test_scenarios_and_keys() -> None:
    assert len(COMMANDS) >= 6
    assert " ".join(SCENARIOS) in TEXT.replace("\n", " ")
    keys = set(re.findall(r"`((?:trace|hep|database|otel)\.[a-z_]+)`", TEXT))
    assert keys == {"trace.keep_calls", "trace.keep_days", "hep.numbers", "database.key_file", "otel.share"}
    for key in keys:
        section, _, name = key.partition(".")
        assert name in type(getattr(Config.model_construct(), section)).model_fields
