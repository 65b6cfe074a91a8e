"""A scenario file on a real node: two calls at once on a bad network, judged as in virtual time; what a call lacks."""

from __future__ import annotations

from pathlib import Path

import aiohttp
from click.testing import Result
from typer.testing import CliRunner

from gateway.cli import app
from gateway.scenarios.real import RealNode
from gateway.scenarios.scenario import read_scenario
from gateway.scenarios.serving import Control

FILE = """
[[request]]
api = "AXB"
body = { callerNum = "A", calleeNum = "B", relationNum = "X" }

[[request]]
api = "AXB"
body = { callerNum = "A", calleeNum = "C", relationNum = "Y" }

[network.callee]
loss = 0.05
jitter = 0.02

[[call]]
from = "A"
to = "X"
callee = { answers_after = 0.3, hang_up_after = 0.5 }
expect = { reached = "B", cause = 0 }

[[call]]
from = "C"
to = "Y"
callee = { refuses = 486, refuses_after = 0.1 }
expect = { reached = "A", cause = 8102, status = 486 }
"""


def test_a_file_on_a_real_node(tmp_path: Path) -> None:
    (tmp_path / "two.toml").write_text(FILE, encoding="utf-8")
    done: Result = CliRunner().invoke(app, ["lab", "run", "--real", "-v", str(tmp_path / "two.toml")])
    assert done.exit_code == 0, done.output
    assert "✔  call 2: cause" in done.stdout
    assert "1 scenario passed" in done.stdout


async def test_what_is_wrong_with_a_call_is_told_by_its_keys() -> None:
    node = RealNode(read_scenario({}, calls=False))
    control = Control(node)
    await control.start(0)
    async with aiohttp.ClientSession() as http:
        for body, keys in (
            ('{"from": "A", "to": "Q", "callee": {}}', ["to"]),
            ('{"from": "A", "to": "X", "callee": {"reeched": 1}}', ["callee.reeched"]),
            ("[]", [""]),
            ("{", [""]),
        ):
            async with http.post(control.url + "/calls", data=body) as answer:
                assert answer.status == 400
                assert [fault["key"] for fault in (await answer.json())["faults"]] == keys
        async with http.post(control.url + "/stop") as answer:
            assert answer.status == 200
    assert control.stopping.is_set()
    await control.stop()
    await node.__aexit__(None, None, None)
