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


class EdgeError(Exception):
    """The edge can't do it: no port left, terms that can't be read."""
