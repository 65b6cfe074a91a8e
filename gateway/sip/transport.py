"""[IO] SIP sockets: UDP and TCP (RFC 3261 §18), without any opinion about what is in a message.

A stream is read by a framer; what it can't frame is handed up once, so that a 400 can be sent, and the connection is
closed. Replies and requests to a hop use the connection that stands to it, else one is made in the background. Nothing
here ever waits for a peer: each connection has a bounded queue, and a peer that doesn't read is closed when it is full
(pains.md P25). A message that has begun must be whole in ``message_seconds``, however its bytes trickle. Strangers
(``admits`` says no) are dropped before anything is read.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, cast

from gateway.sip.framing import StreamFramer
from gateway.sip.hop import Hop

QUEUE_LIMIT = 1 << 20
PONG = b"\r\n"

OnMessage = Callable[[bytes, Hop], None]


class Transport:
    """All sockets of one user agent. ``on_message``, ``on_malformed`` and ``on_failed`` are called on the loop.

    ``idle_seconds``: a connection on which no message comes for so long is closed. ``linger_seconds``: how long a peer
    may take to read what is left for it when we close. ``per_host``: most connections that one address may open to us.
    """

    def __init__(
        self,
        *,
        on_message: OnMessage,
        on_malformed: OnMessage,
        on_failed: Callable[[Hop], None],
        admits: Callable[[str], bool],
        idle_seconds: float = 600.0,
        connect_seconds: float = 4.0,
        message_seconds: float = 32.0,
        linger_seconds: float = 4.0,
        per_host: int = 60,
    ) -> None:
        self.on_message = on_message
        self.on_malformed = on_malformed
        self.on_failed = on_failed
        self.admits = admits
        self.idle_seconds = idle_seconds
        self.connect_seconds = connect_seconds
        self.message_seconds = message_seconds
        self.linger_seconds = linger_seconds
        self.per_host = per_host
        self.bound: list[Hop] = []
        self.counters: Counter[str] = Counter()
        self._udp: list[asyncio.DatagramTransport] = []
        self._servers: list[asyncio.Server] = []
        self._streams: dict[Hop, _Stream] = {}
        self._open: set[_Stream] = set()
        """Every connection that isn't lost yet; ``_streams`` has only those that can still be sent on."""
        self._waiting: dict[Hop, list[bytes]] = {}
        self._connecting: set[asyncio.Task[None]] = set()
        self._stopped = False

    async def start(self, listen: Sequence[Hop]) -> None:
        """Bind; ``bound`` then names the sockets. OSError names the hop that can't be had."""
        self._stopped = False
        loop = asyncio.get_running_loop()
        for hop in listen:
            try:
                if hop.transport == "udp":
                    endpoint, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), sock=_bound(hop))
                    self._udp.append(endpoint)
                    port = endpoint.get_extra_info("sockname")[1]
                else:
                    server = await loop.create_server(lambda: _Stream(self, None), hop.host, hop.port, backlog=512)
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
        if hop.transport == "udp":
            self._send_datagram(data, hop)
            return
        stream = self._streams.get(hop)
        if stream is not None and not stream.closing:
            stream.write(data)
        elif hop in self._waiting:
            if sum(map(len, self._waiting[hop])) < QUEUE_LIMIT:
                self._waiting[hop].append(data)
            else:
                self.counters["connect queue full"] += 1
                self.fail(hop)
        else:
            self._waiting[hop] = [data]
            task = asyncio.get_running_loop().create_task(self._connect(hop))
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)

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
        for endpoint in self._udp:
            endpoint.close()
        await asyncio.gather(*connecting, return_exceptions=True)
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

    def _send_datagram(self, data: bytes, hop: Hop) -> None:
        wanted = socket.AF_INET6 if ":" in hop.host else socket.AF_INET
        for endpoint in self._udp:
            if endpoint.get_extra_info("socket").family == wanted:
                endpoint.sendto(data, (hop.host, hop.port))
                return
        self.fail(hop)

    async def _connect(self, hop: Hop) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self.connect_seconds):
                _, stream = await loop.create_connection(lambda: _Stream(self, hop), hop.host, hop.port)
        except (OSError, ValueError, OverflowError):
            self._waiting.pop(hop, None)
            self.counters["connect failed"] += 1
            self.fail(hop)
            return
        for data in self._waiting.pop(hop, ()):
            stream.write(data)

    def register(self, stream: _Stream, hop: Hop) -> bool:
        """A connection stands; False: too many from that address, a stranger, or we have stopped."""
        self._open.add(stream)
        if self._stopped:
            return False
        if stream.outgoing is None:
            if not self.admits(hop.host):
                self.counters["stranger"] += 1
                return False
            if sum(1 for other in self._open if other.comes_from(hop.host)) > self.per_host:
                self.counters["too many connections"] += 1
                return False
        self._streams[hop] = stream
        return True

    def forget(self, stream: _Stream, hop: Hop) -> None:
        """A connection is gone."""
        self._open.discard(stream)
        if self._streams.get(hop) is stream:
            del self._streams[hop]

    @property
    def streams(self) -> int:
        """Connections that stand."""
        return len(self._open)


def _bound(hop: Hop) -> socket.socket:
    """A UDP socket on ``hop``. Left to uvloop, a bind that fails would leak its transport and say no reason."""
    made = socket.socket(socket.AF_INET6 if ":" in hop.host else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        made.setblocking(False)
        made.bind((hop.host, hop.port))
    except OSError:
        made.close()
        raise
    return made


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, owner: Transport) -> None:
        self._owner = owner

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        owner = self._owner
        if not owner.admits(addr[0]):
            owner.counters["stranger"] += 1
        elif data.strip(b"\r\n\x00"):
            # A datagram of CRLF only is a keep-alive and wants no answer.
            owner.on_message(data, Hop("udp", addr[0], addr[1]))

    def error_received(self, exc: Exception) -> None:
        self._owner.counters["udp error"] += 1


class _Stream(asyncio.Protocol):
    """One TCP connection; ``outgoing``: the hop that we connected to, None for one that came in."""

    def __init__(self, owner: Transport, outgoing: Hop | None) -> None:
        self._owner = owner
        self.outgoing = outgoing
        self._framer = StreamFramer()
        self._transport: asyncio.Transport | None = None
        self._hop: Hop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._in_message = False

    @property
    def closing(self) -> bool:
        """Nothing can be sent on it any more."""
        return self._transport is None or self._transport.is_closing()

    def comes_from(self, host: str) -> bool:
        """Whether ``host`` opened it."""
        return self.outgoing is None and self._hop is not None and self._hop.host == host

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        peer = self._transport.get_extra_info("peername")
        if peer is None:
            # Reset before we took it: uvloop then knows no peer.
            self._transport.abort()
            return
        self._hop = self.outgoing or Hop("tcp", peer[0], peer[1])
        self._transport.set_write_buffer_limits(high=QUEUE_LIMIT)
        with contextlib.suppress(OSError):
            self._transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not self._owner.register(self, self._hop):
            self._transport.abort()
            return
        self._arm(self._owner.idle_seconds)

    def data_received(self, data: bytes) -> None:
        if self._hop is None or self._transport is None:
            return
        messages = self._framer.feed(data)
        self._watch(bool(messages))
        for _ in range(self._framer.pings):
            self.write(PONG)
        self._framer.pings = 0
        for message in messages:
            self._owner.on_message(message, self._hop)
        if self._framer.error is not None:
            self._owner.counters["framing"] += 1
            self._owner.on_malformed(self._framer.rest, self._hop)
            self.close()

    def write(self, data: bytes) -> None:
        """Queue bytes; a peer that has let a whole queue pile up is closed."""
        if self._transport is None or self._hop is None:
            return
        if self._transport.is_closing():
            self._owner.fail(self._hop)
        elif self._transport.get_write_buffer_size() + len(data) > QUEUE_LIMIT:
            self._owner.counters["stuck peer"] += 1
            self._owner.fail(self._hop)
            self._transport.abort()
        else:
            self._transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._hop is not None:
            self._owner.forget(self, self._hop)
            if exc is not None:
                self._owner.fail(self._hop)

    def close(self) -> None:
        """Send what is queued, then close; a peer that doesn't read it is not waited for."""
        if self._transport is not None:
            self._transport.close()
            self._arm(self._owner.linger_seconds)

    def abort(self) -> None:
        """Close at once; who waits for an answer from there learns that what was queued didn't get through."""
        if self._transport is None or self._hop is None:
            return
        if self._transport.get_write_buffer_size():
            self._owner.fail(self._hop)
        self._transport.abort()

    def _watch(self, whole: bool) -> None:
        """A message has come whole, or begins, or goes on: only the first two give it time anew."""
        partial = self._framer.partial
        if whole or partial != self._in_message or self._framer.pings:
            self._in_message = partial
            self._arm(self._owner.message_seconds if partial else self._owner.idle_seconds)

    def _arm(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._expire)

    def _expire(self) -> None:
        self._owner.counters["slow or idle connection"] += 1
        self.abort()
