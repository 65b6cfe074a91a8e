"""Opus in the descriptions of browsers, A-law in those of the call: what the edge converts, and what each side reads.

    the browser offers                  the call sees              the browser reads in the answer
    A-law or mu-law (and Opus)          those                      what the call has chosen
    Opus alone                          A-law                      Opus
    we offer                            the browser answers        the call sees
    A-law, mu-law, Opus                 A-law or mu-law            those; Opus that comes all the same is converted
                                        Opus alone                 A-law

A browser sends telephone-events with the clock of its audio (RFC 4733 §2.1): with Opus that is 48000.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from msgspec import structs

from gateway.sdp.description import DIRECTIONS, Attribute, MediaDescription
from media.browser import Opus

CLOCK = 48000
_G711 = (("pcma", 8000), ("pcmu", 8000))
_DYNAMIC = range(96, 128)
_FIRST = 111
_PTIME = ("ptime", "20")
"""What the worker is asked for, whatever lengths the browser likes: a frame of Opus."""


def asked(audio: MediaDescription) -> Opus | None:
    """What is to be converted for a browser that offers ``audio``."""
    payload = _opus_of(audio)
    if payload is None or _g711_of(audio):
        return None
    events, clock = _events_of(audio)
    return Opus(payload=payload, events=events, clock=clock, plain=events)


def answered(audio: MediaDescription, offered: Opus) -> Opus | None:
    """What is to be converted for a browser that answers our offer, to which ``offered`` was added."""
    payload = _opus_of(audio)
    if payload is None:
        return None
    events, clock = _events_of(audio)
    plain = offered.plain if events >= 0 else -1
    return Opus(payload=payload, events=events, clock=clock, plain=plain, sends=not _g711_of(audio))


def added(audio: MediaDescription, before: Opus | None = None) -> tuple[MediaDescription, Opus]:
    """Our offer with Opus as its last choice; ``before``: as it was said in this dialog (RFC 3264 §8.3.2)."""
    number = _events_at_8000(audio)
    free = [one for one in (_FIRST, *_DYNAMIC) if one not in audio.payload_types]
    opus = before or Opus(payload=free[0], events=-1 if number < 0 else free[1])
    opus = structs.replace(opus, plain=number)
    numbers = [one for one in (opus.payload, opus.events) if one >= 0]
    return (
        replace(
            audio,
            formats=(*audio.formats, *map(str, numbers)),
            attributes=(*audio.attributes, *_meanings(opus)),
        ),
        opus,
    )


def alone(audio: MediaDescription, opus: Opus) -> tuple[MediaDescription, Opus]:
    """Ours for a browser that speaks Opus alone, and what it then means."""
    number = _events_at_8000(audio)
    spoken = structs.replace(opus, plain=number, events=opus.events if number >= 0 else -1)
    kept = tuple((name, value) for name, value in audio.attributes if name not in ("rtpmap", "fmtp"))
    numbers = [one for one in (spoken.payload, spoken.events) if one >= 0]
    return replace(audio, formats=tuple(map(str, numbers)), attributes=(*_meanings(spoken), *kept)), spoken


def plain(audio: MediaDescription, opus: Opus | None) -> MediaDescription:
    """The browser's as the call reads it: A-law first, which nobody on the way has to convert."""
    first = "8" if _named(audio, 8) == _G711[0] and "8" in audio.formats else None
    if opus is None:
        return (
            audio if first is None else replace(audio, formats=(first, *(one for one in audio.formats if one != "8")))
        )
    if not opus.sends:
        gone = {opus.payload, opus.events if opus.clock == CLOCK else -1}
        return replace(audio, formats=tuple(str(one) for one in audio.payload_types if one not in gone))
    directions = tuple(one for one in audio.attributes if one[0] in DIRECTIONS)
    events: tuple[Attribute, ...] = ()
    if opus.plain >= 0:
        events = (("rtpmap", f"{opus.plain} telephone-event/8000"), ("fmtp", f"{opus.plain} 0-15"))
    formats = ("8", str(opus.plain)) if events else ("8",)
    return replace(audio, formats=formats, attributes=(("rtpmap", "8 PCMA/8000"), *events, _PTIME, *directions))


def _meanings(opus: Opus) -> Iterator[Attribute]:
    yield "rtpmap", f"{opus.payload} opus/48000/2"
    yield "fmtp", f"{opus.payload} minptime=10;maxplaybackrate=8000;sprop-maxcapturerate=8000;stereo=0"
    if opus.events >= 0:
        yield "rtpmap", f"{opus.events} telephone-event/{opus.clock}"
        yield "fmtp", f"{opus.events} 0-15"


def _named(audio: MediaDescription, number: int) -> tuple[str, int]:
    encoding = audio.encoding(number)
    return (encoding.name, encoding.clock) if encoding is not None else ("", 0)


def _events_at_8000(audio: MediaDescription) -> int:
    return next((one for one in audio.payload_types if _named(audio, one) == ("telephone-event", 8000)), -1)


def _g711_of(audio: MediaDescription) -> list[int]:
    return [one for one in audio.payload_types if _named(audio, one) in _G711]


def _opus_of(audio: MediaDescription) -> int | None:
    return next((one for one in audio.payload_types if _named(audio, one) == ("opus", CLOCK)), None)


def _events_of(audio: MediaDescription) -> tuple[int, int]:
    """Its number and clock, that of Opus if there are several; -1: none."""
    found = {clock: one for one in reversed(audio.payload_types) for name, clock in [_named(audio, one)]
             if name == "telephone-event" and one in _DYNAMIC}  # fmt: skip
    clock = next((clock for clock in (CLOCK, 8000) if clock in found), None)
    return (found[clock], clock) if clock is not None else (-1, CLOCK)
