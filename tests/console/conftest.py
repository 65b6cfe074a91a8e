from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from gateway.console.app import create_console
from tests.admin.bench import Bench


class ConsoleBench(Bench):
    """The management API with the console beside it, as a node mounts them."""

    async def up(self, url: str, folder: Path, **settings: object) -> ConsoleBench:
        await super().up(url, folder, **settings)
        self.app.mount("/console", create_console(self.app.state.context))
        return self

    def browser(self) -> aiohttp.ClientSession:
        """Somebody's browser: it keeps its cookies."""
        jar = aiohttp.CookieJar(unsafe=True)
        return aiohttp.ClientSession(self.http._base_url, cookie_jar=jar)


@pytest.fixture
async def bench(tmp_path: Path, database_url: str) -> AsyncIterator[ConsoleBench]:
    made = await ConsoleBench().up(database_url, tmp_path / "tones", lockout_failures=3)
    yield made
    await made.down()
