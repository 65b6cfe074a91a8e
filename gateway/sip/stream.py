"""[IO] One TCP connection that carries SIP (RFC 3261 §18), and what ends it.

a peer that lets QUEUE_LIMIT bytes pile up unread        aborted, and what was queued reported
no message for ``idle_seconds``                          aborted
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

if TYPE_CHECKING:
    from gateway.sip.transport import Transport

QUEUE_LIMIT = 1 << 20
PONG = b"\r\n"
HELD_SECONDS = 2.0


class Stream(asyncio.Protocol):
    """One TCP connection; ``outgoing``: the hop that we connected to, None for one that came in."""

    def __init__(self, owner: Transport, outgoing: Hop | None) -> None:
        self._owner = owner
        self.outgoing = outgoing
        self._framer = StreamFramer()
        self._transport: asyncio.Transport | None = None
        self._hop: Hop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._resume: asyncio.TimerHandle | None = None
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
        for timer in (self._timer, self._resume):
            if timer is not None:
                timer.cancel()
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
