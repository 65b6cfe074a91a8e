"""``maskline lab run``: its exit code, its faults with file and key, its reports; a seed gives the same bytes."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import Result
from typer.testing import CliRunner

from gateway.cli import app
from gateway.scenarios.running import EXAMPLES

BIND = """
[[request]]
api = "AXB"
body = { callerNum = "A", calleeNum = "B", relationNum = "X" }
"""
FAILS = (
    'name = "it <fails>"'
    + BIND
    + """
[[call]]
from = "A"
to = "X"
callee = { refuses = 486 }
expect = { cause = 0, reached = "B" }
"""
)


def lab(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["lab", *map(str, arguments)])


@pytest.fixture
def failing(tmp_path: Path) -> Path:
    (tmp_path / "failing.toml").write_text(FAILS, encoding="utf-8")
    return tmp_path / "failing.toml"


def test_what_passes_is_a_line_each_and_0() -> None:
    done = lab("run", EXAMPLES / "busy.toml", EXAMPLES / "cancel.toml")
    assert done.exit_code == 0, done.output
    first, second, last = done.stdout.splitlines()
    assert first.startswith("✔ B is busy  4 requests, 0.7 s")
    assert second.startswith("✔ A gives up while it rings")
    assert last == "2 scenarios passed"
    assert "s of calls in" in done.stderr


def test_what_fails_is_drawn_and_1_and_a_seed_gives_the_same_bytes(failing: Path, tmp_path: Path) -> None:
    reports = [tmp_path / "reports" / name for name in ("one.xml", "other.xml")]
    one, other = (lab("run", failing, "--seed", 5, "--junit", report) for report in reports)
    assert one.exit_code == 1
    assert "486 Busy Here" in one.stdout
    assert "✘  cause                        8102, expected 0" in one.stdout
    assert "1 of 1 scenario failed" in one.stdout
    assert "\x1b" not in one.stdout
    assert "+86" not in one.stdout
    assert one.stdout == other.stdout
    assert reports[0].read_bytes() == reports[1].read_bytes()
    suite = ElementTree.parse(reports[0]).getroot().find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures")) == ("1", "1")
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert failure.get("message") == "cause: 8102, expected 0"
    assert "486 Busy Here" in (suite.findtext("testcase/system-out") or "")
    assert (suite.find("testcase") or {}).get("name") == "it <fails>"  # type: ignore[union-attr]


def test_a_wrong_file_is_2_with_every_fault(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('seeed = 1\n[[call]]\nfrom = "A"\nto = "X"\ncalle = {}\n')
    (tmp_path / "b.toml").write_text('[[call]]\nfrom = "A"\nto = "Q"\n')
    done = lab("run", tmp_path)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert set(done.stderr.splitlines()) >= {
        f"{tmp_path}/a.toml: seeed: is no key here",
        f"{tmp_path}/a.toml: call[0].calle: is no key here",
        f"{tmp_path}/b.toml: call[0].to: 'Q' is neither a number nor the name of one (A, B, C, X, Y)",
    }
    assert lab("run", tmp_path / "none.toml").exit_code == 2
    assert lab("run", EXAMPLES / "busy.toml", "--webhook", "localhost:8000").exit_code == 2
    (tmp_path / "empty").mkdir()
    assert lab("run", tmp_path / "empty").exit_code == 2


def test_what_ships_can_be_taken_along(tmp_path: Path) -> None:
    done = lab("examples", tmp_path / "mine")
    assert done.exit_code == 0
    assert {file.name for file in (tmp_path / "mine").iterdir()} == {file.name for file in EXAMPLES.glob("*.toml")}
