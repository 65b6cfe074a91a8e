"""[IO] The process of the edge for browsers: commands from a SEQPACKET socket, legs, reports. Its socket ends it."""

from __future__ import annotations

import argparse
import asyncio
import gc
import signal
import socket
import traceback
from typing import Any

from media.browser import (
    CarryLeg,
    CloseLeg,
    CodeLeg,
    Command,
    EdgeCounts,
    EdgeError,
    LegFailed,
    LegGone,
    LegOpened,
    OpenLeg,
    Report,
    StartLeg,
    Terms,
    WatchLeg,
    decode_command,
    encode,
)
from media.candidates import Stun
from media.webrtc import Edge, Leg

_LIMIT = 65536
COUNT_SECONDS = 1.0
COLLECT_LEGS = 16
"""A leg is a ring of a few objects that hold much in C (TLS, SRTP, codecs), so the collector, which counts objects,
comes late. What stands at the start is frozen, so that it has only legs to look at."""


class EdgeProcess:
    """``run`` is its life."""

    def __init__(
        self, end: socket.socket, addresses: list[str], ports: tuple[int, int], rest: float, **more: Any
    ) -> None:
        end.setblocking(False)
        self._end = end
        self._edge = Edge(addresses, ports, rest, self._gone, **more)
        self._legs: dict[int, Leg] = {}
        self._numbers: dict[Leg, int] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._opening: dict[int, asyncio.Task[None]] = {}
        self._over = 0

    async def run(self) -> None:
        """Until the other end of the socket is closed."""
        loop = asyncio.get_running_loop()
        counting = loop.create_task(self._count())
        try:
            await self._serve(loop)
        finally:
            counting.cancel()

    async def _count(self) -> None:
        """Tell what was counted, if that has changed."""
        told = None
        while True:
            await asyncio.sleep(COUNT_SECONDS)
            if told != (told := self._edge.counts()):
                await self._tell(told)

    async def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        while True:
            try:
                data = await loop.sock_recv(self._end, _LIMIT)
            except ConnectionError:
                return
            if not data:
                return
            command = decode_command(data)
            try:
                await self._do(command)
            except Exception:
                # A fault of ours costs one leg, not all.
                traceback.print_exc()
                await self._tell(LegGone(command.leg))

    async def _do(self, command: Command) -> None:
        opening = self._opening.get(command.leg)
        if opening is not None:
            await asyncio.wait([opening])
        leg = self._legs.get(command.leg)
        match command:
            case OpenLeg(number, theirs):
                # A STUN server may be slow, which other legs need not wait for.
                task = self._opening[number] = asyncio.get_running_loop().create_task(self._open(number, theirs))
                task.add_done_callback(lambda _: self._opening.pop(number, None))
            case StartLeg(_, theirs) if leg is not None:
                try:
                    leg.start(theirs)
                except EdgeError:
                    await self._tell(LegGone(command.leg))
            case CarryLeg(_, worker) if leg is not None:
                leg.carry(worker)
            case CodeLeg(_, opus) if leg is not None:
                leg.code(opus)
            case WatchLeg(_, seconds) if leg is not None:
                leg.watch(seconds)
            case CloseLeg() if leg is not None:
                del self._legs[command.leg], self._numbers[leg]
                # Saying goodbye takes a moment, and nobody waits for it.
                task = asyncio.get_running_loop().create_task(self._close(leg))
                self._closing.add(task)
                task.add_done_callback(self._closing.discard)
            case _:
                pass

    async def _open(self, number: int, theirs: Terms | None) -> None:
        try:
            made = await self._edge.open(theirs)
        except EdgeError as error:
            await self._tell(LegFailed(number, str(error)))
        except Exception:
            traceback.print_exc()
            await self._tell(LegFailed(number, "a fault of ours"))
        else:
            self._legs[number], self._numbers[made] = made, number
            await self._tell(LegOpened(number, made.ours, made.plain))

    async def _close(self, leg: Leg) -> None:
        await self._edge.close(leg)
        self._over += 1
        if self._over % COLLECT_LEGS == 0:
            gc.collect()

    def _gone(self, leg: Leg) -> None:
        number = self._numbers.get(leg)
        if number is not None:
            task = asyncio.get_running_loop().create_task(self._tell(LegGone(number)))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def _tell(self, report: Report | EdgeCounts) -> None:
        await asyncio.get_running_loop().sock_sendall(self._end, encode(report))


def main() -> None:
    """Entry point of the process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--control-fd", type=int, required=True)
    parser.add_argument("--ports", required=True)
    parser.add_argument("--addresses", required=True)
    parser.add_argument("--rest", type=float, required=True)
    parser.add_argument("--advertised", default="")
    parser.add_argument("--stun", default="")
    arguments = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    low, high = (int(part) for part in arguments.ports.split("-"))
    end = socket.socket(fileno=arguments.control_fd)
    process = EdgeProcess(
        end, arguments.addresses.split(","), (low, high), arguments.rest,
        advertised=[one for one in arguments.advertised.split(",") if one],
        stun=Stun(arguments.stun) if arguments.stun else None,
    )  # fmt: skip
    gc.collect()
    gc.freeze()
    asyncio.run(process.run())


if __name__ == "__main__":
    main()
