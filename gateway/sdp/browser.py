"""A browser's description (RFC 8829) and the plain one of the same audio: what the edge for browsers stands between.

    terms_of(browser's)                  what the edge must know of the browser
    plain_of(browser's, plain end)       what the call sees: RTP/AVP at the edge's plain end
    browser_of(ours, the edge's terms)   what the browser sees: UDP/TLS/RTP/SAVPF, ICE, DTLS, rtcp-mux

Codecs, telephone-event, ptime and the direction pass as they stand: offer_answer.py chooses, and the edge touches no
packet. The lines of ``m=`` keep their number and order (RFC 3264 §8); all but the first audio line are refused. What is
the browser's own (header extensions, SSRCs, feedback) ends here, so nobody uses it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from gateway.errors import ParseError
from gateway.sdp.description import (
    DIRECTIONS,
    Attribute,
    Connection,
    MediaDescription,
    SessionDescription,
)
from media.browser import Plain, Setup, Terms

PROTOCOL = "UDP/TLS/RTP/SAVPF"
_PASSED = frozenset({"rtpmap", "fmtp", "ptime", "maxptime"}) | DIRECTIONS
_MOST, _LONGEST = 32, 512
_SETUPS: dict[str, Setup] = {"actpass": "actpass", "active": "active", "passive": "passive"}


def is_browser(description: SessionDescription) -> bool:
    """Whether it is for the edge: there is audio by DTLS-SRTP."""
    return _audio(description) is not None


def mid_of(description: SessionDescription) -> str:
    """The name of the audio line in BUNDLE (RFC 9143); "" for none."""
    audio = _audio(description)
    return (audio.attribute("mid") or "") if audio is not None else ""


def terms_of(description: SessionDescription) -> Terms:
    """What a browser says. ParseError when that isn't all that is needed."""
    audio = _audio(description)
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


def plain_of(description: SessionDescription, plain: Plain) -> SessionDescription:
    """A browser's as of a phone that is at ``plain``."""
    audio = _audio(description)
    at = Connection.at(plain.host)
    return replace(
        description,
        origin=replace(description.origin, family=at.family, address=at.address),
        connection=at,
        others=(),
        attributes=(),
        media=tuple(_plain(one, plain) if one is audio else _refused(one, one.protocol) for one in description.media),
    )


def browser_of(description: SessionDescription, edge: Terms, mid: str = "0") -> SessionDescription:
    """Ours as the edge says it. ``mid``: how the browser's offer called the line, if it was that."""
    audio = next((one for one in description.media if one.media == "audio" and one.port), None)
    host, port = _first(edge)
    at = Connection.at(host)
    attributes = _browser_attributes(audio, edge, mid) if audio is not None else ()
    media = tuple(
        replace(one, port=port, protocol=PROTOCOL, connection=at, attributes=tuple(attributes))
        if one is audio
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


def _audio(description: SessionDescription) -> MediaDescription | None:
    return next(
        (one for one in description.media if one.media == "audio" and one.port and one.protocol.upper() == PROTOCOL),
        None,
    )


def _plain(audio: MediaDescription, plain: Plain) -> MediaDescription:
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
