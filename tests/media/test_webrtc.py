"""The edge for browsers on real sockets: against aiortc's peer connection as a browser, and one leg against another."""

from __future__ import annotations

import asyncio
import fractions
import socket
from collections.abc import AsyncIterator, Callable

import numpy as np
import pytest
from aiortc import AudioStreamTrack, RTCPeerConnection, RTCSessionDescription
from aiortc.codecs import get_capabilities
from av import AudioFrame

from gateway.lab.analysis import dominant
from gateway.lab.audio import decode, tone
from gateway.lab.ports import free_media_ports
from gateway.sdp.browser import browser_of, is_browser, mid_of, plain_of, terms_of
from gateway.sdp.description import MediaDescription, SessionDescription
from gateway.sdp.offer_answer import Negotiation
from gateway.sdp.opus import added, alone, answered, asked
from media.browser import EdgeError, Opus, Plain, Terms
from media.rtp import HEADER
from media.webrtc import Edge, Leg

HOST = "127.0.0.1"
PATIENCE = 15.0


class Party:
    """Where a worker would be."""

    def __init__(self) -> None:
        self.rtp, self.rtcp = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        for one in (self.rtp, self.rtcp):
            one.bind((HOST, 0))
            one.setblocking(False)
        self.end = Plain(HOST, self.rtp.getsockname()[1], self.rtcp.getsockname()[1])

    async def hear(self, one: socket.socket | None = None) -> bytes:
        async with asyncio.timeout(PATIENCE):
            return await asyncio.get_running_loop().sock_recv(one or self.rtp, 2048)

    async def hum(self, leg: Leg, hertz: int) -> None:
        """A tone, 20 ms at a time."""
        loop, codes = asyncio.get_running_loop(), tone(hertz)
        began = loop.time()
        for number in range(10**6):
            start = number * 160 % 8000
            header = HEADER.pack(0x80, 8, number & 0xFFFF, number * 160, 77)
            self.rtp.sendto(header + codes[start : start + 160], (HOST, leg.plain.rtp))
            await asyncio.sleep(began + 0.02 * (number + 1) - loop.time())

    def close(self) -> None:
        self.rtp.close()
        self.rtcp.close()


class Hum(AudioStreamTrack):
    """A microphone that hears a tone."""

    def __init__(self, hertz: int) -> None:
        super().__init__()
        self._hertz = hertz

    async def recv(self) -> AudioFrame:
        blank = await super().recv()
        at = blank.pts + np.arange(blank.samples)
        wave = (9000 * np.sin(2 * np.pi * self._hertz * at / blank.sample_rate)).astype(np.int16)
        frame = AudioFrame.from_ndarray(wave.reshape(1, -1), format="s16", layout="mono")
        frame.pts, frame.sample_rate = blank.pts, blank.sample_rate
        frame.time_base = fractions.Fraction(1, blank.sample_rate)
        return frame


class Browser:
    """aiortc's peer connection with a humming microphone. ``names``: the codecs that it offers."""

    def __init__(self, hertz: int, *names: str) -> None:
        self.peer = RTCPeerConnection()
        self.heard: asyncio.Queue[np.ndarray] = asyncio.Queue()
        self._listening: asyncio.Task[None] | None = None
        self.peer.on("track", self._listen)
        self.peer.addTrack(Hum(hertz))
        wanted = [one for name in names for one in get_capabilities("audio").codecs if one.mimeType == f"audio/{name}"]
        self.peer.getTransceivers()[0].setCodecPreferences(wanted)

    def _listen(self, track: AudioStreamTrack) -> None:
        async def listen() -> None:
            while True:
                frame = await track.recv()
                # One channel, at 8000: nothing but a tone below 4000 is there.
                step = len(frame.layout.channels) * frame.sample_rate // 8000
                self.heard.put_nowait(frame.to_ndarray().reshape(-1)[::step] / 32768.0)

        self._listening = asyncio.ensure_future(listen())

    async def offer(self) -> SessionDescription:
        await self.peer.setLocalDescription(await self.peer.createOffer())
        return SessionDescription.parse(self.peer.localDescription.sdp.encode())

    async def answer(self, offer: SessionDescription) -> SessionDescription:
        await self.peer.setRemoteDescription(RTCSessionDescription(bytes(offer).decode(), "offer"))
        await self.peer.setLocalDescription(await self.peer.createAnswer())
        return SessionDescription.parse(self.peer.localDescription.sdp.encode())

    async def take(self, answer: SessionDescription) -> None:
        await self.peer.setRemoteDescription(RTCSessionDescription(bytes(answer).decode(), "answer"))

    async def hears(self) -> int | None:
        """The tone of the next half second; what came before is thrown away."""
        while not self.heard.empty():
            self.heard.get_nowait()
        found: list[np.ndarray] = []
        async with asyncio.timeout(PATIENCE):
            while sum(map(len, found)) < 4000:
                found.append(await self.heard.get())
        return dominant(np.concatenate(found), (440, 700, 1300))

    async def close(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
        await self.peer.close()


class Stand:
    def __init__(self, legs: int = 4) -> None:
        self.gone: list[Leg] = []
        self.changed = asyncio.Event()
        self.ports = free_media_ports(HOST, legs)
        self.edge = Edge([HOST], self.ports, 0.0, self._gone)
        self.party = Party()

    def _gone(self, leg: Leg) -> None:
        self.gone.append(leg)
        self.changed.set()

    async def close(self) -> None:
        for leg in list(self.edge.legs):
            await self.edge.close(leg)
        self.party.close()


@pytest.fixture
async def stand() -> AsyncIterator[Stand]:
    made = Stand()
    yield made
    await made.close()


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def tone_at(party: Party) -> int | None:
    """The tone of the next half second, which must be A-law."""
    codes = b""
    while len(codes) < 4000:
        packet = await party.hear()
        if packet[1] & 0x7F == 8:
            codes += packet[12:]
    return dominant(decode(codes), (440, 700, 1300))


async def test_a_browser_that_offers(stand: Stand) -> None:
    browser = Browser(700, "PCMA", "telephone-event")
    offer = await browser.offer()
    assert is_browser(offer)
    leg = await stand.edge.open(terms_of(offer))
    phone = Negotiation(1, HOST)
    heard = phone.receive_offer(bytes(plain_of(offer, leg.plain)), stand.party.end.rtp)
    assert (heard.host, heard.port, heard.rtcp_port, heard.codec) == (HOST, leg.plain.rtp, leg.plain.rtcp, 8)
    answer = SessionDescription.parse(phone.answer())
    leg.carry(stand.party.end)
    await browser.take(browser_of(answer, leg.ours, mid_of(offer)))
    humming = asyncio.ensure_future(stand.party.hum(leg, 1300))
    assert await tone_at(stand.party) == 700
    assert await browser.hears() == 1300
    humming.cancel()
    await browser.close()
    async with asyncio.timeout(PATIENCE):
        await stand.changed.wait()
    assert stand.gone == [leg]


async def test_a_browser_that_is_offered_to(stand: Stand) -> None:
    browser = Browser(440, "PCMA", "telephone-event")
    leg = await stand.edge.open()
    phone = Negotiation(1, HOST)
    offer = SessionDescription.parse(phone.offer(stand.party.end.rtp))
    leg.carry(stand.party.end)
    answer = await browser.answer(browser_of(offer, leg.ours))
    leg.start(terms_of(answer))
    heard = phone.receive_answer(bytes(plain_of(answer, leg.plain)))
    assert heard.codec == 8
    humming = asyncio.ensure_future(stand.party.hum(leg, 1300))
    assert await tone_at(stand.party) == 440
    assert await browser.hears() == 1300
    humming.cancel()
    await browser.close()


async def opus_call(stand: Stand, browser: Browser, leg: Leg) -> None:
    humming = asyncio.ensure_future(stand.party.hum(leg, 1300))
    try:
        assert await tone_at(stand.party) == 700
        assert await browser.hears() == 1300
    finally:
        humming.cancel()
        await browser.close()


async def test_a_browser_that_offers_opus_alone(stand: Stand) -> None:
    browser = Browser(700, "opus")
    offer = await browser.offer()
    opus = asked(offer.media[0])
    assert opus is not None
    leg = await stand.edge.open(terms_of(offer))
    leg.code(opus)
    phone = Negotiation(1, HOST)
    heard = phone.receive_offer(bytes(plain_of(offer, leg.plain, opus)), stand.party.end.rtp)
    assert heard.codec == 8
    leg.carry(stand.party.end)
    answer = SessionDescription.parse(phone.answer())
    await browser.take(browser_of(answer, leg.ours, mid_of(offer), lambda audio: alone(audio, opus)[0]))
    await opus_call(stand, browser, leg)


async def test_a_browser_that_answers_with_opus_alone(stand: Stand) -> None:
    browser = Browser(700, "opus")
    leg = await stand.edge.open()
    phone = Negotiation(1, HOST)
    offered: list[Opus] = []

    def told(audio: MediaDescription) -> MediaDescription:
        made, opus = added(audio)
        offered.append(opus)
        return made

    offer = SessionDescription.parse(phone.offer(stand.party.end.rtp))
    leg.carry(stand.party.end)
    answer = await browser.answer(browser_of(offer, leg.ours, spoken=told))
    leg.start(terms_of(answer))
    opus = answered(answer.media[0], offered[0])
    leg.code(opus)
    assert phone.receive_answer(bytes(plain_of(answer, leg.plain, opus))).codec == 8
    await opus_call(stand, browser, leg)


async def pair(stand: Stand, other: Party) -> tuple[Leg, Leg]:
    """Two legs of the edge, each a browser to the other."""
    offering = await stand.edge.open()
    answering = await stand.edge.open(offering.ours)
    offering.start(answering.ours)
    offering.carry(stand.party.end)
    answering.carry(other.end)
    await until(lambda: offering.connected and answering.connected)
    return offering, answering


async def test_packets_pass_as_they_are(stand: Stand) -> None:
    other = Party()
    first, second = await pair(stand, other)
    audio = HEADER.pack(0x80, 8, 65535, 123456, 0xABCDEF01) + bytes(range(160))
    event = HEADER.pack(0x80, 0x80 | 101, 0, 123616, 0xABCDEF01) + bytes((5, 0x8A, 3, 0x20))
    report = bytes.fromhex("80c90001deadbeef")
    for packet in (audio, event):
        stand.party.rtp.sendto(packet, (HOST, first.plain.rtp))
        assert await other.hear() == packet
        other.rtp.sendto(packet, (HOST, second.plain.rtp))
        assert await stand.party.hear() == packet
    stand.party.rtcp.sendto(report, (HOST, first.plain.rtcp))
    assert await other.hear(other.rtcp) == report
    counts = stand.edge.counts()
    assert (counts.connected, counts.packets_in, counts.packets_out, counts.octets_in) == (2, 4, 4, 2 * (172 + 16))
    other.close()


async def test_only_the_worker_is_heard(stand: Stand) -> None:
    other, stranger = Party(), Party()
    first, _ = await pair(stand, other)
    strange, good = (HEADER.pack(0x80, 8, 1, 160, ssrc) + bytes(160) for ssrc in (1, 2))
    stranger.rtp.sendto(strange, (HOST, first.plain.rtp))
    stand.party.rtp.sendto(b"x", (HOST, first.plain.rtp))
    stand.party.rtp.sendto(good, (HOST, first.plain.rtp))
    assert await other.hear() == good
    other.close()
    stranger.close()


async def test_a_stranger_with_another_certificate_is_not_let_in(stand: Stand) -> None:
    offering = await stand.edge.open()
    answering = await stand.edge.open(offering.ours)
    theirs = answering.ours
    wrong = Terms(
        ufrag=theirs.ufrag,
        password=theirs.password,
        candidates=theirs.candidates,
        fingerprints=("sha-256 " + ":".join(["00"] * 32),),
        setup=theirs.setup,
    )
    offering.start(wrong)
    async with asyncio.timeout(PATIENCE):
        await stand.changed.wait()
    assert offering in stand.gone
    assert not offering.connected
    assert stand.edge.counts().failed["dtls"] >= 1


async def test_a_browser_whose_socket_is_closed_is_gone_when_it_is_silent(stand: Stand) -> None:
    other = Party()
    first, second = await pair(stand, other)
    first.watch(1.0)
    for number in range(60):
        other.rtp.sendto(HEADER.pack(0x80, 8, number, 160 * number, 1) + bytes(160), (HOST, second.plain.rtp))
        await stand.party.hear()
        await asyncio.sleep(0.02)
    assert stand.gone == []
    async with asyncio.timeout(PATIENCE):
        await stand.changed.wait()
    assert stand.gone == [first]
    other.close()


async def test_ports_are_those_of_the_range_and_are_given_back(stand: Stand) -> None:
    low, high = stand.ports
    legs = [await stand.edge.open() for _ in range(4)]
    ports = [int(leg.ours.candidates[0].split()[5]) for leg in legs]
    assert len(set(ports)) == 4
    assert all(low <= port <= high for port in ports)
    with pytest.raises(EdgeError, match="no port"):
        await stand.edge.open()
    await stand.edge.close(legs[0])
    again = await stand.edge.open()
    assert int(again.ours.candidates[0].split()[5]) == ports[0]


async def test_a_port_that_another_program_has_is_passed_over(stand: Stand) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind((HOST, stand.ports[0]))
        leg = await stand.edge.open()
        assert int(leg.ours.candidates[0].split()[5]) == stand.ports[0] + 2


async def test_an_address_that_is_not_ours(stand: Stand) -> None:
    with pytest.raises(EdgeError, match=r"port \d+"):
        await Edge(["198.51.100.1"], stand.ports, 0.0).open()


@pytest.mark.parametrize("change", [{"fingerprints": ()}, {"fingerprints": ("md5 00",)}, {"ufrag": ""}])
async def test_terms_that_are_none(stand: Stand, change: dict[str, object]) -> None:
    good = {"ufrag": "abcd", "password": "x" * 22, "candidates": ("nonsense",), "setup": "actpass",
            "fingerprints": ("sha-256 00",)}  # fmt: skip
    with pytest.raises(EdgeError):
        await stand.edge.open(Terms(**{**good, **change}))  # type: ignore[arg-type]
    assert not stand.edge.legs
