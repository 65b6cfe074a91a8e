"""[IO] SIP sockets: UDP, TCP, TLS (RFC 3261 §18) and WebSocket (RFC 7118), without any opinion about the messages.

Replies and requests to a hop use the connection that stands to it, else one is made in the background. Nothing here
ever waits for a peer: what waits for a connection, and each connection, has a bounded queue (pains.md P25). What the
``gate`` doesn't let in is dropped before anything is read.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any, cast

import structlog

from gateway.sip.gate import Gate
from gateway.sip.hop import DIALLED, Hop
from gateway.sip.named_hops import NamedHops
from gateway.sip.resolver import Resolver
from gateway.sip.stream import QUEUE_LIMIT, Stream
from gateway.sip.tls import Tls
from gateway.sip.tls_stream import TlsStream

_log = structlog.get_logger()
COMPLAIN_EVERY = 60.0
REMEMBERED = 10_000
OnMessage = Callable[[bytes, Hop], None]
RECEIVE_BUFFER = 1 << 19


class Transport:
    """All sockets of one user agent. ``on_message``, ``on_malformed``, ``on_failed`` and ``on_closed`` (a connection
    is gone) are called on the loop.

    ``idle_seconds``: a connection on which no message comes for so long is closed. ``linger_seconds``: how long a peer
    may take to read what is left for it when we close. ``per_host``: most connections that one address may open to us,
    ``connections``: most that all may. Without ``tls`` no hop of TLS can be had. ``origins``: web pages that may
    connect by WebSocket. ``keep_alive_seconds``: how often we ask connections whether they live, 0: never.
    """

    def __init__(
        self,
        *,
        on_message: OnMessage,
        on_malformed: OnMessage,
        on_failed: Callable[[Hop], None],
        on_closed: Callable[[Hop], None],
        gate: Gate,
        idle_seconds: float = 600.0,
        connect_seconds: float = 4.0,
        message_seconds: float = 32.0,
        linger_seconds: float = 4.0,
        handshake_seconds: float = 8.0,
        per_host: int = 60,
        connections: int = 4096,
        keep_alive_seconds: float = 0.0,
        origins: Collection[str] = (),
        tls: Tls | None = None,
        resolver: Resolver | None = None,
    ) -> None:
        self.on_message = on_message
        self.on_malformed = on_malformed
        self.on_failed = on_failed
        self.on_closed = on_closed
        self.gate = gate
        self.idle_seconds = idle_seconds
        self.connect_seconds = connect_seconds
        self.message_seconds = message_seconds
        self.linger_seconds = linger_seconds
        self.handshake_seconds = handshake_seconds
        self.per_host = per_host
        self.connections = connections
        self.keep_alive_seconds = keep_alive_seconds
        self.origins = frozenset(origins)
        self.tls = tls
        self.bound: list[Hop] = []
        self.counters: Counter[str] = Counter()
        self._udp: dict[int, list[asyncio.DatagramTransport]] = {4: [], 6: []}
        """By version of IP."""
        self._came_by: dict[str, asyncio.DatagramTransport] = {}
        """Where there are several: by which of them an address was heard last."""
        self._servers: list[asyncio.Server] = []
        self._streams: dict[Hop, Stream] = {}
        self._open: set[Stream] = set()
        """Every connection that isn't lost yet; ``_streams`` has only those that can still be sent on."""
        self._incoming: dict[str, set[Stream]] = {}
        """Those of them that each address has opened."""
        self._names = NamedHops(resolver, self.send, lambda hop: self._standing(hop) is not None)
        self._waiting: dict[Hop, list[bytes]] = {}
        self._connecting: set[asyncio.Task[None]] = set()
        self._stopped = False
        self._complained_at = float("-inf")

    async def start(self, listen: Sequence[Hop]) -> None:
        """Bind; ``bound`` then names the sockets. OSError names the hop that can't be had."""
        self._stopped = False
        loop = asyncio.get_running_loop()
        for hop in listen:
            if hop.secure and (self.tls is None or self.tls.server is None):
                raise ValueError(f"{hop}: needs a certificate")
            try:
                if hop.transport == "udp":
                    endpoint, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), sock=_bound(hop))
                    self._udp[_version(hop.host)].append(endpoint)
                    port = endpoint.get_extra_info("sockname")[1]
                else:
                    made = partial(Stream, self, hop.transport)
                    server = await loop.create_server(made, hop.host, hop.port, backlog=512)
                    self._servers.append(server)
                    port = server.sockets[0].getsockname()[1]
            except OSError as error:
                await self.stop()
                raise OSError(error.errno, f"{hop}: {error.strerror or error}") from None
            self.bound.append(Hop(hop.transport, hop.host, port))

    def send(self, data: bytes, hop: Hop) -> None:
        """Send a message to a hop. What can't be sent is reported by ``on_failed``, later."""
        if self._stopped:
            return
        if hop.target:
            if not self._names.send(data, hop):
                self.counters["look-up queue full"] += 1
                self.fail(hop)
            return
        if hop.transport == "udp":
            self._send_datagram(data, hop)
            return
        stream = self._standing(hop)
        if stream is not None:
            stream.write(data)
        elif hop in self._waiting:
            if sum(map(len, self._waiting[hop])) < QUEUE_LIMIT:
                self._waiting[hop].append(data)
            else:
                self.counters["connect queue full"] += 1
                self.fail(hop)
        elif hop.transport not in DIALLED or (hop.secure and self.tls is None):
            self.counters["no connection"] += 1
            self.fail(hop)
        else:
            self._waiting[hop] = [data]
            task = asyncio.get_running_loop().create_task(self._connect(hop))
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)

    def _standing(self, hop: Hop) -> Stream | None:
        """The connection that leads to ``hop``, if there is one."""
        stream = self._streams.get(hop)
        return None if stream is None or stream.closing else stream

    def alias(self, stream: Stream, hop: Hop) -> None:
        """Send on a connection that came in what goes to ``hop``, unless another one does that already."""
        if self._standing(hop) in (None, stream):
            stream.aliases.append(hop)
            self._streams[hop] = stream

    async def stop(self) -> None:
        """Close everything; afterwards nothing is sent, taken or reported any more."""
        self._stopped = True
        connecting = list(self._connecting)
        for task in connecting:
            task.cancel()
        for server in self._servers:
            server.close()
        for stream in list(self._open):
            stream.close()
        for endpoints in self._udp.values():
            for endpoint in endpoints:
                endpoint.close()
            endpoints.clear()
        await asyncio.gather(*connecting, return_exceptions=True)
        await self._names.stop()
        self._waiting.clear()
        await asyncio.sleep(0)
        for stream in list(self._open):
            stream.abort()
        await asyncio.sleep(0)

    def fail(self, hop: Hop) -> None:
        """Say on the loop's next turn, never inside of ``send``, that something for ``hop`` didn't get there."""
        asyncio.get_running_loop().call_soon(self._report, hop)

    def _report(self, hop: Hop) -> None:
        if not self._stopped:
            self.on_failed(hop)
            named = self._names.asked_by(hop)
            if named is not None:
                self.on_failed(named)

    def _send_datagram(self, data: bytes, hop: Hop) -> None:
        endpoints = self._udp[_version(hop.host)]
        if not endpoints:
            self.fail(hop)
            return
        endpoint = endpoints[0] if len(endpoints) == 1 else self._came_by.get(hop.host, endpoints[0])
        endpoint.sendto(data, (hop.host, hop.port))

    def came_by(self, host: str, endpoint: asyncio.DatagramTransport) -> None:
        """Note by which of several sockets an address speaks: what goes there leaves by the same (RFC 3581 §4)."""
        if len(self._udp[_version(host)]) > 1:
            if len(self._came_by) >= REMEMBERED:
                self._came_by.clear()
            self._came_by[host] = endpoint

    async def _connect(self, hop: Hop) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self.connect_seconds):
                _, stream = await loop.create_connection(lambda: Stream(self, hop.transport, hop), hop.host, hop.port)
        except (OSError, ValueError, OverflowError):
            self.counters["connect failed"] += 1
            if not self.reroute(hop, self._waiting.pop(hop, [])):
                self.fail(hop)
            return
        for data in self._waiting.pop(hop, ()):
            stream.write(data)

    def reroute(self, hop: Hop, waiting: Sequence[bytes]) -> bool:
        """Send by another way what waited for ``hop``, if there is one."""
        instead = self._names.instead(hop)
        if instead is None:
            return False
        for data in waiting:
            self.send(data, instead)
        return True

    def register(self, stream: Stream, hop: Hop) -> bool:
        """A connection stands; False: too many from that address, a stranger, or we have stopped."""
        self._open.add(stream)
        if self._stopped:
            return False
        if stream.outgoing is None:
            if not self.gate.greets(hop.host, time.monotonic()):
                return False
            siblings = self._incoming.setdefault(hop.host, set())
            siblings.add(stream)
            if len(siblings) > self.per_host or len(self._open) > self.connections:
                self.counters["too many connections"] += 1
                return False
        self._streams[hop] = stream
        return True

    def forget(self, stream: Stream, hop: Hop) -> None:
        """A connection is gone."""
        self._open.discard(stream)
        siblings = self._incoming.get(hop.host)
        if siblings is not None:
            siblings.discard(stream)
            if not siblings:
                del self._incoming[hop.host]
        if self._streams.get(hop) is stream:
            del self._streams[hop]
            if not self._stopped:
                self.on_closed(hop)

    def strike(self, host: str, offence: str) -> None:
        """Note an offence of an address, and tell of a ban that follows."""
        self.gate.strike(host, offence, time.monotonic())
        self.tell_bans()

    def tell_bans(self) -> None:
        """One line for each new ban; its connections end with their next message, or when they have been idle."""
        for ban in self.gate.fresh:
            _log.warning("a source is banned", source=ban.source, why=ban.why, seconds=round(ban.until - ban.since))
        self.gate.fresh.clear()

    def secured(self, hop: Hop, outgoing: Hop | None) -> TlsStream:
        """TLS for a new connection: ours to a hop, or one that came in from ``hop``."""
        assert self.tls is not None
        if outgoing is not None:
            return TlsStream(self.tls.client, outgoing.name or outgoing.host)
        # A browser that shares an address with a trunk has no certificate to show.
        trunk = self.gate.whose(hop.host) if hop.transport == "tls" else None
        return TlsStream(*self.tls.accepting(trunk), accepting=True)

    def complain(self, hop: Hop, why: str) -> None:
        """Log why TLS with somebody failed, not more often than once a minute."""
        now = asyncio.get_running_loop().time()
        if now - self._complained_at >= COMPLAIN_EVERY:
            self._complained_at = now
            _log.warning("TLS failed", peer=str(hop), why=why)

    @property
    def datagram_sockets(self) -> list[Any]:
        """The UDP sockets, to be asked how full they are."""
        return [one.get_extra_info("socket") for endpoints in self._udp.values() for one in endpoints]

    @property
    def streams(self) -> int:
        """Connections that stand."""
        return len(self._open)


def _version(host: str) -> int:
    return 6 if ":" in host else 4


def _bound(hop: Hop) -> socket.socket:
    """A UDP socket on ``hop``. Left to uvloop, a bind that fails would leak its transport and say no reason."""
    six = _version(hop.host) == 6
    made = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        if six:
            # [::] beside 0.0.0.0 on one port, as asyncio has it for streams.
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        # For a burst: some hundred messages, a tenth of a second's work.
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        made.setblocking(False)
        made.bind((hop.host, hop.port))
    except OSError:
        made.close()
        raise
    return made


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, owner: Transport) -> None:
        self._owner = owner
        self._transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        owner = self._owner
        if not owner.gate.datagram(addr[0], data, time.monotonic()):
            if owner.gate.fresh:
                owner.tell_bans()
        elif data.strip(b"\r\n\x00"):
            # A datagram of CRLF only is a keep-alive and wants no answer.
            owner.came_by(addr[0], self._transport)
            owner.on_message(data, Hop("udp", addr[0], addr[1]))

    def error_received(self, exc: Exception) -> None:
        self._owner.counters["udp error"] += 1
