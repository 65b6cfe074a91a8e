"""The page of the API: there, beside its description, and with nothing from elsewhere."""

from __future__ import annotations

import re

from tests.api.bench import Bench


async def test_the_page_needs_nothing_from_elsewhere(bench: Bench) -> None:
    async with bench.http.get("/docs") as response:
        page = await response.text()
        assert response.headers["Content-Type"].startswith("text/html")
    assert re.findall(r"(?:https?:)?//[a-z]", page) == []
    assert set(re.findall(r'(?:href|src)="([^"]*)"', page)) == {"openapi.json"}
    async with bench.http.get("/openapi.json") as response:
        described = (await response.json(content_type=None))["paths"]
    assert {"/rest/caas/relationnumber/partners/v1.0", "/healthz"} <= set(described)
    assert "/docs" not in described
