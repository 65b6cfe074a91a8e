"""Payload types of audio lines: which codec of ours a number means, and how our own line is written.

A-law and µ-law have numbers of their own (RFC 3551 §6: 8 and 0), yet an rtpmap may give them a dynamic one, and 8 and 0
another meaning. In an answer we write the offerer's number; afterwards it stays what it was (RFC 3264 §8.3.2).
64 to 95 are no payload types where RTCP may share the port (RFC 5761 §4).
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.sdp.description import Attribute, MediaDescription

NAMES = {0: "PCMU", 8: "PCMA"}
_CODECS = {"pcmu": 0, "pcma": 8}
_NO_TYPES = range(64, 96)


def codec_of(media: MediaDescription, codecs: tuple[int, ...]) -> tuple[int, int] | None:
    """The first of theirs that is one of ``codecs``, and its number: the offerer's order counts (RFC 3264 §6.1)."""
    for number in media.payload_types:
        encoding = None if number in _NO_TYPES else media.encoding(number)
        if encoding is not None and encoding.clock == 8000 and encoding.channels == 1:
            codec = _CODECS.get(encoding.name)
            if codec in codecs and codec is not None:
                return codec, number
    return None


def mismatch(media: MediaDescription, codecs: tuple[int, ...]) -> str:
    """What was offered instead."""
    names = (media.encoding(number) for number in media.payload_types)
    offered = " ".join(sorted({encoding.name for encoding in names if encoding})) or "nothing known"
    return f"offered {offered[:80]}, we accept {' '.join(NAMES[codec] for codec in codecs)}"


def events_of(media: MediaDescription) -> int | None:
    """The payload type of telephone-event with our clock: wideband offers list a second one with 16000."""
    for number in media.payload_types:
        encoding = media.encoding(number)
        if encoding is not None and encoding.name == "telephone-event" and encoding.clock == 8000:
            return number
    return None


def audio_line(
    port: int, codecs: tuple[int, ...], numbers: Mapping[int, int], events: int | None, ptime: int, direction: str
) -> MediaDescription:
    """An audio line of ours; ``numbers``: of codecs whose number isn't their own."""
    named = [(numbers.get(codec, codec), NAMES[codec]) for codec in codecs]
    attributes: list[Attribute] = [("rtpmap", f"{number} {name}/8000") for number, name in named]
    formats = [str(number) for number, _ in named]
    if events is not None:
        formats.append(str(events))
        attributes += [("rtpmap", f"{events} telephone-event/8000"), ("fmtp", f"{events} 0-15")]
    attributes += [("ptime", str(ptime)), (direction, None)]
    return MediaDescription(
        media="audio", port=port, protocol="RTP/AVP", formats=tuple(formats), attributes=tuple(attributes)
    )
