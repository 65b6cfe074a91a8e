"""[IO] The sockets of a browser's leg and what the browser is told of them (RFC 8445 §5.1): ICE with a port of ours.

    host      one given port at each of the given addresses, where aioice takes any port of every interface
    1:1 NAT   the address that the outside has for ours stands in the candidate instead: our own is never told
    srflx     what a STUN server has seen of the socket (RFC 8489), where a NAT gives us another address or port

A STUN server that doesn't answer costs a call STUN_SECONDS once; for STUN_REST it is then not asked again.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Sequence
from ipaddress import ip_address

from aioice import Candidate, Connection
from aioice.candidate import candidate_foundation, candidate_priority
from aioice.ice import StunProtocol
from aioice.stun import Class, Message, Method, TransactionError

STUN_SECONDS = 1.0
STUN_REST = 30.0


class Stun:
    """A server, ``host:port``. ``asked``, ``failed``: how often."""

    def __init__(self, server: str) -> None:
        host, _, port = server.rpartition(":")
        self._host, self._port = host.strip("[]"), int(port)
        self._not_before = 0.0
        self.asked = self.failed = 0

    async def seen(self, protocol: StunProtocol) -> tuple[str, int] | None:
        """What it sees of this socket; None when it doesn't say."""
        if time.monotonic() < self._not_before:
            return None
        self.asked += 1
        family = socket.AF_INET6 if ip_address(protocol.local_candidate.host).version == 6 else socket.AF_INET
        with contextlib.suppress(TimeoutError, OSError, TransactionError, KeyError, IndexError):
            async with asyncio.timeout(STUN_SECONDS):
                loop = asyncio.get_running_loop()
                found = await loop.getaddrinfo(self._host, self._port, family=family, type=socket.SOCK_DGRAM)
                request = Message(message_method=Method.BINDING, message_class=Class.REQUEST)
                response, _ = await protocol.request(request, (str(found[0][4][0]), self._port))
                host, port = response.attributes["XOR-MAPPED-ADDRESS"]
                return str(host), int(port)
        self.failed += 1
        self._not_before = time.monotonic() + STUN_REST
        return None


class Ice(Connection):
    """One leg's. ``told`` once candidates are gathered."""

    def __init__(
        self,
        addresses: Sequence[str],
        port: int,
        controlling: bool,
        *,
        advertised: Sequence[str] = (),
        stun: Stun | None = None,
    ) -> None:
        super().__init__(controlling)
        self.heard = 0.0
        """When the browser last checked that we are there, which it does every few seconds (RFC 7675)."""
        self._port = port
        self._told = dict(zip(addresses, advertised or addresses, strict=True))
        self._stun = stun
        self.unseen = False
        """The STUN server was asked in vain, or not again so soon."""

    def told(self) -> tuple[str, ...]:
        """Values of ``a=candidate``, the best first."""
        return tuple(self._as_told(one).to_sdp() for one in self.local_candidates)

    def _as_told(self, one: Candidate) -> Candidate:
        host = self._told.get(one.host, one.host) if one.type == "host" else one.host
        return _candidate(one.type, host, one.port, one.priority) if host != one.host else one

    async def get_component_candidates(
        self,
        component: int,
        addresses: list[str],
        timeout: int = 5,  # noqa: ASYNC109 as in aioice
    ) -> list[Candidate]:
        """All of them; OSError when a port can't be had."""
        loop = asyncio.get_running_loop()
        for rank, host in enumerate(self._told):
            _, protocol = await loop.create_datagram_endpoint(lambda: StunProtocol(self), local_addr=(host, self._port))
            self._protocols.append(protocol)
            # The first address is liked best (RFC 8445 §5.1.2.2: each its own local preference).
            priority = candidate_priority(component, "host", 65535 - rank)
            protocol.local_candidate = _candidate("host", host, self._port, priority)
        found = [one.local_candidate for one in self._protocols]
        if self._stun is not None:
            seen = await asyncio.gather(*(self._stun.seen(one) for one in self._protocols))
            for rank, (protocol, outside) in enumerate(zip(self._protocols, seen, strict=True)):
                here = protocol.local_candidate
                self.unseen = self.unseen or outside is None
                if outside is not None and outside != (self._told[here.host], here.port):
                    priority = candidate_priority(component, "srflx", 65535 - rank)
                    found.append(_candidate("srflx", *outside, priority, related=here))
        return found

    def request_received(self, message: Message, addr: tuple[str, int], protocol: StunProtocol) -> None:
        """A check of the browser's."""
        self.heard = time.monotonic()
        super().request_received(message, addr, protocol)


def _candidate(kind: str, host: str, port: int, priority: int, related: Candidate | None = None) -> Candidate:
    return Candidate(
        foundation=candidate_foundation(kind, "udp", host if related is None else related.host),
        component=1,
        transport="udp",
        priority=priority,
        host=host,
        port=port,
        type=kind,
        related_address=None if related is None else "0.0.0.0",
        related_port=None if related is None else 9,
    )
