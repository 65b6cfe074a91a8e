"""Runs a scripted phone on real UDP sockets [IO].

One task a phone: it sleeps until the phone's deadline or until a datagram comes, whichever is first. asyncio's
datagram protocol is good enough for one call.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

from gateway.lab.phone import Phone, PhoneOutput, SendRtp, SendSip
from gateway.sip.hop import Hop


class _Receiver(asyncio.DatagramProtocol):
    def __init__(self, on_datagram: Callable[[bytes, tuple[str, int]], None]) -> None:
        self._on_datagram = on_datagram

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        self._on_datagram(data, (str(addr[0]), addr[1]))

    def error_received(self, exc: Exception) -> None:
        """A port that nobody listens on answers by ICMP: for a telephone that is silence."""


def free_ports(host: str, count: int) -> list[socket.socket]:
    """``count`` bound UDP sockets on free ports of the kernel's choice."""
    sockets = []
    for _ in range(count):
        bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        bound.setblocking(False)
        bound.bind((host, 0))
        sockets.append(bound)
    return sockets


class PhoneLine:
    """A phone and its sockets. ``make(here, media_ports)`` builds the phone once the ports are known.

    ``watch`` is called after each input with (phone, time), for whoever shows what happens. ``await start()``, then
    ``do(verb)`` hands the phone an action; ``await stop()`` closes the sockets.
    """

    def __init__(
        self, host: str, make: Callable[[Hop, tuple[int, int]], Phone], watch: Callable[[Phone, float], None]
    ) -> None:
        self._sockets = free_ports(host, 3)
        sip_port, first, second = (bound.getsockname()[1] for bound in self._sockets)
        self.phone = make(Hop("udp", host, sip_port), (first, second))
        self._watch = watch
        self._wake = asyncio.Event()
        self._transports: list[asyncio.DatagramTransport] = []
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        callbacks = [self._sip, *(self._rtp(port) for port in self.phone.media_ports)]
        for bound, callback in zip(self._sockets, callbacks, strict=True):
            transport, _ = await loop.create_datagram_endpoint(
                lambda callback=callback: _Receiver(callback),  # type: ignore[misc]
                sock=bound,
            )
            self._transports.append(transport)
        self._task = asyncio.create_task(self._run(), name=f"phone {self.phone.name}")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for transport in self._transports:
            transport.close()
        for bound in self._sockets[len(self._transports) :]:
            bound.close()
        await asyncio.sleep(0)

    def do(self, verb: Callable[[float], list[PhoneOutput]]) -> None:
        """Give the phone something to do: ``verb(now)`` is called at once."""
        now = asyncio.get_running_loop().time()
        self._perform(verb(now))
        self._watch(self.phone, now)
        self._wake.set()

    def _sip(self, data: bytes, source: tuple[str, int]) -> None:
        self.do(lambda now: self.phone.receive_sip(data, Hop("udp", *source), now))

    def _rtp(self, port: int) -> Callable[[bytes, tuple[str, int]], None]:
        return lambda data, source: self.do(lambda now: self.phone.receive_rtp(port, data, source, now))

    def _perform(self, outputs: list[PhoneOutput]) -> None:
        for output in outputs:
            match output:
                case SendSip(data, hop):
                    self._transports[0].sendto(data, (hop.host, hop.port))
                case SendRtp(data, port, target):
                    self._transports[1 + self.phone.media_ports.index(port)].sendto(data, target)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._wake.clear()
            deadline = self.phone.deadline
            if deadline is None or deadline > loop.time():
                try:
                    async with asyncio.timeout_at(deadline):
                        await self._wake.wait()
                except TimeoutError:
                    pass
                continue
            self.do(self.phone.handle_timeout)
            await asyncio.sleep(0)
