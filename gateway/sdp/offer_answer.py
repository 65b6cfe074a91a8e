"""Offer and answer (RFC 3264) for one leg of a telephone call: one audio stream, A-law or µ-law, telephone-event.

What an offer asks and what may be answered (§6.1); what we want is narrowed, never widened:

    offered    the offerer   we may answer                       we then
    sendrecv   both          sendrecv sendonly recvonly inactive  as answered
    sendonly   sends         recvonly inactive                    hear it, send nothing
    recvonly   hears         sendonly inactive                    send, hear nothing
    inactive   neither       inactive                             neither

``c=0.0.0.0`` (or ``::``) is the old hold: nothing may be sent there (§8.4), so the party counts as not receiving.

The rows of ``m=`` lines belong to the session for ever (§8): an answer has as many as the offer in the same order,
and every later offer of ours repeats them. Ours is the first usable audio line; all others stand with port 0.
A payload type never changes its meaning within a session (§8.3.2), so the number of telephone-event stays what it was.
The numbers are each receiver's own choice: we send events with the number that the peer wrote, and get them with the
number that we wrote. In an answer we write the offerer's, so there both agree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from gateway.errors import PeerError
from gateway.sdp.codecs import audio_line, codec_of, events_of, mismatch
from gateway.sdp.crypto import SUITES, Crypto, Key, Srtp, cryptos
from gateway.sdp.description import Attribute, Connection, MediaDescription, Origin, SessionDescription

PLAIN, PROTECTED = "RTP/AVP", "RTP/SAVP"
DEFAULT_EVENTS = 101
DEFAULT_PTIME = 20


class NotAcceptable(PeerError):
    """A description that is well formed but offers nothing that we can do (RFC 3261 §21.4.26)."""

    status = 488
    reason = "Not Acceptable Here"

    def __init__(self, detail: str, warning: int = 304) -> None:
        super().__init__(detail)
        self.warning = warning
        """The warn-code of RFC 3261 §20.43: 304, the media type isn't to be had."""


@dataclass(frozen=True, slots=True)
class AudioTerms:
    """What the peer says of itself: where it wants its audio, in which form, and what it does.

    ``host`` is an IP literal (the unspecified address on an old hold), ``rtcp_port`` 0 when there is none. ``codec`` is
    0 (PCMU) or 8 (PCMA); ``payload`` is the payload type that it wants it with, ``payload_in`` the one that it sends it
    with, None where that is the codec's own. ``events`` is the payload type it wants telephone-events with,
    ``events_in`` the one it sends them with. ``ptime`` (10..60 ms, a multiple of 10) is the packet length it wants.
    ``sends``, ``receives``: its own direction as agreed; ``receives`` False is a hold. ``rtcp_mux``: it wants RTCP on
    the RTP port (RFC 5761); ``srtp``: what both protect their media with (crypto.py).
    """

    host: str
    port: int
    rtcp_port: int
    codec: int
    events: int | None
    ptime: int
    sends: bool
    receives: bool
    events_in: int | None = None
    rtcp_mux: bool = False
    srtp: Srtp | None = None
    payload: int | None = None
    payload_in: int | None = None


@dataclass(frozen=True, slots=True)
class _Offered:
    """An offer of the peer that waits for our answer."""

    description: SessionDescription
    line: int
    terms: AudioTerms
    port: int


class Negotiation:
    """The offer/answer state of one leg. Feeding it a wrong description raises and leaves the state as it was.

    ``session_id`` and ``host`` stand in our ``o=`` line, ``codecs`` are those we take, the preferred first; ``ptime``
    is what we want (None: what the peer wants of us, else DEFAULT_PTIME). ``srtp``: "off", "optional" (RTP/AVP with
    a=crypto is offered, and what comes is taken) or "required" (RTP/SAVP); ``key_of`` gives our key for a suite, always
    the same one, so that a later offer or answer changes no key.
    """

    def __init__(
        self,
        session_id: int,
        host: str,
        codecs: tuple[int, ...] = (8, 0),
        ptime: int | None = None,
        *,
        srtp: str = "off",
        key_of: Callable[[str], bytes] | None = None,
    ) -> None:
        self._srtp = srtp if key_of is not None else "off"
        self._key_of = key_of
        self._protocol = PROTECTED if self._srtp == "required" else PLAIN
        self.terms: AudioTerms | None = None
        self._session_id = session_id
        self._connection = Connection.at(host)
        self._codecs = codecs
        self._ptime = ptime
        self._version = 0
        self._sent: tuple[MediaDescription, ...] = ()
        self._lines: tuple[MediaDescription, ...] = ()
        self._line = 0
        self._events = DEFAULT_EVENTS
        self._numbers: dict[int, int] = {}
        """The payload types of codecs whose number isn't their own."""
        self._offered: _Offered | None = None
        self._offered_directions = (True, True)

    def offer(self, port: int, *, sends: bool = True, receives: bool = True) -> bytes:
        """Our offer of audio at RTP port ``port``; the agreed codec comes first once there is one."""
        codecs = self._codecs
        if self.terms is not None:
            agreed = self.terms.codec
            codecs = (agreed, *(codec for codec in codecs if codec != agreed))
        audio = audio_line(
            port, codecs, self._numbers, self._events, self._ptime or DEFAULT_PTIME, _direction(sends, receives)
        )
        audio = replace(audio, protocol=self._protocol, attributes=(*self._cryptos(), *audio.attributes))
        lines = list(self._lines) or [audio]
        lines[self._line] = audio
        self._offered_directions = (sends, receives)
        self._offered = None
        return self._write(tuple(lines))

    reoffer = offer

    def receive_answer(self, body: bytes) -> AudioTerms:
        """The peer's answer to our last offer. Raises ParseError or NotAcceptable (audio refused, no common codec)."""
        description = SessionDescription.parse(body)
        if len(description.media) <= self._line:
            raise NotAcceptable("the answer has no line for our audio")
        media = description.media[self._line]
        sends, receives = self._offered_directions
        terms = self._terms(description, media, self._events, may_send=receives, may_receive=sends)
        self._lines = self._sent
        self.terms = terms
        return terms

    def receive_offer(self, body: bytes, port: int) -> AudioTerms:
        """The peer's offer, to be answered with audio at RTP port ``port``. Raises ParseError or NotAcceptable."""
        description = SessionDescription.parse(body)
        reason: NotAcceptable | None = None
        candidates = range(len(description.media)) if self.terms is None else (self._line,)
        for line in candidates:
            if line >= len(description.media):
                break
            try:
                terms = self._terms(description, description.media[line], None, may_send=True, may_receive=True)
            except NotAcceptable as error:
                reason = reason or error
                continue
            self._offered = _Offered(description, line, terms, port)
            return terms
        raise NotAcceptable(reason.detail, reason.warning) if reason else NotAcceptable("no audio line")

    def answer(self, *, sends: bool = True, receives: bool = True) -> bytes:
        """Our answer to the last ``receive_offer``; the same bytes as often as it is asked for (183, then 200)."""
        if self._offered is None:
            raise RuntimeError("answer() without an offer")
        offered, terms = self._offered, self._offered.terms
        # Sent again as an offer, to refresh the session, it may not be widened by its answer either.
        self._offered_directions = sends and terms.receives, receives and terms.sends
        direction = _direction(*self._offered_directions)
        numbers = {} if terms.payload is None else {terms.codec: terms.payload}
        ptime = self._ptime or terms.ptime
        audio = audio_line(offered.port, (terms.codec,), numbers, terms.events, ptime, direction)
        self._protocol = offered.description.media[offered.line].protocol.upper()
        extra: list[Attribute] = [("rtcp-mux", None)] if terms.rtcp_mux else []
        if terms.srtp is not None:
            extra.append(("crypto", str(Crypto(terms.srtp.tag, terms.srtp.suite, terms.srtp.ours))))
        audio = replace(audio, protocol=self._protocol, attributes=(*extra, *audio.attributes))
        lines = [_refused(media) for media in offered.description.media]
        lines[offered.line] = audio
        self._line, self._lines, self.terms = offered.line, tuple(lines), terms
        self._numbers = numbers
        self._events = terms.events if terms.events is not None else self._events
        return self._write(tuple(lines))

    def _write(self, lines: tuple[MediaDescription, ...]) -> bytes:
        if lines != self._sent:
            self._version += 1
            self._sent = lines
        here = self._connection
        origin = Origin("-", self._session_id, self._version, here.family, here.address)
        return bytes(SessionDescription(origin=origin, connection=here, media=lines))

    def _terms(
        self,
        description: SessionDescription,
        media: MediaDescription,
        our_events: int | None,
        *,
        may_send: bool,
        may_receive: bool,
    ) -> AudioTerms:
        """What ``media`` says. ``our_events``: the number we offered; None: the line is an offer, its number rules."""
        if media.media != "audio" or media.port == 0 or media.protocol.upper() not in (PLAIN, PROTECTED):
            if media.media != "audio" or media.port == 0:
                raise NotAcceptable("the audio is refused" if media.port == 0 else "no audio")
            raise NotAcceptable("not RTP/AVP audio", 302)
        srtp = self._protection(media, answered=our_events is not None)
        connection = description.connection_of(media)
        if connection is None or not connection.is_literal:
            said = "no address for the audio" if connection is None else "c= names a host, we take addresses"
            raise NotAcceptable(said, 301)
        if connection.family != self._connection.family:
            raise NotAcceptable("the address is of another IP version", 301)
        direction = description.direction_of(media)
        agreed = codec_of(media, self._codecs)
        if agreed is None:
            raise NotAcceptable(mismatch(media, self._codecs), 305)
        codec, number = agreed
        payload = None if number == codec else number
        events = events_of(media)
        events_in = our_events if our_events is not None and events is not None else events
        return AudioTerms(
            host=connection.address,
            port=media.port,
            rtcp_port=_rtcp_port(media),
            codec=codec,
            events=events,
            ptime=_ptime_of(description, media),
            sends=may_send and direction in ("sendrecv", "sendonly"),
            receives=may_receive and direction in ("sendrecv", "recvonly") and not connection.is_unspecified,
            events_in=events_in,
            rtcp_mux=our_events is None and any(name == "rtcp-mux" for name, _ in media.attributes),
            srtp=srtp,
            payload=payload,
            payload_in=payload if our_events is None else self._numbers.get(codec),
        )

    def _protection(self, media: MediaDescription, *, answered: bool) -> Srtp | None:
        """The first of its keys that we can do; of an answer, one that goes with ours. None: plain RTP."""
        protected = media.protocol.upper() == PROTECTED
        if self._srtp == "off" or self._key_of is None:
            if protected:
                raise NotAcceptable("SRTP, which is off here")
            return None
        ours = dict(enumerate(self._suites(), 1))
        for crypto in cryptos(media.attributes):
            if not answered or ours.get(crypto.tag) == crypto.suite:
                return Srtp(crypto.tag, crypto.suite, Key(self._key_of(crypto.suite)), crypto.key)
        if protected or self._srtp == "required":
            raise NotAcceptable("no SRTP that we can do")
        return None

    def _suites(self) -> tuple[str, ...]:
        """Those that we offer: once one is agreed only that, once plain RTP is, none."""
        if self._srtp == "off":
            return ()
        if self.terms is None:
            return tuple(SUITES)
        return () if self.terms.srtp is None else (self.terms.srtp.suite,)

    def _cryptos(self) -> Iterator[Attribute]:
        for tag, suite in enumerate(self._suites(), 1):
            assert self._key_of is not None
            yield "crypto", str(Crypto(tag, suite, Key(self._key_of(suite))))


def _direction(sends: bool, receives: bool) -> str:
    if sends:
        return "sendrecv" if receives else "sendonly"
    return "recvonly" if receives else "inactive"


def _refused(media: MediaDescription) -> MediaDescription:
    return MediaDescription(media=media.media, port=0, protocol=media.protocol, formats=media.formats)


def _rtcp_port(media: MediaDescription) -> int:
    """``a=rtcp`` (RFC 3605), else the next port (RFC 3550 §11); 0 when neither is a port."""
    text = (media.attribute("rtcp") or "").split(" ")[0]
    if text.isascii() and text.isdigit() and len(text) <= 5 and int(text) < 65536:
        return int(text)
    return media.port + 1 if media.port < 65535 else 0


def _ptime_of(description: SessionDescription, media: MediaDescription) -> int:
    wanted = description.milliseconds_of(media, "ptime") or DEFAULT_PTIME
    most = description.milliseconds_of(media, "maxptime") or wanted
    return max(10, min(wanted, most, 60) // 10 * 10)
