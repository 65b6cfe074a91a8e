"""One dialog with a browser as it stands in crossing.py: what is known of it, its codecs, its end."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.browsers.parting import Parting
from gateway.sdp.browser import audio_of
from gateway.sdp.description import MediaDescription, SessionDescription
from gateway.sdp.opus import added, alone, answered, asked
from gateway.sip.hop import Hop
from gateway.sip.message import Request, Response
from media.browser import LegOpened, Opus, Setup, Terms

OFFERS = ("INVITE", "UPDATE")


@dataclass(frozen=True, slots=True)
class Inward:
    """A message for the core."""

    data: bytes
    hop: Hop


@dataclass(frozen=True, slots=True)
class Outward:
    """A message for the transport."""

    data: bytes
    hop: Hop


Passing = Inward | Outward


@dataclass(slots=True)
class Dialog:
    """``hop``: where the browser was last; ``closed``: that socket is. ``opened``: what the edge said; None while it is
    being asked. ``role``: ours in DTLS, once that is settled. ``opus``: what the edge converts; ``offered``: what our
    last offer said of it. ``ours``: we offered first."""

    leg: int
    since: float
    theirs: Terms | None
    hop: Hop
    opened: LegOpened | None = None
    closed: bool = False
    parting: Parting = field(default_factory=Parting)
    mid: str = "0"
    role: Setup = "actpass"
    opus: Opus | None = None
    offered: Opus | None = None
    ours: bool = False
    confirmed: bool = False
    waiting: deque[Passing] = field(default_factory=deque)


def parted_of(dialog: Dialog) -> list[Passing]:
    """What is said for a browser that is gone."""
    inward, outward = dialog.parting.to_core(dialog.leg), dialog.parting.to_browser(dialog.leg)
    said: list[Passing] = [] if inward is None else [Inward(inward, dialog.hop)]
    return said if outward is None or dialog.closed else [*said, Outward(outward, dialog.hop)]


def opus_of(message: Request | Response, description: SessionDescription, dialog: Dialog) -> Opus | None:
    """What is to be converted after a browser's offer, or after its answer."""
    audio = audio_of(description)
    if audio is None:
        return None
    if dialog.offered is None or (isinstance(message, Request) and message.method in OFFERS):
        return asked(audio)
    return answered(audio, dialog.offered)


def spoken_to(message: Request | Response, dialog: Dialog) -> Callable[[MediaDescription], MediaDescription]:
    """Our codecs as a browser is told of them."""

    def spoken(audio: MediaDescription) -> MediaDescription:
        offer = isinstance(message, Request)
        told, opus = audio, dialog.opus
        if opus is not None and opus.sends:
            told, opus = alone(audio, opus)
        elif offer and dialog.ours:
            told, opus = added(audio, dialog.offered)
        if offer:
            dialog.offered = opus
        return told

    return spoken
