"""A command on a database that no node has used yet says so in words."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from gateway.cli_database import opened
from gateway.config.reading import load

CONFIG = """
[sip]
listen = ["udp:127.0.0.1:5060"]
[database]
url = "sqlite+aiosqlite:///{folder}/new.db"
[[trunk]]
name = "carrier"
peers = ["udp:127.0.0.1:5070"]
"""


async def test_before_the_first_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "maskline.toml"
    file.write_text(CONFIG.format(folder=tmp_path), encoding="utf-8")
    config = load(file, {})
    with pytest.raises(typer.Exit) as exit:
        async with opened(config):
            raise AssertionError("opened")
    assert exit.value.exit_code == 1
    assert "the node makes them when it starts" in capsys.readouterr().err
    async with opened(config, made=True):
        pass
    async with opened(config):
        pass
