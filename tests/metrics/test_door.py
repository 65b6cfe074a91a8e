"""Who may read /metrics: allowed addresses, and nobody by way of a proxy."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from starlette.requests import Request

from gateway.metrics.door import metrics_page
from gateway.metrics.tally import Row

ALLOW = (ip_network("127.0.0.0/8"), ip_network("10.0.0.0/30"), ip_network("::1/128"))


async def collect() -> list[Row]:
    return [("maskline_ready", [], [1.0])]


async def asked(client: str, *headers: tuple[bytes, bytes]) -> int:
    scope = {"type": "http", "method": "GET", "path": "/metrics", "headers": list(headers), "client": (client, 1)}
    return (await metrics_page(ALLOW, collect)(Request(scope))).status_code


@pytest.mark.parametrize("client", ["127.0.0.1", "10.0.0.2", "::1", "::ffff:127.0.0.1"])
async def test_allowed(client: str) -> None:
    assert await asked(client) == 200


@pytest.mark.parametrize("client", ["10.0.0.4", "192.0.2.1", "2001:db8::1"])
async def test_strangers(client: str) -> None:
    assert await asked(client) == 403


@pytest.mark.parametrize("name", [b"forwarded", b"x-forwarded-for", b"x-real-ip", b"via"])
async def test_what_a_proxy_passes_on_is_refused(name: bytes) -> None:
    assert await asked("127.0.0.1", (name, b"192.0.2.1")) == 403
