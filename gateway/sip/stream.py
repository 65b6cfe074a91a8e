"""[IO] One connection that carries SIP (RFC 3261 §18) over TCP or TLS, and what ends it.

a peer that lets QUEUE_LIMIT bytes pile up unread        aborted, and what was queued reported
no message for ``idle_seconds``                          aborted
a handshake that takes ``handshake_seconds``             aborted, and what waits for it reported
a message not whole ``message_seconds`` after it began   aborted, however its bytes trickle
bytes that can't be framed                               handed up for a 400, then closed
a close that the peer doesn't read in ``linger_seconds`` aborted
a message that the gate doesn't take                     aborted; more than its rate: not read for a while
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
import time
from typing import TYPE_CHECKING, cast

from gateway.sip.framing import StreamFramer
from gateway.sip.hop import Hop
from gateway.sip.tls_stream import TlsError, TlsStream

if TYPE_CHECKING:
    from gateway.sip.transport import Transport

QUEUE_LIMIT = 1 << 20
PONG = b"\r\n"
HELD_SECONDS = 2.0


class Stream(asyncio.Protocol):
    """``kind``: the transport of its hop; ``outgoing``: the hop that we connected to, None for one that came in."""

    def __init__(self, owner: Transport, kind: str, outgoing: Hop | None = None) -> None:
        self._owner = owner
        self.kind = kind
        self.outgoing = outgoing
        self._framer = StreamFramer()
        self._transport: asyncio.Transport | None = None
        self._hop: Hop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._resume: asyncio.TimerHandle | None = None
        self._in_message = False
        self._tls: TlsStream | None = None
        self._early: list[bytes] = []
        """Messages that wait for the end of a handshake."""

    @property
    def closing(self) -> bool:
        """Nothing can be sent on it any more."""
        return self._transport is None or self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        peer = self._transport.get_extra_info("peername")
        if peer is None:
            # Reset before we took it: uvloop then knows no peer.
            self._transport.abort()
            return
        self._hop = self.outgoing or Hop(self.kind, peer[0], peer[1])
        self._transport.set_write_buffer_limits(high=QUEUE_LIMIT)
        with contextlib.suppress(OSError):
            self._transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not self._owner.register(self, self._hop):
            self._transport.abort()
            return
        if self._hop.secure:
            self._tls = self._owner.secured(self.outgoing)
            self._arm(self._owner.handshake_seconds)
            if self.outgoing is not None:
                self._put(self._tls.begin())
        else:
            self._arm(self._owner.idle_seconds)

    def data_received(self, data: bytes) -> None:
        if self._hop is None or self._transport is None:
            return
        if self._tls is None:
            self._receive(data)
            return
        tls, ready = self._tls, self._tls.established
        try:
            data = tls.receive(data)
        except TlsError as error:
            self._distrust(error)
            return
        if back := tls.outgoing():
            self._put(back)
        if tls.established and not ready:
            self._arm(self._owner.idle_seconds)
            self._send_early()
        if data:
            self._receive(data)
        if tls.ended:
            self.close()

    def _receive(self, data: bytes) -> None:
        """Bytes of SIP."""
        assert self._hop is not None
        assert self._transport is not None
        messages = self._framer.feed(data)
        self._watch(bool(messages))
        for _ in range(self._framer.pings):
            # Nobody needs to ping often: each costs as much of the peer's rate as a message.
            if self._owner.gate.message(self._hop.host, b"", time.monotonic()) == 0.0:
                self.write(PONG)
        self._framer.pings = 0
        wait = 0.0
        for message in messages:
            wait = self._owner.gate.message(self._hop.host, message, time.monotonic())
            if wait == math.inf:
                self._owner.tell_bans()
                self._transport.abort()
                return
            self._owner.on_message(message, self._hop)
        if wait:
            self._hold_back(wait)
        if self._framer.error is not None:
            self._owner.counters["framing"] += 1
            self._owner.on_malformed(self._framer.rest, self._hop)
            self.close()

    def write(self, data: bytes) -> None:
        """Queue a message; a peer that has let a whole queue pile up is closed."""
        if self._transport is None or self._hop is None:
            return
        if self._transport.is_closing():
            self._owner.fail(self._hop)
        elif self._tls is None:
            self._put(data)
        elif self._tls.established:
            self._put(self._tls.send(data))
        elif sum(map(len, self._early)) < QUEUE_LIMIT:
            self._early.append(data)
        else:
            self._owner.counters["connect queue full"] += 1
            self._owner.fail(self._hop)

    def _put(self, data: bytes) -> None:
        """Queue bytes of the wire."""
        assert self._transport is not None
        assert self._hop is not None
        if self._transport.get_write_buffer_size() + len(data) > QUEUE_LIMIT:
            self._owner.counters["stuck peer"] += 1
            self._owner.fail(self._hop)
            self._transport.abort()
        else:
            self._transport.write(data)

    def _send_early(self) -> None:
        early, self._early = self._early, []
        for data in early:
            self.write(data)

    def _distrust(self, error: TlsError) -> None:
        """Whoever is there is not to be spoken with; it gets OpenSSL's alert, if there is one."""
        assert self._tls is not None
        assert self._transport is not None
        assert self._hop is not None
        self._owner.counters["TLS failed"] += 1
        self._owner.complain(self._hop, str(error))
        if self.outgoing is not None and not self._early:
            self._owner.fail(self._hop)
        if alert := self._tls.outgoing():
            self._transport.write(alert)
        self._transport.close()
        self._arm(self._owner.linger_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._timer, self._resume):
            if timer is not None:
                timer.cancel()
        if self._hop is not None:
            self._owner.forget(self, self._hop)
            if exc is not None or self._early:
                self._owner.fail(self._hop)

    def close(self) -> None:
        """Send what is queued, then close; a peer that doesn't read it is not waited for."""
        if self._transport is not None:
            if self._tls is not None and not self._transport.is_closing():
                self._transport.write(self._tls.end())
            self._transport.close()
            self._arm(self._owner.linger_seconds)

    def abort(self) -> None:
        """Close at once; who waits for an answer from there learns that what was queued didn't get through."""
        if self._transport is None or self._hop is None:
            return
        if self._transport.get_write_buffer_size():
            self._owner.fail(self._hop)
        self._transport.abort()

    def _hold_back(self, seconds: float) -> None:
        """Read nothing for a while: TCP then slows the peer down, and no message is lost."""
        transport = self._transport
        if transport is None or self.closing:
            return
        transport.pause_reading()
        self._resume = asyncio.get_running_loop().call_later(min(seconds, HELD_SECONDS), self._read_on)

    def _read_on(self) -> None:
        if self._transport is not None and not self.closing:
            self._transport.resume_reading()

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
