"""The edge's process, told over its socket: legs open, carry, close; calls leave nothing behind, and a leak is seen.

The judge is that of ``make soak-browsers``, which is this with a whole node and 200 calls.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from contextlib import AsyncExitStack
from typing import Any

import pytest

from gateway.lab.ports import free_media_ports
from media.browser import (
    CarryLeg,
    CloseLeg,
    CodeLeg,
    EdgeCounts,
    LegFailed,
    LegGone,
    LegOpened,
    OpenLeg,
    Opus,
    StartLeg,
    decode_report,
    encode,
)
from media.rtp import HEADER
from tests.bench.soak import judge, of_process
from tests.media.test_webrtc import HOST, PATIENCE, Party

CALLS = 32


class EdgeUnderTest:
    """The process, and what it says."""

    async def up(self, stack: AsyncExitStack, module: str, legs: int = 8, stun: str = "") -> EdgeUnderTest:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        low, high = free_media_ports(HOST, legs)
        with theirs:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", module, "--control-fd", str(theirs.fileno()), "--ports", f"{low}-{high}",
                "--addresses", HOST, "--rest", "0", "--stun", stun, pass_fds=(theirs.fileno(),),
            )  # fmt: skip
        self._ours = ours
        self.counts = EdgeCounts()
        self._last = 0
        stack.push_async_callback(self._down)
        return self

    async def _down(self) -> None:
        self._ours.close()
        async with asyncio.timeout(PATIENCE):
            await self.process.wait()

    def tell(self, command: Any) -> None:
        self._ours.send(encode(command))

    async def says(self, kind: type) -> Any:
        """The next report of this kind; counts are kept by the way."""
        async with asyncio.timeout(PATIENCE):
            while True:
                report = decode_report(await asyncio.get_running_loop().sock_recv(self._ours, 65536))
                if isinstance(report, EdgeCounts):
                    self.counts = report
                if isinstance(report, kind):
                    return report

    async def call(self, *parties: Party, opus: Opus | None = None) -> tuple[int, int]:
        """Two legs that are each other's browser, as far as audio."""
        first, second = self._last + 1, self._last + 2
        self._last += 2
        self.tell(OpenLeg(first))
        offer = await self.says(LegOpened)
        self.tell(OpenLeg(second, offer.ours))
        answer = await self.says(LegOpened)
        self.tell(StartLeg(first, answer.ours))
        for number, party in ((first, parties[0]), (second, parties[1])):
            self.tell(CarryLeg(number, party.end))
            self.tell(CodeLeg(number, opus))
        packet = HEADER.pack(0x80, 8, 1, 160, 1) + b"\xd5" * 160
        hearing = asyncio.ensure_future(parties[1].hear())
        while not hearing.done():
            parties[0].rtp.sendto(packet, (HOST, offer.plain.rtp))
            await asyncio.wait([hearing], timeout=0.02)
        assert hearing.result()[:2] == packet[:2]
        return first, second


async def settled(pid: int) -> tuple[float, float]:
    """Memory and sockets once those are no longer fewer than a moment ago: legs are closed beside other work."""
    same, before = 0, (0.0, 0.0)
    while same < 4:
        await asyncio.sleep(0.02)
        now = of_process(pid)
        same, before = (same + 1 if now[1] == before[1] else 0), now
    return before


async def run(stack: AsyncExitStack, module: str) -> dict[tuple[str, str], list[tuple[float, float]]]:
    """Calls, and the process behind every fourth."""
    edge = await EdgeUnderTest().up(stack, module)
    parties = Party(), Party()
    for one in parties:
        stack.callback(one.close)
    samples: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for number in range(CALLS):
        for leg in await edge.call(*parties, opus=Opus(payload=111) if number % 2 else None):
            edge.tell(CloseLeg(leg))
        if number % 4 == 3:
            memory, sockets = await settled(edge.process.pid)
            for what, value in (("memory", memory), ("sockets", sockets)):
                samples.setdefault(("edge", what), []).append((float(number), value))
    return samples


@pytest.mark.parametrize(("module", "flat"), [("media.edge", True), ("tests.media.leaky_edge", False)])
async def test_calls_leave_nothing_behind_and_a_leak_is_seen(module: str, flat: bool) -> None:
    async with AsyncExitStack() as stack:
        assert judge(await run(stack, module), float(CALLS)) is flat


async def test_what_it_can_not_do_it_says() -> None:
    async with AsyncExitStack() as stack:
        edge = await EdgeUnderTest().up(stack, "media.edge", legs=1)
        edge.tell(OpenLeg(1))
        opened = await edge.says(LegOpened)
        edge.tell(OpenLeg(2))
        assert (await edge.says(LegFailed)).why == "no port is free"
        edge.tell(CloseLeg(9))
        while edge.counts.opening != 1:
            await edge.says(EdgeCounts)
        bad = type(opened.ours)(ufrag="", password="", candidates=(), fingerprints=(), setup="active")
        edge.tell(OpenLeg(3, bad))
        assert "fingerprint" in (await edge.says(LegFailed)).why
        edge.tell(StartLeg(1, bad))
        assert (await edge.says(LegGone)).leg == 1


async def test_a_leg_that_is_closed_while_it_is_opened() -> None:
    """A STUN server that is deaf takes a second of it, and of nobody else."""
    async with AsyncExitStack() as stack:
        deaf = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        deaf.bind((HOST, 0))
        edge = await EdgeUnderTest().up(stack, "media.edge", stun=f"{HOST}:{deaf.getsockname()[1]}")
        for number in (1, 2):
            edge.tell(OpenLeg(number))
        edge.tell(CloseLeg(1))
        assert {(await edge.says(LegOpened)).leg for _ in range(2)} == {1, 2}
        while (edge.counts.opening, edge.counts.stun_failed) != (1, 2):
            await edge.says(EdgeCounts)
        edge.tell(OpenLeg(3))
        assert (await edge.says(LegOpened)).leg == 3
