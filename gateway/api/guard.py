"""[IO] uvicorn's h11 protocol with what it leaves open: strict heads, a time for everything, and no crowds.

    what                                                   limit (WebLimits)       then
    -----------------------------------------------------  ----------------------  --------------------------------
    a request's head, from its first byte or the connect   ``head_seconds``        closed
    its body, from the end of the head                     ``body_seconds``        closed
    a body that goes on behind the answer                  LINGER_SECONDS          closed
    an answer that nobody reads                            ``stall_seconds``       aborted
    silence between two requests                           ``idle_seconds``        closed (uvicorn's own)
    a TLS handshake (handshake.py)                         ``handshake_seconds``   aborted
    connections of one address, and of all                 ``per_host`` ``in_all`` the further ones are aborted
    two ways to tell where a body ends, a coding but       -                       400, closed (RFC 9112 §6.3: a
    ``chunked``, a folded line, another version than 1.x,                          proxy before us may read it the
    more than MAX_HEADERS headers or HEAD_SIZE bytes                               other way)

``docs/decisions/asgi-server.md`` holds the trial that these rows come from.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

LINGER_SECONDS = 2.0
HEAD_SIZE = 32 * 1024
MAX_HEADERS = 100
_FOLD = re.compile(rb"\n[ \t]")
_HEAD_END = re.compile(rb"\n\r?\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class WebLimits:
    """Times in seconds, and numbers of connections."""

    handshake_seconds: float = 10.0
    head_seconds: float = 10.0
    body_seconds: float = 60.0
    idle_seconds: float = 30.0
    stall_seconds: float = 30.0
    per_host: int = 200
    in_all: int = 1000


class Crowd:
    """How many connections each address has; ``counters`` counts what was closed, by reason."""

    def __init__(self, limits: WebLimits) -> None:
        self.limits = limits
        self.counters: Counter[str] = Counter()
        self._by_host: Counter[str] = Counter()

    def enter(self, host: str) -> bool:
        """Count a connection; False: there are too many."""
        if self._by_host[host] >= self.limits.per_host or self._by_host.total() >= self.limits.in_all:
            self.counters["too many connections"] += 1
            return False
        self._by_host[host] += 1
        return True

    def leave(self, host: str) -> None:
        """A connection that was counted is gone."""
        self._by_host[host] -= 1
        if not self._by_host[host]:
            del self._by_host[host]


class StrictConnection(h11.Connection):
    """h11 as a server, but what two servers could read in two ways is an error of the peer."""

    def next_event(self) -> Any:
        """h11's. Raises RemoteProtocolError."""
        if self.their_state is h11.IDLE:
            data, _ = self.trailing_data
            end = _HEAD_END.search(data)
            if _FOLD.search(data, 0, end.end() if end else len(data)):
                raise h11.RemoteProtocolError("a header line is folded")
            if (end.end() if end else len(data)) > HEAD_SIZE:
                raise h11.RemoteProtocolError("the head is too large")
        event = super().next_event()
        if isinstance(event, h11.Request):
            _check(event)
        return event


def _check(request: h11.Request) -> None:
    lengths = codings = 0
    for name, value in request.headers:
        if name == b"content-length":
            lengths += 1
        elif name == b"transfer-encoding":
            codings += 1
            if value.lower() != b"chunked":
                raise h11.RemoteProtocolError("a transfer coding that is not known")
    if codings > 1 or (codings and (lengths or request.http_version != b"1.1")):
        raise h11.RemoteProtocolError("the end of the body is told in two ways")
    if request.http_version not in (b"1.0", b"1.1"):
        raise h11.RemoteProtocolError("a version that is not known")
    if len(request.headers) > MAX_HEADERS:
        raise h11.RemoteProtocolError("too many headers")


class GuardedProtocol(H11Protocol):
    """One connection. Made by ``guarded``."""

    def __init__(self, crowd: Crowd, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.conn = StrictConnection(h11.SERVER, HEAD_SIZE)
        self._crowd = crowd
        self._limits = crowd.limits
        self.counted = False
        """Already, by whoever makes it."""
        self._host: str | None = None
        self._phase = ""
        self._timer: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None

    @property
    def taken_over(self) -> bool:
        """Whether it sees to it that it is counted no more when it is gone."""
        return self._host is not None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Counted, or closed."""
        peer = transport.get_extra_info("peername")
        host = peer[0] if isinstance(peer, tuple) else ""
        if not self.counted and not self._crowd.enter(host):
            self.transport = transport
            transport.abort()
            return
        self._host = host
        super().connection_made(transport)
        self._turn("head", self._limits.head_seconds)

    def data_received(self, data: bytes) -> None:
        """Bytes; each phase of a request has its time, and more bytes give it no more."""
        if self._host is None:
            return
        if not self._phase:
            self._turn("head", self._limits.head_seconds)
        super().data_received(data)
        self._follow()

    def connection_lost(self, exc: Exception | None) -> None:
        """Gone."""
        for timer in (self._timer, self._stall):
            if timer is not None:
                timer.cancel()
        if self._host is not None:
            self._crowd.leave(self._host)
            super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """The answer is out; a body that still comes has a moment to end."""
        super().on_response_complete()
        if self.conn.their_state is h11.SEND_BODY:
            # uvicorn waits for the next request, for longer.
            self._unset_keepalive_if_required()
            self._turn("rest", LINGER_SECONDS)
        else:
            self._follow()

    def pause_writing(self) -> None:
        """More than the peer has read lies here."""
        super().pause_writing()
        if self._stall is None:
            self._stall = self.loop.call_later(self._limits.stall_seconds, self._abort, "an answer that nobody reads")

    def resume_writing(self) -> None:
        """It reads."""
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None
        super().resume_writing()

    def _follow(self) -> None:
        """Note what the peer is at now."""
        theirs = self.conn.their_state
        if theirs is h11.SEND_BODY:
            if self._phase != "rest":
                self._turn("body", self._limits.body_seconds)
        elif theirs is h11.IDLE and (self._phase == "rest" or self.conn.trailing_data[0]):
            self._turn("head", self._limits.head_seconds)
        elif theirs is not h11.IDLE or self.timeout_keep_alive_task is not None:
            self._turn("", None)

    def _turn(self, phase: str, seconds: float | None) -> None:
        if phase == self._phase:
            return
        self._phase = phase
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if seconds is None else self.loop.call_later(seconds, self._expire, f"a slow {phase}")

    def _expire(self, why: str) -> None:
        self._crowd.counters[why] += 1
        # What was answered may go out; if the peer doesn't read it, it is not waited for.
        self.transport.close()
        if self._stall is None:
            self._stall = self.loop.call_later(LINGER_SECONDS, self._abort, "an answer that nobody reads")

    def _abort(self, why: str) -> None:
        self._crowd.counters[why] += 1
        self.transport.abort()


def guarded(
    limits: WebLimits, kind: type[GuardedProtocol] = GuardedProtocol, crowd: Crowd | None = None
) -> Callable[..., GuardedProtocol]:
    """What uvicorn makes its connections with."""
    crowd = crowd or Crowd(limits)

    def make(*arguments: Any, **more: Any) -> GuardedProtocol:
        return kind(crowd, *arguments, **more)

    return make
