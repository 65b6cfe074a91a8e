"""A browser's description (RFC 8829) and the plain one of the same audio: what the edge for browsers stands between.

    terms_of(browser's)                  what the edge must know of the browser
    plain_of(browser's, plain end)       what the call sees: RTP/AVP at the edge's plain end
    browser_of(ours, the edge's terms)   what the browser sees: UDP/TLS/RTP/SAVPF, ICE, DTLS, rtcp-mux

Codecs, telephone-event, ptime and the direction pass as they stand: offer_answer.py chooses, and the edge touches no
packet but those of Opus (opus.py). The lines of ``m=`` keep their number and order (RFC 3264 §8); all but the first
audio line are refused. What is the browser's own (header extensions, SSRCs, feedback) ends here, so nobody uses it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from gateway.errors import ParseError
from gateway.sdp.description import (
    DIRECTIONS,
    Attribute,
    Connection,
    MediaDescription,
    SessionDescription,
)
from gateway.sdp.opus import plain as plain_audio
from media.browser import Opus, Plain, Setup, Terms

PROTOCOL = "UDP/TLS/RTP/SAVPF"
_PASSED = frozenset({"rtpmap", "fmtp", "ptime", "maxptime"}) | DIRECTIONS
_MOST, _LONGEST = 32, 512
_SETUPS: dict[str, Setup] = {"actpass": "actpass", "active": "active", "passive": "passive"}


def is_browser(description: SessionDescription) -> bool:
    """Whether it is for the edge: there is audio by DTLS-SRTP."""
    return audio_of(description) is not None


def mid_of(description: SessionDescription) -> str:
    """The name of the audio line in BUNDLE (RFC 9143); "" for none."""
    audio = audio_of(description)
    return (audio.attribute("mid") or "") if audio is not None else ""


def terms_of(description: SessionDescription) -> Terms:
    """What a browser says. ParseError when that isn't all that is needed."""
    audio = audio_of(description)
    if audio is None:
        raise ParseError("m=", "no audio by DTLS-SRTP")
    if not any(name == "rtcp-mux" for name, _ in audio.attributes):
        raise ParseError("a=rtcp-mux", "RTCP on a port of its own isn't done with browsers")
    stated = (*audio.attributes, *description.attributes)
    setup = _SETUPS.get(_value(stated, "setup"))
    if setup is None:
        raise ParseError("a=setup", "wants actpass, active or passive")
    terms = Terms(
        ufrag=_value(stated, "ice-ufrag"),
        password=_value(stated, "ice-pwd"),
        candidates=tuple(value for name, value in audio.attributes if name == "candidate" and value)[:_MOST],
        fingerprints=tuple(value.strip() for name, value in stated if name == "fingerprint" and value)[:_MOST],
        setup=setup,
    )
    if max(map(len, (terms.ufrag, terms.password, *terms.candidates, *terms.fingerprints))) > _LONGEST:
        raise ParseError("a=", "longer than any ICE or DTLS attribute")
    return terms


def plain_of(description: SessionDescription, plain: Plain, opus: Opus | None = None) -> SessionDescription:
    """A browser's as of a phone that is at ``plain``; ``opus``: what is converted."""
    audio = audio_of(description)
    at = Connection.at(plain.host)
    return replace(
        description,
        origin=replace(description.origin, family=at.family, address=at.address),
        connection=at,
        others=(),
        attributes=(),
        media=tuple(
            _plain(one, plain, opus) if one is audio else _refused(one, one.protocol) for one in description.media
        ),
    )


def browser_of(
    description: SessionDescription,
    edge: Terms,
    mid: str = "0",
    spoken: Callable[[MediaDescription], MediaDescription] = lambda audio: audio,
) -> SessionDescription:
    """Ours as the edge says it. ``mid``: how the browser's offer called the line, if it was that; ``spoken``: what
    becomes of its codecs (opus.py)."""
    audio = next((one for one in description.media if one.media == "audio" and one.port), None)
    host, port = _first(edge)
    at = Connection.at(host)
    told = spoken(audio) if audio is not None else None
    attributes = _browser_attributes(told, edge, mid) if told is not None else ()
    media = tuple(
        replace(told, port=port, protocol=PROTOCOL, connection=at, attributes=tuple(attributes))
        if told is not None and one is audio
        else _refused(one, PROTOCOL if one.protocol == "RTP/AVP" else one.protocol)
        for one in description.media
    )
    return replace(
        description,
        origin=replace(description.origin, family=at.family, address=at.address),
        connection=at,
        attributes=(("group", f"BUNDLE {mid}"),) if mid and audio is not None else (),
        media=media,
    )


def audio_of(description: SessionDescription) -> MediaDescription | None:
    """Its audio by DTLS-SRTP, which alone counts."""
    return next(
        (one for one in description.media if one.media == "audio" and one.port and one.protocol.upper() == PROTOCOL),
        None,
    )


def _plain(audio: MediaDescription, plain: Plain, opus: Opus | None) -> MediaDescription:
    audio = plain_audio(audio, opus)
    passed = tuple((name, value) for name, value in audio.attributes if name in _PASSED)
    return MediaDescription(
        media="audio",
        port=plain.rtp,
        protocol="RTP/AVP",
        formats=audio.formats,
        attributes=(*passed, ("rtcp", str(plain.rtcp))),
    )


def _browser_attributes(audio: MediaDescription, edge: Terms, mid: str) -> Iterator[Attribute]:
    yield from ((name, value) for name, value in audio.attributes if name in _PASSED)
    if mid:
        yield "mid", mid
    yield "rtcp-mux", None
    yield "ice-ufrag", edge.ufrag
    yield "ice-pwd", edge.password
    yield from (("fingerprint", one) for one in edge.fingerprints)
    yield "setup", edge.setup
    yield from (("candidate", one) for one in edge.candidates)
    yield "end-of-candidates", None


def _refused(media: MediaDescription, protocol: str) -> MediaDescription:
    return MediaDescription(media=media.media, port=0, protocol=protocol, formats=media.formats)


def _first(edge: Terms) -> tuple[str, int]:
    """The address and port of the best candidate: ``foundation component transport priority address port ...``."""
    parts = edge.candidates[0].split() if edge.candidates else []
    if len(parts) < 6:
        raise ValueError("the edge has no candidate")
    return parts[4], int(parts[5])


def _value(attributes: tuple[Attribute, ...], name: str) -> str:
    return next((value.strip() for key, value in attributes if key == name and value), "")
