from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.admin.bench import Bench


@pytest.fixture
async def bench(tmp_path: Path, database_url: str) -> AsyncIterator[Bench]:
    made = await Bench().up(database_url, tmp_path / "tones")
    yield made
    await made.down()
