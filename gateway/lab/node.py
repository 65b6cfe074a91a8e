"""A node of its own for the demo [IO]: its configuration, its process, its end.

The node runs in a session of its own, so that a Ctrl-C at the terminal reaches the demo alone, which then ends the node
in order: SIGTERM drains it, a second one ends it at once, and what is left of its session is killed.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp


class NodeError(Exception):
    """The node didn't start; the text holds the end of its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePlan:
    """What the node is to be: where it listens, whom it calls (``peer``: a SIP hop's text), its one application."""

    folder: Path
    host: str
    peer: str
    key: str
    secret: str
    x: str
    receiver: str
    sip_port: int
    web_port: int
    media_ports: tuple[int, int]
    mode: str = "AXB"
    numbers: tuple[str, ...] = ()
    """Further numbers of the application."""
    more: str = ""
    """Further lines of its section."""
    overrides: dict[str, str] = field(default_factory=dict)
    scheme: str = "http"
    """"https" where the overrides name a certificate, which is then not checked."""

    @property
    def base_url(self) -> str:
        return f"{self.scheme}://{self.host}:{self.web_port}"

    def toml(self) -> str:
        """The configuration file."""
        text = json.dumps  # a JSON string is a TOML basic string
        folder = self.folder.absolute()
        low, high = self.media_ports
        return f"""[node]
name = "demo"
drain_seconds = 5

[sip]
listen = [{text(f"udp:{self.host}:{self.sip_port}")}, {text(f"tcp:{self.host}:{self.sip_port}")}]
advertised = {text(self.host)}

[[trunk]]
name = "demo"
peers = [{text(self.peer)}]
allow = [{text(f"{self.host}/32")}]
health = "off"

[media]
ports = "{low}-{high}"
listen = {text(self.host)}
advertised = {text(self.host)}

[web]
listen = {text(f"{self.host}:{self.web_port}")}

[database]
url = {text(f"sqlite+aiosqlite:///{folder / 'maskline.db'}")}

[recordings]
url = {text(f"file://{folder / 'recordings'}")}
spool = {text(str(folder / "spool"))}

[tones]
approved = {text(str(folder / "tones"))}

[[application]]
key = {text(self.key)}
secret = {text(self.secret)}
mode = {text(self.mode)}
recording = true
status_url = {text(self.receiver + "/status")}
fee_url = {text(self.receiver + "/fee")}
private_callbacks = true
{self.more}
""" + "".join(
            f'[[number]]\nnumber = {text(number)}\narea_code = "0755"\napplication = {text(self.key)}\n\n'
            for number in (self.x, *self.numbers)
        )


def _environment() -> dict[str, str]:
    """Ours, less what would override the demo's own configuration."""
    return {name: value for name, value in os.environ.items() if not name.startswith("MASKLINE_")}


class Node:
    """The node as a process."""

    def __init__(self, plan: NodePlan) -> None:
        self.plan = plan
        self._log = plan.folder / "node.log"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, seconds: float = 15.0) -> None:
        """Start it and wait until it is ready. Raises NodeError; then nothing of it runs on."""
        try:
            await self._start(seconds)
        except BaseException:
            await self.stop()
            raise

    async def _start(self, seconds: float) -> None:
        file = self.plan.folder / "demo.toml"
        file.write_text(self.plan.toml(), encoding="utf-8")
        with self._log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "gateway", "serve", "--config", str(file),
                stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env={**_environment(), **self.plan.overrides},
            )  # fmt: skip
        try:
            async with asyncio.timeout(seconds), aiohttp.ClientSession() as http:
                while not await self._is_ready(http):
                    if self._process.returncode is not None:
                        raise NodeError(f"the node ended with {self._process.returncode}\n{self.log_tail()}")
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise NodeError(f"the node isn't ready after {seconds:.0f} s\n{self.log_tail()}") from None

    @property
    def pid(self) -> int:
        """Of the signalling process, whose children the others are."""
        assert self._process is not None
        return self._process.pid

    async def stop(self) -> int | None:
        """End it and give its exit code; None when it never ran."""
        process = self._process
        if process is None:
            return None
        try:
            for patience in (6.0, 2.0):
                if process.returncode is None:
                    with suppress(ProcessLookupError):
                        process.send_signal(signal.SIGTERM)
                    with suppress(TimeoutError):
                        await asyncio.wait_for(process.wait(), patience)
        finally:  # also when somebody is too impatient to wait for the orderly end
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        return await process.wait()

    def log_tail(self, lines: int = 25) -> str:
        with suppress(OSError):
            return "\n".join(self._log.read_text("utf-8", "replace").splitlines()[-lines:])
        return ""

    async def _is_ready(self, http: aiohttp.ClientSession) -> bool:
        with suppress(aiohttp.ClientError):
            async with http.get(self.plan.base_url + "/readyz", ssl=self.plan.scheme != "https") as response:
                return response.status == 200
        return False
