"""docs/causes.md against the code: no cause without a call that ends with it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from gateway.causes import Cause

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "causes.md").read_text()
ROW = re.compile(r"^\| (\d+) \| (\w+) \| (.+) \| (\d+) \| (\d+) \| `([\w/.]+)::(\w+)` \|$", re.M)
ROWS = {int(row[0]): row for row in ROW.findall(PAGE)}
NEVER = {int(code) for line in PAGE.split("nothing brings about")[1].splitlines()[2:] if line.startswith("|")
         for code in re.findall(r"\b\d{3,4}\b", line.split("|")[1])}  # fmt: skip


def test_every_cause_has_its_row() -> None:
    missing = [cause.name for cause in Cause if cause not in ROWS and cause not in NEVER]
    assert missing == [], "docs/causes.md: say which call ends that way, and test it"
    assert sorted(ROWS) == sorted(cause for cause in Cause if cause not in NEVER)


@pytest.mark.parametrize("code", sorted(ROWS))
def test_the_row_is_true(code: int) -> None:
    _, name, what, status, q850, file, test = ROWS[code]
    cause = Cause(code)
    assert (cause.name, str(cause.sip_status), str(cause.q850)) == (name, status, q850)
    assert what
    source = (ROOT / "tests" / file).read_text()
    (found,) = [node for node in ast.parse(source).body if getattr(node, "name", "") == test]
    assert isinstance(found, ast.FunctionDef | ast.AsyncFunctionDef)
    first = min([found.lineno, *(one.lineno for one in found.decorator_list)])
    text = "\n".join(source.splitlines()[first - 1 : found.end_lineno])
    assert re.search(rf"Cause\.{name}\b|\b{code}\b", text), f"{test} does not speak of {name}"
