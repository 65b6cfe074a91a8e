"""[IO] Drives a pure SIP core on real sockets: one match over outputs, one armed timer.

Nothing escapes a receive callback: a fault of ours is counted, logged once a minute with its traceback, and the message
is dropped.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from math import ceil
from typing import Any, Protocol

import structlog

from gateway.sip.gate import Gate
from gateway.sip.hop import Hop
from gateway.sip.outputs import KeepAlive, Offence
from gateway.sip.overload import Overload
from gateway.sip.pace import Pace
from gateway.sip.transaction import Transmit
from gateway.sip.transport import Transport

_log = structlog.get_logger()
LOG_EVERY = 60.0
FAULT_PAUSE = 0.1
PING = b"\r\n\r\n"
HELD_SECONDS = 0.005
GRAIN = 0.02
"""Timers that fall due within so many seconds ring together: a call has ten, most of them to forget transactions, and
to wake for each alone costs more than what is to be done then. None of SIP's needs to be as exact (RFC 3261 §17)."""
WEB = ("ws", "wss")


class Core(Protocol):
    """A pure machine that speaks SIP: a UserAgent, or something that holds one."""

    @property
    def deadline(self) -> float | None:
        """When ``handle_timeout`` is due, on the monotonic clock."""

    def handle_timeout(self, now: float) -> Sequence[Any]:
        """Do what is due."""

    def receive_message(self, data: bytes, source: Hop, now: float) -> Sequence[Any]:
        """A message."""

    def refuse_new(self, data: bytes, source: Hop, now: float) -> Sequence[Any]:
        """A message that begins something, and has waited too long."""

    def receive_malformed(self, data: bytes, source: Hop, now: float) -> Sequence[Any]:
        """Bytes of a stream that can't be framed."""

    def transport_failed(self, hop: Hop, now: float) -> Sequence[Any]:
        """A hop that can't be reached."""

    def connection_closed(self, hop: Hop, now: float) -> Sequence[Any]:
        """A connection is gone."""


class Watch(Protocol):
    """Sees every message as it comes and as it goes; it must not raise and not wait."""

    def received(self, data: bytes, source: Hop) -> None:
        """A message has come from ``source``."""

    def sent(self, data: bytes, target: Hop) -> None:
        """A message goes to ``target``."""


class Crossing(Protocol):
    """Takes the messages of WebSockets on their way, and gives them back by ``Endpoint.arrived`` and ``.depart``."""

    def receive(self, data: bytes, source: Hop) -> None:
        """A message has come from ``source``."""

    def send(self, data: bytes, hop: Hop) -> None:
        """A message is to go to ``hop``."""

    def closed(self, hop: Hop) -> None:
        """A WebSocket is gone."""


class Endpoint:
    """``on_outputs`` gets what isn't ``Transmit``. Start with ``await start(listen)``; ``bound`` names the sockets.

    ``waiting`` says how many look-ups are under way, for ``overload``.
    """

    def __init__(
        self,
        core: Core,
        on_outputs: Callable[[list[Any]], None],
        gate: Gate,
        watch: Watch | None = None,
        waiting: Callable[[], int] = lambda: 0,
        **limits: Any,
    ) -> None:
        self._core = core
        self._waiting = waiting
        self.overload = Overload()
        self._turning: asyncio.Handle | None = None
        self._pace = Pace()
        self._resting = False
        self._watch = watch
        self._on_outputs = on_outputs
        self.crossing: Crossing | None = None
        self.transport = Transport(
            on_message=self._hear,
            on_malformed=self._malformed,
            on_failed=lambda hop: self._guarded(core.transport_failed, hop),
            on_closed=self._closed,
            gate=gate,
            **limits,
        )
        self.faults = 0
        self._logged_at = float("-inf")
        self._timer: asyncio.TimerHandle | None = None
        self._armed = 0.0
        self._stopped = False

    async def start(self, listen: Sequence[Hop]) -> None:
        """Bind the sockets; OSError when one can't be had."""
        await self.transport.start(listen)

    @property
    def bound(self) -> list[Hop]:
        """The sockets as bound."""
        return self.transport.bound

    def execute(self, outputs: Sequence[Any]) -> None:
        """Carry out outputs of the core, and arm the timer anew."""
        others: list[Any] = []
        watch = self._watch
        try:
            for output in outputs:
                if isinstance(output, Transmit):
                    if watch is not None:
                        watch.sent(output.data, output.hop)
                    if self.crossing is not None and output.hop.transport in WEB:
                        self.crossing.send(output.data, output.hop)
                    else:
                        self.transport.send(output.data, output.hop)
                elif isinstance(output, KeepAlive):
                    self.transport.send(PING, output.hop)
                elif isinstance(output, Offence):
                    self.transport.strike(output.source.host, output.offence)
                else:
                    others.append(output)
            if others:
                self._on_outputs(others)
        finally:
            self._arm()

    async def stop(self) -> None:
        """Close the sockets; no timer runs any more."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
        if self._turning is not None:
            self._turning.cancel()
        await self.transport.stop()

    def arrived(self, data: bytes, source: Hop) -> None:
        """A message is there for the core."""
        overload = self.overload
        if overload.waits(data):
            overload.put(data, source, time.monotonic())
            if self._turning is None:
                self._turning = asyncio.get_running_loop().call_soon(self._turn)
            return
        if overload.shed and overload.is_over(data):
            if self._watch is not None:
                self._watch.received(data, source)
            return
        overload.done += 1
        self._guarded(self._receive, data, source)

    def _hear(self, data: bytes, source: Hop) -> None:
        self._pace.note()
        if not self._resting:
            self._resting = True
            asyncio.get_running_loop().call_soon(self._rest)
        if self.crossing is not None and source.transport in WEB:
            self.crossing.receive(data, source)
        else:
            self.arrived(data, source)

    def _rest(self) -> None:
        """The turn of the loop in which messages came is over."""
        self._resting = False
        if not self.overload:
            seconds = self._pace.rest(time.monotonic())
            if seconds:
                time.sleep(seconds)

    def _closed(self, hop: Hop) -> None:
        self._guarded(self._core.connection_closed, hop)
        if self.crossing is not None and hop.transport in WEB:
            self.crossing.closed(hop)

    def _malformed(self, data: bytes, source: Hop) -> None:
        """The connection will be closed now: what has come by it before is answered first."""
        for one in self.overload.leave(source):
            self._guarded(self._refuse if self.overload.shedding else self._receive, one.data, source)
        self._guarded(self._core.receive_malformed, data, source)

    def _receive(self, data: bytes, source: Hop, now: float) -> Sequence[Any]:
        if self._watch is not None:
            self._watch.received(data, source)
        return self._core.receive_message(data, source, now)

    def _refuse(self, data: bytes, source: Hop, now: float) -> Sequence[Any]:
        if self._watch is not None:
            self._watch.received(data, source)
        return self._core.refuse_new(data, source, now)

    def _turn(self) -> None:
        """What was read in this turn and belongs to calls is done: now what is new."""
        overload, now = self.overload, time.monotonic()
        turn = overload.turn(now, self._waiting())
        for one in turn.refused:
            self._guarded(self._refuse, one.data, one.source)
        for one in turn.taken:
            self._guarded(self._receive, one.data, one.source)
        turned = overload.turned(now)
        if turned is not None:
            _log.warning("new calls are shed" if turned else "new calls are taken again", shed=overload.shed)
        loop = asyncio.get_running_loop()
        if not overload:
            self._turning = None
        elif turn.again or turn.taken or turn.refused:
            self._turning = loop.call_soon(self._turn)
        else:
            self._turning = loop.call_later(HELD_SECONDS, self._turn)

    def _guarded(self, act: Callable[..., Sequence[Any]], *arguments: Any) -> None:
        try:
            self.execute(act(*arguments, time.monotonic()))
        except Exception:
            self.faults += 1
            # A timer that fails stays due: without a pause the loop would do nothing else.
            self._arm(FAULT_PAUSE)
            now = time.monotonic()
            if now - self._logged_at >= LOG_EVERY:
                self._logged_at = now
                _log.exception("a fault of ours in the SIP core", faults=self.faults)

    def _arm(self, pause: float = 0.0) -> None:
        """Wake at the end of the GRAIN in which something falls due; a timer that is set for sooner will look again."""
        deadline = self._core.deadline
        if deadline is None or self._stopped:
            return
        due = GRAIN * ceil(deadline / GRAIN)
        if self._timer is not None:
            if self._armed <= due:
                return
            self._timer.cancel()
        self._armed = due
        self._timer = asyncio.get_running_loop().call_later(max(pause, due - time.monotonic()), self._fire)

    def _fire(self) -> None:
        self._timer = None
        self._guarded(self._core.handle_timeout)
        # An event loop's clock may be a little behind the monotonic one: nothing was due yet, so look again.
        self._arm()
