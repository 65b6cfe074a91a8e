"""The web process of a real node among hostile HTTP clients: every case of http_trial.py, with limits of a second.

The cases run side by side: what takes time is the limits themselves.
"""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest

from gateway.lab.client import signature
from gateway.lab.node import Node, NodePlan
from gateway.lab.ports import free_media_ports, free_tcp_and_udp_port
from tests.integration.http_trial import CROWDS, JSON, Site, cases, trial

HOST = "127.0.0.1"
KEY, SECRET = "test-axb", "secret"
PER_HOST = 60
LIMITS = {"HEAD_SECONDS": "1", "BODY_SECONDS": "1.5", "IDLE_SECONDS": "1", "STALL_SECONDS": "1",
          "CONNECTIONS_PER_HOST": str(PER_HOST)}  # fmt: skip
ADMIN = "/v1/enterprises"


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    made = Node(
        NodePlan(
            folder=tmp_path, host=HOST, peer=f"udp:{HOST}:9", key=KEY, secret=SECRET, x="+8617000000001",
            receiver=f"http://{HOST}:9", sip_port=free_tcp_and_udp_port(HOST), web_port=free_tcp_and_udp_port(HOST),
            media_ports=free_media_ports(HOST),
            overrides={f"MASKLINE_WEB__{name}": value for name, value in LIMITS.items()},
        )
    )  # fmt: skip
    await made.start(60)
    yield made
    await made.stop()


def site(node: Node) -> Site:
    def signed() -> dict[str, str]:
        created = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return signature(KEY, SECRET, nonce=uuid.uuid4().hex, created=created)

    return Site(
        HOST, node.plan.web_port, patience=8.0, path="/rest/caas/relationnumber/partners/v1.0",
        large="/openapi.json", per_host=PER_HOST, signed=signed,
    )  # fmt: skip


async def test_nothing_stays_open_and_nothing_hidden_is_served(node: Node) -> None:
    some = cases(ADMIN)
    assert len(some) > 100
    assert await trial(site(node), some) == {}
    assert await trial(site(node), CROWDS, at_once=1) == {}
    # Nobody can fill the log with such things.
    assert len(node.log_tail(1000).splitlines()) < 10


async def test_the_management_api_reads_such_json_with_a_token_too(node: Node) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", "token", "create", "--config", str(node.plan.folder / "demo.toml"), "trial",
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    text, _ = await process.communicate()
    headers = {"Authorization": f"Bearer {text.decode().strip()}"}
    seen = {}
    async with aiohttp.ClientSession(node.plan.base_url, headers=headers) as http:
        for name, (kind, body) in JSON.items():
            async with http.post(ADMIN, data=body, headers={"Content-Type": kind}) as response:
                seen[name] = (response.status, set(await response.json()))
    assert seen == {name: (400, {"error"}) for name in JSON}
