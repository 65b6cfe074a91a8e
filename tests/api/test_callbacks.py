"""Where a customer's address may lead."""

from __future__ import annotations

import gzip
import tracemalloc

import pytest
from aiohttp import web

from gateway.api.callbacks import BODY_LIMIT, SHOWN, CallbackClient, forbidden
from tests.bench.customers import serve


@pytest.mark.parametrize(
    "address",
    [
        *(
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "192.168.1.1",
            "192.0.0.8",
        ),
        *("198.18.0.1", "224.0.0.1", "255.255.255.255", "::", "::1", "fc00::1", "fe80::1%eth0", "ff02::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "fd00:ec2::254"),
    ],
)
def test_private_local_and_translated_addresses_are_forbidden(address: str) -> None:
    assert forbidden(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2400:3200::1"])
def test_public_addresses_are_not(address: str) -> None:
    assert not forbidden(address)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "localhost", "2130706433", "0x7f.1", "127.1", "[::ffff:127.0.0.1]"]
)
async def test_no_spelling_of_loopback_is_reached(host: str) -> None:
    client = CallbackClient(2.0)
    outcome = await client.post(f"http://{host}:9/", b"", {}, private=False)
    await client.close()
    assert not outcome.ok
    assert outcome.error == "address not allowed"


@pytest.mark.parametrize(
    ("kind", "status"),
    [("well", 200), ("500", 500), ("redirects", 302), ("endless", 200), ("dead", None), ("hangs", None),
     ("headers", None), ("trickles", None)],
)  # fmt: skip
async def test_no_server_costs_more_than_its_time_and_a_few_bytes(kind: str, status: int | None) -> None:
    address, server = await serve(kind, "127.0.0.1")
    client = CallbackClient(1.0)
    tracemalloc.start()
    try:
        outcomes = [await client.post(f"{address}/status", b"{}", {}, private=True) for _ in range(2)]
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        await client.close()
        server.close()
    assert [outcome.status for outcome in outcomes] == [status] * 2
    assert all(len(outcome.answer) <= SHOWN for outcome in outcomes)
    assert most < 4_000_000


async def test_an_answer_is_not_unpacked() -> None:
    """A few kilobytes of gzip may hold gigabytes."""

    async def bomb(request: web.Request) -> web.Response:
        assert request.headers["Accept-Encoding"] == "identity"
        return web.Response(body=gzip.compress(bytes(50_000_000)), headers={"Content-Encoding": "gzip"})

    application = web.Application()
    application.router.add_post("/", bomb)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    client = CallbackClient(5.0)
    outcome, answer = await client.ask(f"http://127.0.0.1:{runner.addresses[0][1]}/", b"", {}, private=True)
    await client.close()
    await runner.cleanup()
    assert outcome.ok
    assert len(answer) <= BODY_LIMIT
    assert answer.startswith(b"\x1f\x8b")
