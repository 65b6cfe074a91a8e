"""The doctor beside a node that runs, with a trunk peer that answers and one that doesn't, and in JSON."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.lab.script import Script
from tests.integration.test_node import HOST, Stand


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    made = Stand(tmp_path, Script(), Script())
    await made.up()
    yield made
    await made.stack.aclose()


async def examined(stand: Stand, *words: str, **environment: str) -> tuple[int | None, str]:
    config = str(stand.folder / "demo.toml")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", "doctor", "--config", config, *words, stdout=asyncio.subprocess.PIPE,
        env={name: value for name, value in os.environ.items() if not name.startswith("MASKLINE_")} | environment,
    )  # fmt: skip
    out, _ = await process.communicate()
    return process.returncode, out.decode()


def found(text: str) -> dict[str, dict[str, Any]]:
    return {one["check"]: one for one in json.loads(text)}


async def test_a_node_that_runs_well(stand: Stand) -> None:
    status, text = await examined(stand, "--json")
    report = found(text)
    failures = {name: one for name, one in report.items() if one["state"] == "failure"}
    assert (status, failures) == (0, {})
    peer = str(stand.callee.phone.here)
    assert report[f"trunk demo {peer}"]["said"] == "answers OPTIONS with 200"
    assert report[f"port udp:{HOST}:{stand.node.plan.sip_port}"]["said"] == "held by the node that runs"
    assert report["recordings.url"]["state"] == report["database tables"]["state"] == "ok"


async def test_what_is_wrong_is_told_with_a_hint_and_by_the_status(stand: Stand) -> None:
    assert await stand.node.stop() == 0
    status, text = await examined(stand, MASKLINE_TRUNK__0__PEERS=json.dumps([f"tcp:{HOST}:1"]))
    assert status == 1
    (line,) = [line for line in text.splitlines() if "trunk demo" in line]
    assert line.startswith(f"failure  trunk demo tcp:{HOST}:1: can't be reached; see firewalls")
    assert "\x1b" not in text
    assert text.splitlines()[-1].endswith("1 failure")
