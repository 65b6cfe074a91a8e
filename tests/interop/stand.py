"""What the interop tests share: a node with its customer's server, and judges of what phones and node left behind.

A ``Stand`` is a node on loopback with one AXB binding. Phones are told their ports (``take_ports``).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any, Protocol

import aiohttp

from gateway.lab.analysis import seconds_of
from gateway.lab.audio import decode
from gateway.lab.checks import forms_found
from gateway.lab.client import CustomerClient
from gateway.lab.node import Node, NodePlan
from gateway.lab.ports import free_media_ports, free_tcp_and_udp_port, free_tcp_and_udp_ports
from gateway.lab.receiver import Event, Receiver
from gateway.lab.wave import ALAW, Wave
from gateway.numbers import PhoneNumber

HOST, KEY, SECRET = "127.0.0.1", "interop", "secret"
A, B, X = PhoneNumber("+8613800000021"), PhoneNumber("+8613800000023"), PhoneNumber("+8617000000001")
A_VOICE, B_VOICE = 700, 1300
ANSWERED_CALL = ["callin", "callout", "alerting", "answer", "disconnect", "fee"]
PHONE_PORTS = 32


class Stand:
    """A node, the customer's server, one binding A-X-B. The callee's phone is to listen on ``callee_port``."""

    def __init__(self, folder: Path, stack: AsyncExitStack) -> None:
        self.folder = folder
        self.stack = stack
        self.changed = asyncio.Event()

    async def up(self, *, pairs: int = 16, phone_ports: int = PHONE_PORTS, **overrides: str) -> Stand:
        """Start it with ports for ``pairs`` / 2 calls. ``overrides``: configuration keys as in the environment, less
        their MASKLINE_; in their values <sip>, <tls>, <callee> and <callee+1> stand for ports."""
        self.receiver = Receiver(HOST, KEY, SECRET, lambda event: self.changed.set())
        self.stack.push_async_callback(self.receiver.stop)
        self._ports = free_tcp_and_udp_ports(HOST, phone_ports)
        self.callee_port, *_ = self.take_ports(2)
        sip_port, self.tls_port = free_tcp_and_udp_port(HOST), free_tcp_and_udp_port(HOST)
        ports = {
            "<sip>": sip_port,
            "<tls>": self.tls_port,
            "<callee>": self.callee_port,
            "<callee+1>": self.callee_port + 1,
        }
        for name, port in ports.items():
            overrides = {key: value.replace(name, str(port)) for key, value in overrides.items()}
        self.node = Node(
            NodePlan(
                folder=self.folder,
                host=HOST,
                peer=f"udp:{HOST}:{self.callee_port}",
                key=KEY,
                secret=SECRET,
                x=X.e164,
                receiver=await self.receiver.start(),
                sip_port=sip_port,
                web_port=free_tcp_and_udp_port(HOST),
                media_ports=free_media_ports(HOST, pairs),
                overrides={f"MASKLINE_{name}": value for name, value in overrides.items()},
                scheme="https" if "WEB__CERTIFICATE" in overrides else "http",
            )
        )
        self.stack.push_async_callback(self.node.stop)
        await self.node.start(60)
        trusting = aiohttp.TCPConnector(ssl=self.node.plan.scheme != "https")
        http = await self.stack.enter_async_context(aiohttp.ClientSession(connector=trusting))
        self.customer = CustomerClient(http, self.node.plan.base_url, KEY, SECRET)
        await self.customer.bind(
            {"callerNum": A.e164, "calleeNum": B.e164, "relationNum": X.e164, "recordFlag": "true"}
        )
        return self

    def take_ports(self, count: int) -> range:
        """The next ``count`` ports for phones; the first is even."""
        taken, self._ports = self._ports[:count], self._ports[count + count % 2 :]
        assert len(taken) == count
        return taken

    async def run(self, name: str, *command: str, cwd: Path | None = None) -> asyncio.subprocess.Process:
        """Start a phone program, its output in ``name``.out; it is ended with the stand."""
        with (self.folder / f"{name}.out").open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *command, cwd=cwd or self.folder, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output
            )

        async def end() -> None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

        self.stack.push_async_callback(end)
        return process

    def workers(self) -> list[int]:
        """Process ids of the node's media workers, the first one first."""
        node = self.node.pid
        children = Path(f"/proc/{node}/task/{node}/children").read_text().split()
        # The kernel lists them as they were made; their ids begin anew at some time.
        return [int(pid) for pid in children if b"media.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()]

    def kinds(self) -> list[str]:
        return [event.kind for event in self.receiver.events]

    async def fees(self, count: int, seconds: float = 15) -> list[Event]:
        """The first ``count`` bill records."""
        found: list[Event] = []
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while len(found) < count:
                    self.changed.clear()
                    found = [event for event in self.receiver.events if event.kind == "fee"]
                    if len(found) < count:
                        await self.changed.wait()
        assert len(found) == count, f"{Counter(self.kinds())}\n{self.node.log_tail()}"
        return found

    async def recording_of(self, fee: dict[str, Any]) -> Wave:
        """A call's recording, fetched as a customer does."""
        return Wave.parse((await self.customer.recording(fee["recordObjectName"], fee["recordDomain"])).content)


class Stands(Protocol):
    def __call__(self, *, pairs: int = 16, phone_ports: int = PHONE_PORTS, **overrides: str) -> Awaitable[Stand]: ...


async def until(condition: Callable[[], bool], seconds: float, said: Callable[[], str] = str) -> None:
    """Wait for what a program writes into a file; ``said`` is what to show when it doesn't come."""
    try:
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110 - nobody tells when a file grows
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(f"not within {seconds} s; {said()}") from None


def assert_recorded(wave: Wave, left: int = A_VOICE, right: int = B_VOICE, *, at_least: float = 2.0) -> None:
    """Each side's tone on its own channel, the other's not at all, in blocks of a tenth of a second.

    The whole channel isn't one sine: on a busy machine a program's own playing stumbles, and its tone goes on in
    another phase.
    """
    assert (wave.format, wave.rate, wave.channels) == (ALAW, 8000, 2)
    codes = (wave.channel(0), wave.channel(1))
    for channel, own, other in ((codes[0], left, right), (codes[1], right, left)):
        samples = decode(channel)
        assert seconds_of(samples, own) >= at_least
        assert seconds_of(samples, other) == 0


def assert_unseen(number: PhoneNumber, files: Collection[Path]) -> None:
    """No form of a number stands in what a phone saw, and the phone saw X."""
    for file in files:
        data = file.read_bytes()
        assert X.national().encode() in data, file
        assert forms_found(data, number) == [], file
