"""[IO] The carrier of a real node: scripted phones on loopback, behind a network that is as bad as the scenario says.

Each side has one SIP socket, as a carrier has: the callee's is the peer of the node's trunk. A phone has two sockets
for its sound. What a phone sends, and what comes for it, goes through gateway.lab.network first, which delays and loses
it; so a message belongs to the phone whose Call-ID it bears, and a new INVITE to whom ``called`` says.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from random import Random

from gateway.errors import PeerError
from gateway.lab.network import Link, Network
from gateway.lab.phone import Phone, PhoneOutput, SendSip
from gateway.lab.script import Script
from gateway.lab.sockets import free_ports
from gateway.sip.hop import Hop
from gateway.sip.message import parse_message

CALLER, CALLEE = 0, 1


class Carrier:
    """``links``: the ways to the callers' and the callees' phones. ``called(data)``: whose a new INVITE is."""

    def __init__(self, host: str, seed: int, links: tuple[Link, Link], called: Callable[[bytes], Phone | None]) -> None:
        self._host = host
        self._random = Random(seed)
        self._links = links
        self._called = called
        self._network = Network(seed, link_of=self._link_of)
        self._side: dict[Hop, int] = {}
        self._sockets: dict[Hop, socket.socket] = {}
        self._owner: dict[tuple[int, str], Phone] = {}
        self._media: dict[Hop, Phone] = {}
        self.hops = (self._listen(CALLER), self._listen(CALLEE))
        """Where SIP of either side comes from and goes to."""
        self.phones: list[Phone] = []
        self._wake = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._run(), name="carrier")

    async def stop(self) -> None:
        """Close all sockets."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        for bound in self._sockets.values():
            asyncio.get_running_loop().remove_reader(bound)
            bound.close()

    def _listen(self, side: int) -> Hop:
        (bound,) = free_ports(self._host, 1)
        hop = Hop("udp", self._host, bound.getsockname()[1])
        self._side[hop], self._sockets[hop] = side, bound
        asyncio.get_running_loop().add_reader(bound, self._readable, hop, bound)
        return hop

    def phone(self, side: int, script: Script) -> Phone:
        """A new phone."""
        first, second = self._listen(side), self._listen(side)
        name = f"{('caller', 'callee')[side]}-{len(self.phones)}"
        seed = self._random.getrandbits(31)
        phone = Phone(name, script, here=self.hops[side], media_ports=(first.port, second.port), seed=seed)
        self.phones.append(phone)
        self._media[first] = self._media[second] = phone
        return phone

    def do(self, phone: Phone, verb: Callable[[float], list[PhoneOutput]]) -> None:
        """Give a phone something to do: ``verb(now)`` is called at once."""
        now = asyncio.get_running_loop().time()
        for output in verb(now):
            if isinstance(output, SendSip):
                self._owner[self._side[phone.here], parse_message(output.data).call_id] = phone
                self._network.send(output.data, phone.here, output.hop, now)
            else:
                source = Hop("udp", self._host, output.port)
                self._network.send(output.data, source, Hop("udp", *output.target), now)
        self._wake.set()

    def _link_of(self, source: Hop, target: Hop) -> Link | None:
        side = self._side.get(source, self._side.get(target))
        return None if side is None else self._links[side]

    def _readable(self, hop: Hop, bound: socket.socket) -> None:
        """Datagrams of the node."""
        while True:
            try:
                data, source = bound.recvfrom(65536)
            except BlockingIOError:
                break
            except OSError:
                continue  # a port that nobody listens on answers by ICMP: for a telephone that is silence
            self._network.send(data, Hop("udp", source[0], source[1]), hop, asyncio.get_running_loop().time())
        self._wake.set()

    def _arrive(self, data: bytes, source: Hop, target: Hop) -> None:
        if target not in self._side:
            with suppress(OSError):
                self._sockets[source].sendto(data, (target.host, target.port))
            return
        media = self._media.get(target)
        phone = media or self._phone_of(data, self._side[target])
        if media is not None:
            self.do(media, lambda now: media.receive_rtp(target.port, data, (source.host, source.port), now))
        elif phone is not None:
            self.do(phone, lambda now: phone.receive_sip(data, source, now))

    def _phone_of(self, data: bytes, side: int) -> Phone | None:
        try:
            call_id = parse_message(data).call_id
        except PeerError:
            return None
        if (side, call_id) not in self._owner and data.startswith(b"INVITE "):
            phone = self._called(data)
            if phone is not None:
                self._owner[side, call_id] = phone
        return self._owner.get((side, call_id))

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._wake.clear()
            now = loop.time()
            for datagram in self._network.handle_timeout(now):
                self._arrive(datagram.data, datagram.source, datagram.target)
            for phone in self.phones:
                if phone.deadline is not None and phone.deadline <= now:
                    self.do(phone, phone.handle_timeout)
            deadlines = [self._network.deadline, *(phone.deadline for phone in self.phones)]
            deadline = min((at for at in deadlines if at is not None), default=None)
            with suppress(TimeoutError):
                async with asyncio.timeout_at(deadline):
                    await self._wake.wait()
