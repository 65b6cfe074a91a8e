from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.admin.bench import Bench


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    made = await Bench().up(f"sqlite+aiosqlite:///{tmp_path}/maskline.db", tmp_path / "tones")
    yield made
    await made.down()
