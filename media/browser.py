"""What the edge for browsers is told and tells of one stream of audio between a browser and a worker.

    browser  <- ICE, DTLS-SRTP, RTP and RTCP on one port ->  edge (webrtc.py)  <- plain RTP, RTCP on loopback ->  worker

``Terms`` is what either end of the browser's side says of itself; who writes it as SDP and reads it from there is the
signalling. The edge takes a port of its range for each leg, the same at each of its addresses.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Setup = Literal["actpass", "active", "passive"]


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """ICE (RFC 8839) and DTLS (RFC 8842) as one end states them.

    ``candidates``: values of ``a=candidate``. ``fingerprints``: values of ``a=fingerprint``, ``sha-256 AB:CD...``.
    ``setup``: who begins the handshake: the answerer says ``active`` (it does) or ``passive``.
    """

    ufrag: str
    password: str
    candidates: tuple[str, ...]
    fingerprints: tuple[str, ...]
    setup: Setup

    def __repr__(self) -> str:
        return f"<Terms {self.setup}, {len(self.candidates)} candidates>"


class Plain(msgspec.Struct, frozen=True):
    """An end of the plain side: an IP literal, and the ports of RTP and of RTCP."""

    host: str
    rtp: int
    rtcp: int


class Opus(msgspec.Struct, frozen=True, kw_only=True):
    """What a browser calls Opus and its telephone-events, and what the worker calls those (opus.py).

    ``payload``: the payload type of Opus. ``events``: the browser's of telephone-event, whose ticks are of ``clock``,
    and ``plain`` the worker's; -1: none. ``sends``: Opus is all that the browser takes; without, it takes A-law, and
    might only send Opus.
    """

    payload: int
    events: int = -1
    clock: int = 48000
    plain: int = -1
    sends: bool = True


class EdgeError(Exception):
    """The edge can't do it: no port left, terms that can't be read."""


class _Message(msgspec.Struct, frozen=True, tag=True):
    """Base of everything between the signalling process and the edge's. ``leg``: a number that is used once."""

    leg: int


class OpenLeg(_Message, frozen=True):
    """Answer a browser's terms, or offer to one: answered by LegOpened or LegFailed."""

    theirs: Terms | None = None


class StartLeg(_Message, frozen=True):
    """A browser's answer."""

    theirs: Terms


class CarryLeg(_Message, frozen=True):
    """Where the worker is."""

    worker: Plain


class CodeLeg(_Message, frozen=True):
    """What is to be converted from now on; None: nothing."""

    opus: Opus | None


class WatchLeg(_Message, frozen=True):
    """Nothing else would tell of its end: LegGone when nothing has been heard of the browser for so long."""

    seconds: float


class CloseLeg(_Message, frozen=True):
    """It is over; not answered, and no harm when it is unknown."""


class LegOpened(_Message, frozen=True):
    """What the browser is told, and where the worker sends to."""

    ours: Terms
    plain: Plain


class LegFailed(_Message, frozen=True):
    """It could not be opened."""

    why: str


class LegGone(_Message, frozen=True):
    """The browser can't be reached, or not any more. The leg wants to be closed."""


class EdgeCounts(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What the edge has counted since it began (flow.py); ``opening``, ``connected``: legs that stand; its tasks."""

    opening: int = 0
    connected: int = 0
    failed: dict[str, int] = {}
    packets_in: int = 0
    packets_out: int = 0
    octets_in: int = 0
    octets_out: int = 0
    lost: int = 0
    stun_failed: int = 0
    tasks: int = 0


Command = OpenLeg | StartLeg | CarryLeg | CodeLeg | WatchLeg | CloseLeg
Report = LegOpened | LegFailed | LegGone

encode = msgspec.msgpack.Encoder().encode
_commands: msgspec.msgpack.Decoder[Command] = msgspec.msgpack.Decoder(Command)
_reports: msgspec.msgpack.Decoder[Report | EdgeCounts] = msgspec.msgpack.Decoder(Report | EdgeCounts)


def decode_command(data: bytes) -> Command:
    """What ``encode`` made of a command."""
    return _commands.decode(data)


def decode_report(data: bytes) -> Report | EdgeCounts:
    """Likewise of a report."""
    return _reports.decode(data)
