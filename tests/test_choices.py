"""docs/choices.md names keys that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.config.tree import ApplicationEntry, Config
from gateway.config.trunk import Trunk

TEXT = (Path(__file__).parent.parent / "docs" / "choices.md").read_text(encoding="utf-8")
ROWS = [line for line in TEXT.splitlines() if line.startswith("| ") and not line.startswith("| open")]
KEYS = sorted({key for row in ROWS for key in re.findall(r"`([a-z_]+\.[a-z_]+)`", row.rsplit("|", 2)[1])})


@pytest.mark.parametrize("key", KEYS)
def test_a_key_that_is_named_exists(key: str) -> None:
    section, _, name = key.partition(".")
    several = {"application": ApplicationEntry, "trunk": Trunk}
    fields = several[section].model_fields if section in several else None
    if fields is None:
        kind = Config.model_fields[section].annotation
        assert kind is not None
        fields = kind.model_fields  # type: ignore[attr-defined]
    assert name in fields


def test_every_row_has_three_cells() -> None:
    assert len(KEYS) > 20
    assert all(row.count("|") == 4 for row in ROWS)
