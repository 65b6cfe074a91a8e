"""What the documentation's commands run on: one node from configs/dev.toml, phones, a customer's server, a call.

The node is started by the command that stands in the pages (``make run``, as ``make -n`` writes it out). Ports and
folders are others than in the text: ``put_in`` changes them, in the configuration and in every block alike. The call is
placed at once and goes on beside the first pages; those that name SESSION or RECORDING wait for it.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import aiohttp

from gateway.lab.client import CustomerClient
from gateway.lab.phone import Phase, Phone
from gateway.lab.ports import free_media_ports, free_tcp_and_udp_port
from gateway.lab.receiver import Receiver
from gateway.lab.script import Script
from gateway.lab.sockets import PhoneLine
from gateway.sip.hop import Hop
from tests.docs.forked import CLIENT
from tests.docs.pages import ROOT, pages

HOST = "127.0.0.1"
# Numbers that no page binds.
A, B, X = "+8613800000091", "+8613800000093", "+8617000000009"
LINKED = ("gateway", "maskline", "media", "tests", "docs", "Makefile", "README.md", "pyproject.toml")
DATABASE = "var/dev/maskline.db"
PATIENCE = 40.0


class Stand:
    """``folder`` is where commands run: the tree, with a configuration and a ``var`` of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment: dict[str, str] = {}
        self._processes: list[subprocess.Popen[bytes]] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._called: Any = None

    def up(self) -> None:
        self._thread.start()
        self._wait(self._phones())
        low, high = free_media_ports(HOST, 24)
        ports = {name: free_tcp_and_udp_port(HOST) for name in ("5060", "5062", "8080")}
        self.ports = {
            **{name: str(port) for name, port in ports.items()},
            "5090": str(self._callee.phone.here.port),
            "8090": str(free_tcp_and_udp_port(HOST)),  # pages' own servers; the node's is ours: see _lay_out
            "20000-29999": f"{low}-{high}",
            "30000-30999": "{}-{}".format(*free_media_ports(HOST, 24)),  # browsers'
            "/etc/maskline": str(self.folder / "etc"),
            "/var/lib/maskline": str(self.folder / "var" / "lib"),
        }
        self._lay_out()
        self._start_node()
        self._called = asyncio.run_coroutine_threadsafe(self._call(), self._loop)

    def put_in(self, text: str) -> str:
        """The text with ports that are free here."""
        wanted = "|".join(re.escape(name) for name in self.ports)
        return re.sub(rf"(?<![\w.])(?:{wanted})(?![\w-])", lambda found: self.ports[found[0]], text)

    def called(self) -> dict[str, str]:
        """What pages call SESSION and RECORDING, once there was a call."""
        found: dict[str, str] = self._called.result(PATIENCE)
        return found

    def command(self, *words: str) -> str:
        """What a command prints."""
        ran = subprocess.run(words, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, f"{words}: {ran.stderr or ran.stdout}"
        return ran.stdout

    def own(self, folder: Path) -> dict[str, str]:
        """Make a folder in which ``maskline.toml`` has a copy of the node's database, and a key file's name."""
        copy = folder / "maskline.db"
        with closing(sqlite3.connect(self.folder / DATABASE)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
        text = (self.folder / "maskline.toml").read_text(encoding="utf-8")
        assert DATABASE in text
        (folder / "maskline.toml").write_text(text.replace(f"/{DATABASE}", f"/{copy}"), encoding="utf-8")
        (folder / "configs").symlink_to(self.folder / "configs")
        return {"MASKLINE_DATABASE__KEY_FILE": str(self.folder / "etc" / "keys")}

    def down(self) -> None:
        if self._called is not None:
            self._called.cancel()
        for process in reversed(self._processes):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self._wait(self._hang_up())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # --- the folder

    def _lay_out(self) -> None:
        for name in ("etc", "var/lib"):
            (self.folder / name).mkdir(parents=True)
        for name in LINKED:
            (self.folder / name).symlink_to(ROOT / name)
        configs = self.folder / "configs"
        configs.mkdir()
        for file in (ROOT / "configs").iterdir():
            if file.name != "dev.toml":
                (configs / file.name).symlink_to(file)
        text = (
            (ROOT / "configs/dev.toml").read_text(encoding="utf-8").replace("http://127.0.0.1:8090", self._receiver_url)
        )
        (configs / "dev.toml").write_text(self.put_in(text))
        (self.folder / "maskline.toml").symlink_to("configs/dev.toml")
        for fence in (fence for page in pages() for fence in page.fences if fence.title):
            file = self.folder / fence.title
            assert not file.exists(), f"{fence.place}: another page has a {fence.title}"
            file.write_text(self.put_in(fence.text) + "\n", encoding="utf-8")
        programs = self.folder / ".venv" / "bin"
        programs.mkdir(parents=True)
        for name in ("python", "python3"):
            # A link would lead out of the environment that the packages are in.
            (programs / name).write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
            (programs / name).chmod(0o755)
        (programs / "activate").write_text(f'export PATH="{programs}:$PATH"\n')
        for made in (".installed", ".runs"):
            (self.folder / ".venv" / made).touch()
        client = programs / "maskline"
        client.write_text(CLIENT.format(python=os.path.realpath(sys.executable), path=str(self.folder / "forked")))
        client.chmod(0o755)
        # Of ``make test`` too: a make below another one says more than its recipe.
        others = ("MASKLINE_", "PYTHON", "MAKE", "MFLAGS")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(others)}
        self.environment = {**kept, "PATH": f"{programs}:{os.environ['PATH']}", "COLUMNS": "120", "PYTHONUTF8": "1"}

    # --- processes

    def _spawn(self, *words: str, **more: str) -> subprocess.Popen[bytes]:
        with (self.folder / "node.log").open("ab") as log:
            process = subprocess.Popen(
                words, cwd=self.folder, env={**self.environment, **more}, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self._processes.append(process)
        return process

    def _start_node(self) -> None:
        self._spawn(sys.executable, "-m", "tests.docs.forked", str(self.folder / "forked"), OPENBLAS_NUM_THREADS="1")
        recipe = self.command("make", "-n", "run").split()
        assert recipe[:2] == [".venv/bin/maskline", "serve"], recipe
        # No edge for browsers: it takes seconds to start, and no page's command needs it.
        self._spawn(sys.executable, "-m", "gateway", *recipe[1:], MASKLINE_WEBRTC__ENABLED="false")
        end = time.monotonic() + PATIENCE
        while not self._ready():
            assert time.monotonic() < end, (self.folder / "node.log").read_text()[-2000:]
            time.sleep(0.05)  # a process that starts can't be waited for otherwise
        while not (self.folder / "forked").exists():
            assert time.monotonic() < end, (self.folder / "node.log").read_text()[-2000:]
            time.sleep(0.05)
        self.environment["TOKEN"] = self.command(
            "maskline", "token", "create", "--config", "maskline.toml", "tests"
        ).split()[-1]

    def _ready(self) -> bool:
        url = f"http://{HOST}:{self.ports['8080']}/readyz"
        with suppress(OSError), urllib.request.urlopen(url, timeout=2) as answer:
            return int(answer.status) == 200
        return False

    # --- the call, on a loop of its own

    def _wait(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    async def _phones(self) -> None:
        self._moved = asyncio.Event()
        self._receiver = Receiver(HOST, "demo-axb", "demo-secret", lambda event: None)
        self._receiver_url = await self._receiver.start()
        self._caller = self._line("A", Script(tone_hz=700))
        self._callee = self._line("B", Script(tone_hz=1300, answer_after=0.2, hang_up_after=4.0))
        for line in (self._caller, self._callee):
            await line.start()

    def _line(self, name: str, script: Script) -> PhoneLine:
        def phone(here: Hop, ports: tuple[int, int]) -> Phone:
            return Phone(name, script, here=here, media_ports=ports, seed=ord(name))

        return PhoneLine(HOST, phone, lambda phone, now: self._moved.set())

    async def _call(self) -> dict[str, str]:
        async with aiohttp.ClientSession() as http:
            customer = CustomerClient(http, f"http://{HOST}:{self.ports['8080']}", "demo-axb", "demo-secret")
            await customer.bind({"callerNum": A, "calleeNum": B, "relationNum": X, "recordFlag": "true"})
            wanted = {"number": A, "minutes": 5}
            head = {"Authorization": f"Bearer {self.environment['TOKEN']}"}
            async with http.post(f"http://{HOST}:{self.ports['8080']}/v1/traces", json=wanted, headers=head) as answer:
                assert answer.status == 201, await answer.text()
        target = Hop("udp", HOST, int(self.ports["5060"]))
        uri = f"sip:{X}@{HOST}:{target.port}"
        self._caller.do(lambda now: self._caller.phone.dial(target, uri, now, caller=f"<sip:{A}@{HOST}>"))
        while self._caller.phone.phase is not Phase.OVER:
            self._moved.clear()
            await self._moved.wait()
        fee = await self._receiver.wait_for("fee", 60)
        assert fee is not None
        return {"SESSION": fee.fields["sessionId"], "RECORDING": fee.fields["recordObjectName"]}

    async def _hang_up(self) -> None:
        for line in (self._caller, self._callee):
            await line.stop()
        await self._receiver.stop()
