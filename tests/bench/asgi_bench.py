"""The HTTP trial (tests/integration/http_trial.py) against several servers: which of them leaves what open.

Each serves the same small application, with every limit that it has set to about a second; those that aren't installed
are left out. ``python -m tests.bench.asgi_bench [NAME...]``; docs/decisions/asgi-server.md holds what came of it.
"""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from contextlib import suppress
from typing import Any

from gateway.lab.ports import free_tcp_and_udp_port
from tests.integration.http_trial import CROWDS, Site, cases, trial

HOST = "127.0.0.1"
LARGE = b"x" * 60_000
LIMIT = 64 * 1024
SERVERS = {
    "uvicorn, h11": "uvicorn", "uvicorn, httptools": "httptools", "hypercorn": "hypercorn", "granian": "granian",
    "aiohttp": "aiohttp", "uvicorn, h11, our guard": "uvicorn",
}  # fmt: skip


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Health, something large, and a POST that reads at most 64 KiB."""
    if scope["type"] != "http":
        return
    status, body = 200, b"{}"
    if scope["path"] == "/large":
        body = LARGE
    elif scope["path"] == "/json":
        size, more = 0, True
        while more and size <= LIMIT:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            size += len(message.get("body", b""))
            more = message.get("more_body", False)
        status = 413 if size > LIMIT else 200
    elif scope["path"] != "/healthz":
        status = 404
    if scope["method"] not in ("GET", "POST"):
        status = 405
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def serve(name: str, port: int) -> None:
    """Run one of them until it is ended."""
    if name == "uvicorn, h11, our guard":
        from gateway.api.guard import WebLimits
        from gateway.api.server import web_server

        limits = WebLimits(head_seconds=1, body_seconds=1.5, idle_seconds=1, stall_seconds=1, per_host=60)
        server = web_server(app, None, limits)
        server.config.host, server.config.port = HOST, port
        server.run()
    elif name.startswith("uvicorn"):
        import uvicorn

        kind = "h11" if name.endswith("h11") else "httptools"
        uvicorn.run(app, host=HOST, port=port, http=kind, ws="none", lifespan="off", log_level="critical",  # type: ignore[arg-type]
                    timeout_keep_alive=1, h11_max_incomplete_event_size=32768)  # fmt: skip
    elif name == "hypercorn":
        from hypercorn.asyncio import serve as run
        from hypercorn.config import Config

        config = Config()
        config.bind = [f"{HOST}:{port}"]
        config.keep_alive_timeout, config.read_timeout, config.loglevel = 1, 1, "CRITICAL"
        asyncio.run(run(app, config))
    elif name == "granian":
        from granian import Granian
        from granian.constants import Interfaces
        from granian.http import HTTP1Settings

        settings = HTTP1Settings(header_read_timeout=1000, keep_alive=True, max_buffer_size=32768)
        Granian("tests.bench.asgi_bench:app", HOST, port, interface=Interfaces.ASGINL, log_enabled=False,
                websockets=False, http1_settings=settings).serve()  # fmt: skip
    else:
        _aiohttp(port)


def _aiohttp(port: int) -> None:
    from aiohttp import web

    async def health(request: web.Request) -> web.Response:
        return web.Response(body=LARGE if request.path == "/large" else b"{}")

    async def json(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=b"{}")

    made = web.Application(client_max_size=LIMIT)
    made.router.add_get("/healthz", health)
    made.router.add_get("/large", health)
    made.router.add_post("/json", json)
    web.run_app(made, host=HOST, port=port, print=None, keepalive_timeout=1, lingering_time=1)


async def measure(name: str) -> dict[str, str]:
    """What one leaves open."""
    port = free_tcp_and_udp_port(HOST)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.asgi_bench", "--serve", name, str(port),
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with asyncio.timeout(20):
            while True:
                try:
                    _, writer = await asyncio.open_connection(HOST, port)
                except OSError:
                    await asyncio.sleep(0.1)
                else:
                    writer.close()
                    await writer.wait_closed()
                    break
        site = Site(HOST, port, patience=6.0, path="/json", large="/large", per_host=60)
        return await trial(site, cases()) | await trial(site, CROWDS, at_once=1)
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def main(names: list[str]) -> None:
    """The table."""
    number = len(cases()) + len(CROWDS)
    for name in names or SERVERS:
        if importlib.util.find_spec(SERVERS[name]) is None:
            print(f"{name}: not installed")
            continue
        wrong = await measure(name)
        print(f"{name}: {len(wrong)} of {number} left open")
        for case, what in wrong.items():
            print(f"    {case}: {what}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(sys.argv[2], int(sys.argv[3]))
    else:
        asyncio.run(main(sys.argv[1:]))
