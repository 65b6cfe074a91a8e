"""[IO] The edge's process as the signalling process sees it: spawn, talk, notice an end, spawn again.

``Bridge`` lets the messages of WebSockets cross (crossing.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

import structlog

from gateway.browsers.crossing import Crossing, Inward, Output, Outward
from gateway.sip.endpoint import Endpoint
from gateway.sip.hop import Hop
from media.browser import Command, EdgeCounts, LegFailed, Report, decode_report, encode

_log = structlog.get_logger()
_LIMIT = 65536
_FULL = 4 * 2**20
RESPAWN_SECONDS = 1.0
END_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class EdgeSettings:
    """``addresses``: where the edge binds, and what browsers are told unless ``advertised`` says so for each of them.
    ``ports``: its range; one rests for ``rest`` seconds after a leg. ``stun``: host:port of a server, or ""."""

    addresses: tuple[str, ...]
    ports: tuple[int, int]
    rest: float
    advertised: tuple[str, ...] = ()
    stun: str = ""

    def arguments(self) -> list[str]:
        """For the process."""
        low, high = self.ports
        return [
            *("--addresses", ",".join(self.addresses), "--advertised", ",".join(self.advertised)),
            *("--ports", f"{low}-{high}", "--rest", str(self.rest), "--stun", self.stun),
        ]


class EdgeLine:
    """``on_report`` for each report, ``on_gone`` when the process has ended, which is then replaced."""

    def __init__(
        self,
        settings: EdgeSettings,
        on_report: Callable[[Report | EdgeCounts], None],
        on_gone: Callable[[], None],
    ) -> None:
        self._arguments = settings.arguments()
        self._on_report = on_report
        self._on_gone = on_gone
        self._process: asyncio.subprocess.Process | None = None
        self._control: socket.socket | None = None
        self._keeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Spawn it. OSError when it can't be."""
        await self._spawn()
        self._keeper = asyncio.get_running_loop().create_task(self._keep())

    async def stop(self) -> None:
        """It ends when its socket does."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        self._hang_up()
        if self._process is not None and self._process.returncode is None:
            try:
                async with asyncio.timeout(END_SECONDS):
                    await self._process.wait()
            except TimeoutError:
                self._process.kill()
                await self._process.wait()

    def send(self, command: Command) -> None:
        """To a process that is gone, or doesn't read any more, it is dropped: ``on_gone`` tells."""
        if self._control is None:
            return
        try:
            self._control.send(encode(command))
        except BlockingIOError:
            _log.error("the edge for browsers does not keep up")
            if self._process is not None:
                with contextlib.suppress(ProcessLookupError):
                    self._process.kill()
        except OSError:
            pass

    async def _spawn(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _FULL)
        with theirs:
            try:
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    *("-m", "media.edge", "--control-fd", str(theirs.fileno()), *self._arguments),
                    pass_fds=(theirs.fileno(),),
                    stdin=asyncio.subprocess.DEVNULL,
                )
            except OSError:
                ours.close()
                raise
        self._control = ours
        asyncio.get_running_loop().add_reader(ours.fileno(), self._read)

    async def _keep(self) -> None:
        while True:
            assert self._process is not None
            status = await self._process.wait()
            self._hang_up()
            _log.error("the edge for browsers ended", status=status)
            self._on_gone()
            while self._control is None:
                await asyncio.sleep(RESPAWN_SECONDS)
                try:
                    await self._spawn()
                except OSError as error:
                    _log.error("the edge for browsers could not be started", error=error.strerror)

    def _hang_up(self) -> None:
        if self._control is not None:
            asyncio.get_running_loop().remove_reader(self._control.fileno())
            self._control.close()
            self._control = None

    def _read(self) -> None:
        while self._control is not None:
            try:
                data = self._control.recv(_LIMIT)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                data = b""
            if not data:
                # The process is ending; _keep tells. Reading on would spin.
                asyncio.get_running_loop().remove_reader(self._control.fileno())
                return
            self._on_report(decode_report(data))


class Bridge:
    """Carries out what a Crossing says, between an endpoint and the edge's process. ``counts``: what that said last;
    ``unopened``: legs that it could not open; ``ended``: how often it ended."""

    def __init__(self, endpoint: Endpoint, settings: EdgeSettings) -> None:
        self._endpoint = endpoint
        self._crossing = Crossing()
        self._line = EdgeLine(settings, self._report, self._edge_gone)
        self.counts = EdgeCounts()
        self.unopened = self.ended = 0

    async def start(self) -> None:
        """Spawn the edge and stand in between. OSError."""
        if find_spec("aiortc") is None:
            raise OSError("aiortc is not installed: pip install 'maskline[webrtc]'")
        await self._line.start()
        self._endpoint.crossing = self

    async def stop(self) -> None:
        """Step aside."""
        self._endpoint.crossing = None
        await self._line.stop()

    def receive(self, data: bytes, source: Hop) -> None:
        """From a browser."""
        self._execute(self._crossing.receive(data, source, time.monotonic()))

    def send(self, data: bytes, hop: Hop) -> None:
        """To a browser."""
        self._execute(self._crossing.send(data, hop, time.monotonic()))

    def closed(self, hop: Hop) -> None:
        """A WebSocket is gone."""
        self._execute(self._crossing.closed(hop))

    def _edge_gone(self) -> None:
        self.counts = EdgeCounts()
        self.ended += 1
        self._execute(self._crossing.edge_gone())

    def _report(self, report: Report | EdgeCounts) -> None:
        if isinstance(report, EdgeCounts):
            self.counts = report
            return
        if isinstance(report, LegFailed):
            self.unopened += 1
            _log.warning("no leg for a browser", why=report.why)
        self._execute(self._crossing.report(report, time.monotonic()))

    def _execute(self, outputs: Sequence[Output]) -> None:
        for output in outputs:
            match output:
                case Inward(data, hop):
                    self._endpoint.arrived(data, hop)
                case Outward(data, hop):
                    self._endpoint.transport.send(data, hop)
                case command:
                    self._line.send(command)
