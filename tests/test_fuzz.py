"""Every parser of what comes off a wire: a value or its typed error, never anything else, whatever the bytes are.

Seeds lie in tests/data/fuzz, one a line with Python's escapes; edits and splices of them are hypothesis's, seeded. What
once broke a parser is added there as a line. Whole messages through the whole user agent: tests/sip/test_fuzz.py. By
hand, longer: FUZZ_EXAMPLES=20000.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.calls.identity import called_number, caller_number, plain_text
from gateway.calls.policy import IdentityPolicy
from gateway.calls.settings import TrunkSettings
from gateway.causes import q850_of
from gateway.errors import ParseError, PeerError
from gateway.numbers import NumberError, PhoneNumber
from gateway.sdp.description import SessionDescription
from gateway.sdp.offer_answer import Negotiation
from gateway.sip.digest import Challenge, Credentials
from gateway.sip.early_media import sends, understood
from gateway.sip.framing import StreamFramer
from gateway.sip.gate import Gate, GateSettings
from gateway.sip.grammar import retry_seconds
from gateway.sip.headers import CSeq, NameAddr, Via
from gateway.sip.message import Headers, Request, Response, parse_message
from gateway.sip.policy import options
from gateway.sip.reliable import rack_of, rseq_of
from gateway.sip.session_timer import read_seconds
from gateway.sip.uri import equivalent, number_text, parse_uri
from gateway.sip.websocket import WebSocketFramer
from gateway.sms import rpdu, tpdu
from media.rtcp import read as read_rtcp
from media.rtp import SIZE, payload_of
from media.telephone_event import DigitReader

HERE = Path(__file__).parent / "data"
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "250"))
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: sip\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
PIECES = [
    *(b"", b"\x00", b"\xff", b"\r\n", b"\n", b" ", b"\t", b'"', b"\\", b"<", b">", b";", b",", b"=", b":", b"%", b"@"),
    *(b"[", b"]", b"9" * 30, b"-1", b"\x80\x00", b"\xff" * 4, "٣".encode(), "é".encode()),
]


def text_of(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def uri(data: bytes) -> None:
    one = parse_uri(text_of(data))
    number_text(one)
    assert equivalent(one, one)
    assert parse_uri(str(one)) == one


def via(data: bytes) -> None:
    one = Via.parse(text_of(data))
    str(one.with_received("192.0.2.9", 5060))
    _ = one.sent_by, one.received, one.rport


def address(data: bytes) -> None:
    one = NameAddr.parse(text_of(data))
    _ = one.tag, str(one)


def digest(data: bytes) -> None:
    for kind in (Challenge, Credentials):
        with suppress(ParseError):
            str(kind.parse(text_of(data)))


def sdp(data: bytes) -> None:
    bytes(SessionDescription.parse(data))


def negotiation(data: bytes) -> None:
    """As an offer, as the answer to ours, and as an offer within the call."""
    for srtp in ("off", "optional", "required"):
        called, calls = (Negotiation(1, "192.0.2.1", srtp=srtp, key_of=lambda suite: bytes(30)) for _ in range(2))
        calls.offer(4000)
        with suppress(PeerError):
            calls.receive_answer(data)
        for _ in range(2):
            with suppress(PeerError):
                called.receive_offer(data, 4000)
                SessionDescription.parse(called.answer())
                called.offer(4000, receives=False)


def values(data: bytes) -> None:
    """What is read of headers only when they are wanted."""
    value = text_of(data).replace("\r", "").replace("\n", "")
    lines = [(name, value) for name in VALUES]
    request, response = Request("INVITE", "sip:x", Headers(lines)), Response(503, "", Headers(lines))
    assert set(options(request, "Require")) == set(options(response, "Require"))
    _ = retry_seconds(value), q850_of([value]), plain_text(request), rack_of(request), rseq_of(response)
    _ = understood(request), sends(response)
    for name in ("Session-Expires", "Min-SE"):
        read_seconds(request, name)
    for where in ("Request-URI", "To", "P-Called-Party-ID"):
        trunk = TrunkSettings(name="t", peers=(), allow=(), identity=IdentityPolicy(called=where, caller=CALLER_FROM))
        called_number(request, trunk)
        caller_number(request, trunk)


def headers(data: bytes) -> None:
    message = parse_message(data)
    parts = ["from_", "to", "cseq", "call_id", "vias"]
    if isinstance(message, Request):
        parts += ["uri", "contact", "max_forwards", "record_routes"]
    for name in parts:
        with suppress(ParseError):
            getattr(message, name)
    bytes(message)


def stream(data: bytes) -> None:
    framer = StreamFramer()
    for part in (data[: len(data) // 2], data[len(data) // 2 :]):
        framer.feed(part)
    assert len(framer.rest) <= len(data)


def websocket(data: bytes) -> None:
    fresh, open_ = WebSocketFramer(["*"]), WebSocketFramer(["*"])
    fresh.feed(data)
    open_.feed(UPGRADE)
    assert open_.established
    open_.feed(data)
    _ = fresh.outgoing(), open_.outgoing()


def gate(data: bytes) -> None:
    Gate(GateSettings(), lambda host: True, lambda host: None).datagram("192.0.2.1", data, 0.0)


def rtp(data: bytes) -> None:
    payload = payload_of(data)
    if payload is not None:
        assert len(payload) <= len(data) - SIZE
        DigitReader().receive(1, payload)


VALUES = (
    *("Require", "Retry-After", "Reason", "Session-Expires", "Min-SE", "RAck", "RSeq", "P-Early-Media", "Content-Type"),
    *("P-Called-Party-ID", "P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID", "Diversion", "From", "To"),
)
CALLER_FROM = ("P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID", "From")
TARGETS: dict[str, tuple[Callable[[bytes], object], type[Exception]]] = {
    "uri": (uri, ParseError),
    "via": (via, ParseError),
    "address": (address, ParseError),
    "cseq": (lambda data: CSeq.parse(text_of(data)), ParseError),
    "digest": (digest, ParseError),
    "sdp": (sdp, ParseError),
    "negotiation": (negotiation, PeerError),
    "values": (values, ParseError),
    "headers": (headers, ParseError),
    "gate": (gate, ParseError),
    "stream": (stream, ParseError),
    "websocket": (websocket, ParseError),
    "rtp": (rtp, ParseError),
    "rtcp": (lambda data: read_rtcp(data, 7), ParseError),
    "rpdu": (rpdu.read, tpdu.TpduError),
    "tpdu": (lambda data: [tpdu.parse(data, submit=submit) for submit in (True, False)], tpdu.TpduError),
    "number": (lambda data: PhoneNumber.parse(text_of(data)), NumberError),
}


CORPUS = {"negotiation": "sdp"}


def seeds(name: str) -> list[bytes]:
    file = HERE / "fuzz" / f"{CORPUS.get(name, name)}.txt"
    if not file.exists():
        return [path.read_bytes() for path in sorted((HERE / "sip").glob("*.dat"))]
    lines = file.read_text(encoding="ascii").splitlines()
    return [line.encode("ascii").decode("unicode_escape").encode("latin-1") for line in lines]


@st.composite
def inputs(draw: st.DrawFn, known: list[bytes]) -> bytes:
    """A seed with pieces cut out, put in, or taken from another seed; or bytes of any kind."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=200))
    data = draw(st.sampled_from(known))
    for _ in range(draw(st.integers(0, 5))):
        at, cut = draw(st.integers(0, len(data))), draw(st.integers(0, 12))
        if draw(st.booleans()):
            piece = draw(st.sampled_from(PIECES))
        else:
            other = draw(st.sampled_from(known))
            start = draw(st.integers(0, len(other)))
            piece = other[start : start + draw(st.integers(0, 40))]
        data = data[:at] + piece + data[at + cut :]
    return data


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_a_value_or_its_error(name: str) -> None:
    target, error = TARGETS[name]
    known = seeds(name)
    assert len(known) >= 3

    @settings(max_examples=EXAMPLES, derandomize=True, deadline=None, database=None)
    @given(inputs(known))
    def run(data: bytes) -> None:
        with suppress(error):
            target(data)

    run()
