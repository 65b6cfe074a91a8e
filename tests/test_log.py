"""Logs for machines: each line is JSON with the id of the call that it is about, and nobody's number."""

from __future__ import annotations

import ast
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from gateway import log

ROOT = Path(__file__).parent.parent


@pytest.fixture
def machine_log(capsys: pytest.CaptureFixture[str]) -> Iterator[pytest.CaptureFixture[str]]:
    """What is written to standard error as ``node.log = "json"`` wants it."""
    before = structlog.get_config()
    log.configure("json")
    yield capsys
    structlog.configure(**before)


def test_a_line_of_a_call_is_json_with_its_id_and_no_number(machine_log: pytest.CaptureFixture[str]) -> None:
    logger = structlog.get_logger()
    logger.warning("a leg sent no packet", call="5c0ffee", seconds=3.0, sdp="sip:+8613800000023@b\r\nX: y")
    try:
        raise ValueError("tel:13800000023 is wrong")
    except ValueError:
        logger.exception("the binding could not be looked up", call="5c0ffee")
    first, second = (json.loads(line) for line in machine_log.readouterr().err.splitlines())
    assert (first["call"], first["level"], first["seconds"]) == ("5c0ffee", "warning", 3.0)
    assert first["timestamp"].endswith("Z")
    assert first["sdp"] == "sip:+86138******23@b\\x0d\\x0aX: y"
    assert second["call"] == "5c0ffee"
    assert "ValueError" in second["exception"]
    assert "13800000023" not in json.dumps([first, second])


def test_a_logger_that_is_kept_writes_where_standard_error_is_now(
    machine_log: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    logger = structlog.get_logger()
    with io.StringIO() as closed:
        monkeypatch.setattr("sys.stderr", closed)
        logger.warning("one")
        assert json.loads(closed.getvalue())["event"] == "one"
    monkeypatch.undo()
    logger.warning("two")
    assert json.loads(machine_log.readouterr().err)["event"] == "two"


def test_whoever_speaks_of_a_call_names_it() -> None:
    """A line of the log with "call" or "leg" in its words, said of one, has its id."""
    spoken = []
    for path in (ROOT / "gateway" / "calls").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _is_log(node.func.value):
                said = node.args[0] if node.args else None
                if isinstance(said, ast.Constant) and {"a call", "a leg", "the binding"} & set(
                    _starts(str(said.value))
                ):
                    spoken.append((path.name, said.value, {one.arg for one in node.keywords}))
    assert len(spoken) >= 2
    assert [one for one in spoken if "call" not in one[2]] == []


def _is_log(value: ast.expr) -> bool:
    return isinstance(value, ast.Name) and value.id == "_log"


def _starts(text: str) -> list[str]:
    words = text.split()
    return [" ".join(words[:2]), *([" ".join(words[-2:])] if len(words) > 2 else [])]
