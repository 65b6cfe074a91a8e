"""A scenario file on a real node: two calls at once on a bad network, judged as in virtual time."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from gateway.cli import app
from gateway.lab.ports import free_tcp_and_udp_port

pytestmark = pytest.mark.interop
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
    port = free_tcp_and_udp_port("127.0.0.1")
    done: Result = CliRunner().invoke(
        app, ["lab", "run", "--real", "-v", "--api-port", str(port), str(tmp_path / "two.toml")]
    )
    assert done.exit_code == 0, done.output
    assert "✔  call 2: cause" in done.stdout
    assert "1 scenario passed" in done.stdout
