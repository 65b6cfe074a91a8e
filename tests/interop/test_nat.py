"""The edge behind a NAT, the browser outside, each in a network namespace of its own: coturn as the STUN server that
tells the edge what the NAT makes of it; and a 1:1 NAT, whose address browsers are told.

    edge 10.9.0.2  --  10.9.0.1 nat 198.51.100.1  --  198.51.100.2 browser, coturn
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.interop.conftest import program
from tests.interop.stand import until

pytestmark = pytest.mark.interop
OUTSIDE, INSIDE = "198.51.100.1", "10.9.0.2"


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=20)


class Net:
    """Three namespaces, of which the middle one translates."""

    def __init__(self, stack: AsyncExitStack, folder: Path) -> None:
        self.names = [f"mk{os.getpid() % 100000}{letter}" for letter in "eno"]
        edge, nat, out = self.names
        self.folder = folder
        for name in self.names:
            run("ip", "netns", "add", name)
            stack.callback(run, "ip", "netns", "del", name)
            self.inside(name, "ip", "link", "set", "lo", "up")
        for name, mine, theirs, gateway in ((edge, INSIDE, "10.9.0.1", "10.9.0.1"), (out, "198.51.100.2", OUTSIDE, "")):
            run("ip", "-n", name, "link", "add", "up0", "type", "veth", "peer", "name", f"to{name[-1]}", "netns", nat)
            for where, link, address in ((name, "up0", mine), (nat, f"to{name[-1]}", theirs)):
                self.inside(where, "ip", "address", "add", f"{address}/24", "dev", link)
                self.inside(where, "ip", "link", "set", link, "up")
            if gateway:
                self.inside(name, "ip", "route", "add", "default", "via", gateway)
        self.inside(nat, "sysctl", "-q", "net.ipv4.ip_forward=1")
        self.inside(nat, "nft", "add table ip nat; add chain ip nat out { type nat hook postrouting priority 100; }")

    def inside(self, name: str, *command: str) -> None:
        run("ip", "netns", "exec", name, *command)

    def translate(self, *rules: str) -> None:
        for rule in rules:
            self.inside(self.names[1], "nft", rule)

    def asked_is_there(self) -> bool:
        """The STUN server listens."""
        command = ["ip", "netns", "exec", self.names[2], "ss", "-lun"]
        return ":3478 " in subprocess.run(command, capture_output=True, text=True, check=True).stdout

    async def start(self, stack: AsyncExitStack, name: str, *command: str) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            "ip", "netns", "exec", name, *command, cwd=Path(__file__).parents[2],
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=2**20,
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip

        async def end() -> None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.communicate()

        stack.push_async_callback(end)
        return process


class Side:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def says(self) -> Any:
        assert self._process.stdout is not None
        async with asyncio.timeout(25):
            line = await self._process.stdout.readline()
        assert line, "it ended"
        return json.loads(line)

    async def hears(self, thing: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(thing).encode() + b"\n")
        await self._process.stdin.drain()


@pytest.fixture
async def net(tmp_path: Path) -> AsyncIterator[tuple[Net, AsyncExitStack]]:
    program("nft", "nftables")
    async with AsyncExitStack() as stack:
        yield Net(stack, tmp_path), stack


async def talk(net: Net, stack: AsyncExitStack, advertised: str, stun: str) -> str:
    """Both hear each other; the edge's offer."""
    party = (sys.executable, "-m", "tests.interop.nat_party")
    edge = Side(await net.start(stack, net.names[0], *party, "edge", INSIDE, advertised, stun))
    browser = Side(await net.start(stack, net.names[2], *party, "browser"))
    offer = await edge.says()
    await browser.hears(offer)
    await edge.hears(await browser.says())
    assert (await edge.says(), await browser.says()) == (700, 1300)
    for one in (edge, browser):
        await one.hears("done")
    return str(offer)


async def test_a_stun_server_tells_what_a_nat_makes_of_the_edge(net: tuple[Net, AsyncExitStack]) -> None:
    made, stack = net
    # Other ports outside than inside, so that only the server can know them.
    made.translate("add rule ip nat out oifname too meta l4proto udp masquerade to :40000-40100")
    await made.start(
        stack, made.names[2], program("turnserver", "coturn"), "-n", "--stun-only", "--listening-ip=198.51.100.2",
        "--listening-port=3478", "--no-tls", "--no-dtls", "--no-cli", f"--pidfile={made.folder}/turn.pid",
        f"--log-file={made.folder}/turn.log", "--simple-log",
    )  # fmt: skip
    await until(made.asked_is_there, 10)
    offer = await talk(made, stack, "", "198.51.100.2:3478")
    (host,) = [line for line in offer.splitlines() if "typ host" in line]
    (seen,) = [line for line in offer.splitlines() if "typ srflx" in line]
    assert f" {INSIDE} 30000 " in host
    assert f" {OUTSIDE} 40" in seen
    assert INSIDE not in seen


async def test_the_address_of_a_nat_that_keeps_ports(net: tuple[Net, AsyncExitStack]) -> None:
    made, stack = net
    made.translate(
        "add rule ip nat out oifname too masquerade",
        "add chain ip nat in { type nat hook prerouting priority -100; }",
        f"add rule ip nat in iifname too udp dport 30000-30007 dnat to {INSIDE}",
    )
    offer = await talk(made, stack, OUTSIDE, "")
    assert f" {OUTSIDE} 30000 typ host" in offer
    assert INSIDE not in offer
