"""[IO] The edge for browsers: a leg speaks ICE and DTLS-SRTP on one side, plain RTP with a worker on the other.

    Edge.open(theirs)      a leg with its ports: answers a browser's terms, or offers when there are none yet
    Leg.start(theirs)      the browser's answer to our offer: ICE, then DTLS, then audio
    Leg.carry(worker)      the worker's end is known, or has changed
    Leg.code(opus)         Opus is what the browser speaks: converted (opus.py)
    Leg.watch(seconds)     its socket is closed: it is gone when nothing is heard of it for so long
    Leg.close()            its port rests

Packets pass as they are, both ways, and RTCP with them: A-law isn't touched, telephone-event stays what it is, sequence
numbers and SSRC are their sender's (of Opus, where that was agreed, only they are: opus.py). So the worker does for a
browser what it does for a trunk. What comes while the other end isn't there yet is dropped: later it would be late.

aiortc does ICE, DTLS and SRTP. Its peer connection would decode every packet and encode it anew, so this stands one
layer lower, on its transports; names that it keeps for itself are used, hence one minor version in pyproject.toml.
A candidate whose name is mDNS's is passed over: the browser's own checks tell where it is (RFC 8445 §7.3.1.3).
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import time
from collections.abc import Callable, Sequence

import pylibsrtp
from aioice import Candidate
from aiortc import (
    RTCCertificate,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCDtlsTransport,
    RTCIceGatherer,
    RTCIceParameters,
    RTCIceTransport,
)

from media.browser import EdgeCounts, EdgeError, Opus, Plain, Setup, Terms
from media.candidates import Ice, Stun
from media.flow import Flow, Totals
from media.opus import Transcoder
from media.ports import PortPool

CONNECT_SECONDS = 20.0
_LOOPBACK = "127.0.0.1"
_LONGEST = 2048
_MOST_CANDIDATES = 16
_TRIES = 4


class _Dtls(RTCDtlsTransport):
    """Hands on what it has opened as it is, instead of taking it apart for receivers."""

    def __init__(self, ice: RTCIceTransport, on_rtp: Callable[[bytes], None], on_rtcp: Callable[[bytes], None]) -> None:
        super().__init__(ice, [RTCCertificate.generateCertificate()])
        self._on_rtp = on_rtp
        self._on_rtcp = on_rtcp

    async def _handle_rtp_data(self, data: bytes, arrival_time_ms: int) -> None:
        self._on_rtp(data)

    async def _handle_rtcp_data(self, data: bytes) -> None:
        self._on_rtcp(data)


class Leg:
    """One browser's. ``ours``: our terms; ``plain``: where a worker sends to. Made by Edge.open. ``on_gone`` gets why:
    ice, dtls (it never came to stand), lost, silent."""

    def __init__(self, ice: Ice, answering: Terms | None, on_gone: Callable[[str], None]) -> None:
        gatherer = RTCIceGatherer(iceServers=[])
        gatherer._connection = ice
        self._connection = ice
        self._ice = RTCIceTransport(gatherer)
        self._rtp, self._rtcp = _plain_socket(), _plain_socket()
        self._coder: Transcoder | None = None
        self.flow = Flow()
        self._to_worker, self._reports = _sending(self._rtp), _sending(self._rtcp)
        self._dtls = _Dtls(self._ice, self._inward, self._reports_inward)
        self._on_gone = on_gone
        self._offered = answering is None
        self._begins = answering is not None and answering.setup != "active"
        self._tasks: list[asyncio.Task[None]] = []
        self._started = self._carrying = False
        self._heard = 0.0
        self.plain = Plain(_LOOPBACK, self._rtp.getsockname()[1], self._rtcp.getsockname()[1])

    @property
    def ours(self) -> Terms:
        """What the browser is told."""
        answer: Setup = "active" if self._begins else "passive"
        return Terms(
            ufrag=self._connection.local_username,
            password=self._connection.local_password,
            candidates=self._connection.told(),
            fingerprints=tuple(
                f"{one.algorithm} {one.value}"
                for one in self._dtls.getLocalParameters().fingerprints
                if one.algorithm == "sha-256"
            ),
            setup="actpass" if self._offered else answer,
        )

    @property
    def connected(self) -> bool:
        """Whether audio can pass."""
        return self._dtls.state == "connected"

    def start(self, theirs: Terms) -> None:
        """The browser's terms are known, and stay so (its offers may repeat them). EdgeError when they can't be."""
        if not self._started:
            self._started = True
            if self._offered:
                self._begins = theirs.setup == "passive"
            self._tasks.append(asyncio.get_running_loop().create_task(self._connect(*_read(theirs))))

    def carry(self, worker: Plain) -> None:
        """Where the worker is, which alone is heard."""
        self._rtp.connect((worker.host, worker.rtp))
        self._rtcp.connect((worker.host, worker.rtcp))
        if not self._carrying:
            self._carrying = True
            self._tasks += [asyncio.get_running_loop().create_task(self._pump(one)) for one in (self._rtp, self._rtcp)]

    def code(self, opus: Opus | None) -> None:
        """What is to be converted; it may be said again."""
        if opus is None:
            self._coder = None
        elif self._coder is None or self._coder.opus != opus:
            self._coder = Transcoder(opus)

    def watch(self, seconds: float) -> None:
        """Nobody else would notice: it is gone once nothing has been heard of it for so long, from now on."""
        self._tasks.append(asyncio.get_running_loop().create_task(self._watch(seconds)))

    async def _watch(self, seconds: float) -> None:
        began = time.monotonic()
        left = seconds
        while left > 0:
            await asyncio.sleep(left)
            left = max(began, self._heard, self._connection.heard) + seconds - time.monotonic()
        self._on_gone("silent")

    async def close(self) -> None:
        """Nothing of it is left, and nothing more is told of it."""
        self._dtls.remove_all_listeners()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._dtls.stop()
        await self._ice.stop()
        self._rtp.close()
        self._rtcp.close()

    async def _connect(self, ice: RTCIceParameters, candidates: list[Candidate], dtls: RTCDtlsParameters) -> None:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                for candidate in candidates:
                    await self._connection.add_remote_candidate(candidate)
                await self._ice.start(ice)
                if self._ice.state == "completed":
                    self._dtls._set_role("client" if self._begins else "server")
                    await self._dtls.start(dtls)
        except TimeoutError:
            pass
        if self.connected:
            self._dtls.on("statechange", lambda: self._on_gone("lost"))
        else:
            self._on_gone("dtls" if self._ice.state == "completed" else "ice")

    async def _pump(self, plain: socket.socket) -> None:
        """What the worker says, to the browser."""
        loop = asyncio.get_running_loop()
        while True:
            # Refused: a worker that isn't there (any more) is no end of the leg. The others: no packet, or late.
            with contextlib.suppress(OSError, pylibsrtp.Error):
                data: bytes | None = await loop.sock_recv(plain, _LONGEST)
                if data is None or len(data) < 2 or not self.connected:
                    continue
                if self._coder is not None:
                    coder = self._coder
                    data = coder.outward(data) if plain is self._rtp else coder.reports_outward(data)
                if data is not None:
                    if plain is self._rtp:
                        self.flow.went(data)
                    await self._dtls._send_rtp(data)

    def _inward(self, data: bytes) -> None:
        """What the browser says, to the worker."""
        self._heard = time.monotonic()
        self.flow.came(data)
        packet = data if self._coder is None else self._coder.inward(data)
        if packet is not None:
            self._to_worker(packet)

    def _reports_inward(self, data: bytes) -> None:
        self._reports(data if self._coder is None else self._coder.reports_inward(data))


class Edge:
    """``addresses``: where browsers reach us, the best first. ``ports``: the even ones of this range, one for each leg,
    which then rests for ``rest`` seconds. ``on_gone``: the browser of a leg can't be reached, or not any more.
    ``advertised``: what browsers are told instead of each address (a NAT that keeps ports); ``stun``: who is asked."""

    def __init__(
        self,
        addresses: Sequence[str],
        ports: tuple[int, int],
        rest: float,
        on_gone: Callable[[Leg], None] = lambda leg: None,
        *,
        advertised: Sequence[str] = (),
        stun: Stun | None = None,
    ) -> None:
        self._addresses = addresses
        self._advertised = advertised or addresses
        self._stun = stun
        self._ports = PortPool(*ports, rest)
        self._on_gone = on_gone
        self.legs: dict[Leg, int] = {}
        self.totals = Totals()

    async def open(self, theirs: Terms | None = None) -> Leg:
        """A leg for a browser that offers ``theirs``, which begins at once; or one to offer to a browser. EdgeError."""
        if theirs is not None:
            _read(theirs)
        port, ice = await self._bind(controlling=theirs is None)
        try:
            leg = Leg(ice, theirs, lambda why: self._gone(leg, why))
        except OSError as error:
            await ice.close()
            self._ports.give_back(port, time.monotonic())
            raise EdgeError(f"no plain port: {error.strerror}") from error
        self.legs[leg] = port
        if theirs is not None:
            leg.start(theirs)
        return leg

    def _gone(self, leg: Leg, why: str) -> None:
        self.totals.failed[why] += 1
        self._on_gone(leg)

    async def _bind(self, controlling: bool) -> tuple[int, Ice]:
        """A port that nobody else has; the offerer controls (RFC 8445 §6.1.1)."""
        why = "no port is free"
        for _ in range(_TRIES):
            port = self._ports.take(time.monotonic())
            if port is None:
                break
            ice = Ice(self._addresses, port, controlling, advertised=self._advertised, stun=self._stun)
            try:
                await ice.gather_candidates()
            except OSError as error:
                await ice.close()
                self._ports.give_back(port, time.monotonic())
                why = f"port {port}: {error.strerror}"
            else:
                return port, ice
        raise EdgeError(why)

    async def close(self, leg: Leg) -> None:
        """It is over."""
        port = self.legs.pop(leg, None)
        if port is not None:
            self.totals.settle(leg.flow)
            await leg.close()
            self._ports.give_back(port, time.monotonic())

    def counts(self) -> EdgeCounts:
        """What it has counted."""
        packets_in, packets_out, octets_in, octets_out, lost = self.totals.sums([leg.flow for leg in self.legs])
        connected = sum(leg.connected for leg in self.legs)
        return EdgeCounts(
            opening=len(self.legs) - connected,
            connected=connected,
            failed=dict(self.totals.failed),
            packets_in=packets_in,
            packets_out=packets_out,
            octets_in=octets_in,
            octets_out=octets_out,
            lost=lost,
            stun_failed=self._stun.failed if self._stun is not None else 0,
            tasks=len(asyncio.all_tasks()),
        )


def _plain_socket() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setblocking(False)
    made.bind((_LOOPBACK, 0))
    return made


def _sending(plain: socket.socket) -> Callable[[bytes], None]:
    def send(data: bytes) -> None:
        # Nowhere to send to yet, nobody there, or full: a packet is lost.
        with contextlib.suppress(OSError):
            plain.send(data)

    return send


def _read(theirs: Terms) -> tuple[RTCIceParameters, list[Candidate], RTCDtlsParameters]:
    """Terms in the words of aiortc. EdgeError when they can't be read."""
    candidates = []
    for text in theirs.candidates[:_MOST_CANDIDATES]:
        try:
            candidate = Candidate.from_sdp(text)
            ipaddress.ip_address(candidate.host)
        except (ValueError, IndexError):
            continue
        if candidate.component == 1 and candidate.transport.lower() == "udp":
            candidates.append(candidate)
    prints = [one.partition(" ") for one in theirs.fingerprints]
    known = [RTCDtlsFingerprint(name.lower(), value) for name, _, value in prints if name.lower() in _DIGESTS]
    if not known or not theirs.ufrag or not theirs.password:
        raise EdgeError("no ICE, or no fingerprint that we know")
    return RTCIceParameters(theirs.ufrag, theirs.password), candidates, RTCDtlsParameters(known)


_DIGESTS = ("sha-256", "sha-384", "sha-512")
