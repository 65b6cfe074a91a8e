"""[IO] ``maskline lab serve``: a real node with a virtual carrier that stays, and HTTP to let its phones call.

For tests in any language: the server under test binds by the REST API and gets the events; the test posts a call.

    GET  /        the node's address, key and secret, the names of numbers
    POST /calls   a [[call]] as JSON; answered when the CDR has come: what was checked, told, and whether it passed
    POST /stop    the end

What a call needs that isn't there is 400 with every fault by its key. It listens on loopback, and asks for no password:
whoever may reach it may let phones of this lab call.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

from aiohttp import web
from rich.console import Console

from gateway.config.reading import ConfigError
from gateway.scenarios.played import PlayedCall
from gateway.scenarios.real import HOST, RealNode
from gateway.scenarios.scenario import Scenario, read_call


class Control:
    """The HTTP beside the node."""

    def __init__(self, node: RealNode) -> None:
        self._node = node
        self.stopping = asyncio.Event()
        application = web.Application()
        application.router.add_get("/", self._info)
        application.router.add_post("/calls", self._call)
        application.router.add_post("/stop", self._stop)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        self.url = ""

    async def start(self, port: int) -> None:
        """Listen. OSError."""
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, port).start()
        self.url = f"http://{HOST}:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """No longer."""
        await self._runner.cleanup()

    @property
    def info(self) -> dict[str, Any]:
        """What a test has to know."""
        plan, form = self._node.plan, self._node.scenario.form
        return {
            "control": self.url,
            "api": plan.base_url,
            "key": plan.key,
            "secret": plan.secret,
            "mode": form.mode,
            "sip": f"udp:{HOST}:{plan.sip_port}",
            "numbers": form.known,
        }

    async def _info(self, request: web.Request) -> web.Response:
        return web.json_response(self.info)

    async def _call(self, request: web.Request) -> web.Response:
        try:
            form = read_call(await request.json(), self._node.scenario.form)
        except ConfigError as error:
            faults = [{"key": path.removeprefix("call[0]").lstrip("."), "text": text} for path, text in error.faults]
            return web.json_response({"faults": faults}, status=400)
        except (ValueError, TypeError):
            return web.json_response({"faults": [{"key": "", "text": "must be an object in JSON"}]}, status=400)
        return web.json_response(told(await self._node.play(form)))

    async def _stop(self, request: web.Request) -> web.Response:
        self.stopping.set()
        return web.json_response({})


def told(call: PlayedCall) -> dict[str, Any]:
    """What came of a call, for a program."""
    return {
        "passed": all(check.passed for check in call.checks),
        "checks": [{"name": row.name, "measured": row.measured, "passed": row.passed} for row in call.checks],
        "session": call.session,
        "status": call.caller.status,
        "reached": call.reached.e164 if call.reached else None,
        "events": [{"kind": event.kind, **event.fields} for event in call.events],
    }


async def serve(scenario: Scenario, *, webhook: str, api_port: int, control_port: int, info: Path | None) -> None:
    """Until SIGINT, SIGTERM or POST /stop. NodeError, OSError."""
    loop = asyncio.get_running_loop()
    async with RealNode(scenario, webhook=webhook, api_port=api_port) as node:
        for request in scenario.form.request:
            await node.request(request)
        control = Control(node)
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, control.stopping.set)
        await control.start(control_port)
        try:
            _greet(control, info)
            await control.stopping.wait()
        finally:
            await control.stop()


def _greet(control: Control, info: Path | None) -> None:
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    said = control.info
    console.print(f"[bold]lab[/] API {said['api']}, key {said['key']}; calls: POST {said['control']}/calls")
    if info is not None:
        # Whoever waits for the file finds it whole.
        begun = info.with_name(info.name + ".part")
        begun.write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")
        os.replace(begun, info)
