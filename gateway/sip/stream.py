"""[IO] One connection that carries SIP (RFC 3261 §18), in up to three layers, and what ends it.

    bytes of the wire  <->  TlsStream (tls, wss)  <->  StreamFramer, or WebSocketFramer (ws, wss)  <->  messages

a peer that lets QUEUE_LIMIT bytes pile up unread        aborted, and what was queued reported
no message for ``idle_seconds``                          aborted
handshakes that take ``handshake_seconds``               aborted, and what waits for them reported
a message not whole ``message_seconds`` after it began   aborted, however its bytes trickle
bytes that can't be framed                               handed up for a 400 (not on WebSocket), then closed
a close that the peer doesn't read in ``linger_seconds`` aborted
a message that the gate doesn't take                     aborted; more than its rate: not read for a while
silence after a keep-alive, where others were answered   aborted (RFC 5626 §4.4.1)

With ``keep_alive_seconds`` we send CRLF CRLF on connections that we made (RFC 5626 §3.5.1), a Ping on WebSockets.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from gateway.sip.framing import StreamFramer, alias_port
from gateway.sip.hop import DEFAULT_PORTS, Hop
from gateway.sip.tls_stream import TlsError, TlsStream
from gateway.sip.websocket import WebSocketFramer

if TYPE_CHECKING:
    from gateway.sip.transport import Transport

QUEUE_LIMIT = 1 << 20
PING, PONG = b"\r\n\r\n", b"\r\n"
HELD_SECONDS = 2.0


class Stream(asyncio.Protocol):
    """``kind``: the transport of its hop; ``outgoing``: the hop that we connected to, None for one that came in."""

    def __init__(self, owner: Transport, kind: str, outgoing: Hop | None = None) -> None:
        self._owner = owner
        self.kind = kind
        self.outgoing = outgoing
        self._transport: asyncio.Transport | None = None
        self._hop: Hop | None = None
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._in_message = False
        self._tls: TlsStream | None = None
        self._web = WebSocketFramer(owner.origins) if kind in ("ws", "wss") else None
        self._framer: StreamFramer | WebSocketFramer = self._web or StreamFramer()
        self._early: list[bytes] = []
        """Messages that wait for the end of a handshake."""
        self.aliases: list[Hop] = []
        """What else leads here: addresses at which the peer hears requests, as it says (RFC 5923)."""
        self._known = outgoing is not None or kind not in ("tcp", "tls")
        """No alias can come any more."""
        self._begun = False
        self._asked = False
        """A keep-alive of ours has not been answered by anything yet."""
        self._answers = False
        """The peer is one that answers keep-alives."""

    @property
    def closing(self) -> bool:
        """Nothing can be sent on it any more."""
        return self._transport is None or self._transport.is_closing()

    @property
    def established(self) -> bool:
        """All handshakes are over."""
        return (self._tls is None or self._tls.established) and (self._web is None or self._web.established)

    # --- what the loop calls ----------------------------------------------------------------------------------------

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
            self._tls = self._owner.secured(self._hop, self.outgoing)
            if self.outgoing is not None:
                self._put(self._tls.begin())
        self._arm(self._owner.handshake_seconds)
        self._begin()

    def data_received(self, data: bytes) -> None:
        if self._hop is None or self._transport is None:
            return
        if self._tls is not None:
            try:
                data = self._tls.receive(data)
            except TlsError as error:
                self._distrust(error)
                return
            if back := self._tls.outgoing():
                self._put(back)
        self._begin()
        if data:
            self._receive(data)
            self._begin()
        if self._tls is not None and self._tls.ended:
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        if self._hop is not None:
            self._owner.forget(self, self._hop)
            if exc is not None or self._early:
                self._fail()

    # --- towards the peer -------------------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Queue a message; a peer that has let a whole queue pile up is closed."""
        if self._transport is None or self._hop is None:
            return
        if self._transport.is_closing():
            self._fail()
        elif self.established:
            self._put(self._sealed(data if self._web is None else self._web.wrap(data)))
        elif sum(map(len, self._early)) < QUEUE_LIMIT:
            self._early.append(data)
        else:
            self._owner.counters["connect queue full"] += 1
            self._fail()

    def close(self) -> None:
        """Send what is queued, then close; a peer that doesn't read it is not waited for."""
        if self._transport is not None:
            if not self._transport.is_closing():
                last = b"" if self._web is None else self._web.close()
                if self._tls is not None:
                    last = (self._tls.send(last) if last and self._tls.established else b"") + self._tls.end()
                if last:
                    self._transport.write(last)
            self._transport.close()
            self._arm(self._owner.linger_seconds)

    def abort(self) -> None:
        """Close at once; who waits for an answer from there learns that what was queued didn't get through."""
        if self._transport is None or self._hop is None:
            return
        if self._transport.get_write_buffer_size():
            self._fail()
        self._transport.abort()

    def _sealed(self, data: bytes) -> bytes:
        return data if self._tls is None else self._tls.send(data)

    def _put(self, data: bytes) -> None:
        """Queue bytes of the wire."""
        assert self._transport is not None
        assert self._hop is not None
        if self._transport.get_write_buffer_size() + len(data) > QUEUE_LIMIT:
            self._owner.counters["stuck peer"] += 1
            self._fail()
            self._transport.abort()
        else:
            self._transport.write(data)

    def _fail(self) -> None:
        """Say that something didn't get there."""
        assert self._hop is not None
        for hop in (self._hop, *self.aliases):
            self._owner.fail(hop)

    # --- inside -----------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Once, when the handshakes are over."""
        if self._begun or not self.established:
            return
        self._begun = True
        self._arm(self._owner.idle_seconds)
        if self._owner.keep_alive_seconds and (self.outgoing is not None or self._web is not None):
            self._after("keep alive", self._owner.keep_alive_seconds, self._keep_alive)
        early, self._early = self._early, []
        for data in early:
            self.write(data)

    def _receive(self, data: bytes) -> None:
        """Bytes above TLS."""
        assert self._hop is not None
        if self._asked:
            self._asked = False
            self._answers |= data == PONG or self._web is not None
            if data == PONG and not self._framer.partial:
                return
        messages = self._framer.feed(data)
        self._watch(bool(messages))
        if self._web is not None and (back := self._web.outgoing()) and not self.closing:
            self._put(self._sealed(back))
        if self._admit(messages):
            self._check_frames()

    def _admit(self, messages: list[bytes]) -> bool:
        """Hand messages up as far as the gate takes them; False when the connection is gone for it."""
        assert self._hop is not None
        assert self._transport is not None
        owner, host, now = self._owner, self._hop.host, time.monotonic()
        wait = 0.0
        for _ in range(self._framer.pings):
            # Nobody needs to ping often: each costs as much of the peer's rate as a message.
            if owner.gate.message(host, b"", now) == 0.0:
                self.write(PONG)
        self._framer.pings = 0
        if self._web is not None:
            for _ in range(self._web.controls):
                wait = owner.gate.message(host, b"", now)
            self._web.controls = 0
        for message in messages:
            wait = owner.gate.message(host, message, now)
            if wait == math.inf:
                break
            if not self._known:
                self._learn_alias(message)
            owner.on_message(message, self._hop)
        if wait == math.inf:
            owner.tell_bans()
            self._transport.abort()
            return False
        if wait:
            self._hold_back(wait)
        return True

    def _learn_alias(self, message: bytes) -> None:
        """The first message of a trunk tells; over TLS it is believed when a certificate has been shown that we trust.
        Phones behind one NAT could claim each other's addresses: of them nothing is believed."""
        assert self._hop is not None
        self._known = True
        if not self._owner.gate.knows(self._hop.host) or (self._tls is not None and not self._tls.has_certificate):
            return
        port = alias_port(message, DEFAULT_PORTS[self.kind])
        if port:
            self._owner.alias(self, Hop(self.kind, self._hop.host, port))

    def _check_frames(self) -> None:
        """Close what can't be read any further."""
        assert self._hop is not None
        if self._web is not None:
            if self._web.ended:
                self.close()
        elif isinstance(self._framer, StreamFramer) and self._framer.error is not None:
            self._owner.counters["framing"] += 1
            self._owner.on_malformed(self._framer.rest, self._hop)
            self.close()

    def _distrust(self, error: TlsError) -> None:
        """Whoever is there is not to be spoken with; it gets OpenSSL's alert, if there is one."""
        assert self._tls is not None
        assert self._transport is not None
        assert self._hop is not None
        self._owner.counters["TLS failed"] += 1
        self._owner.complain(self._hop, str(error))
        early, self._early = self._early, []
        if self.outgoing is not None and not self._owner.reroute(self.outgoing, early):
            self._fail()
        if alert := self._tls.outgoing():
            self._transport.write(alert)
        self._transport.close()
        self._arm(self._owner.linger_seconds)

    def _keep_alive(self) -> None:
        """Ask whether the peer is there; one that used to answer and doesn't is not."""
        if self.closing:
            return
        if self._asked and self._answers:
            self._owner.counters["keep-alive not answered"] += 1
            assert self._hop is not None
            self._fail()
            self.abort()
            return
        if not self._asked and not self._in_message:
            self._arm(self._owner.idle_seconds)
        self._asked = True
        self._put(self._sealed(PING if self._web is None else self._web.ping()))
        self._after("keep alive", self._owner.keep_alive_seconds, self._keep_alive)

    def _hold_back(self, seconds: float) -> None:
        """Read nothing for a while: TCP then slows the peer down, and no message is lost."""
        if self._transport is not None and not self.closing:
            self._transport.pause_reading()
            self._after("resume", min(seconds, HELD_SECONDS), self._read_on)

    def _read_on(self) -> None:
        if self._transport is not None and not self.closing:
            self._transport.resume_reading()

    def _watch(self, whole: bool) -> None:
        """A message has come whole, or begins, or goes on: only the first two give it time anew."""
        if not self.established:
            return
        partial = self._framer.partial
        if whole or partial != self._in_message or self._framer.pings:
            self._in_message = partial
            self._arm(self._owner.message_seconds if partial else self._owner.idle_seconds)

    def _after(self, name: str, seconds: float, act: Callable[[], None]) -> None:
        """Do something later, instead of what was to be done then under that name."""
        if name in self._timers:
            self._timers[name].cancel()
        self._timers[name] = asyncio.get_running_loop().call_later(seconds, act)

    def _arm(self, seconds: float) -> None:
        self._after("end", seconds, self._expire)

    def _expire(self) -> None:
        self._owner.counters["slow or idle connection"] += 1
        self.abort()
