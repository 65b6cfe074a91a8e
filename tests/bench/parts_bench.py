"""Processor time of a call's signalling parts in one process: one INVITE read, and the callee's INVITE written from it.

    python -m tests.bench.parts_bench

Time is the process's own (``time.process_time``), the best of several turns, since a disturbance only ever adds.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from gateway.metrics.tally import Tally
from gateway.metrics.traffic import Traffic
from gateway.sdp.offer_answer import Negotiation
from gateway.sip import build
from gateway.sip.hop import Hop
from gateway.sip.message import Request, parse_message

TURNS, TIMES = 7, 300
SDP = (
    b"v=0\r\no=carrier 2890844526 2890844526 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n"
    b"m=audio 30000 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n"
    b"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
)
INVITE = (
    b"INVITE sip:+8617000000001@203.0.113.5:5060;user=phone SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK776asdhds;rport\r\n"
    b"Record-Route: <sip:192.0.2.9;lr>\r\nMax-Forwards: 70\r\n"
    b"From: <sip:+8613800000021@192.0.2.10;user=phone>;tag=1928301774\r\n"
    b"To: <sip:+8617000000001@203.0.113.5;user=phone>\r\nCall-ID: a84b4c76e66710@192.0.2.10\r\nCSeq: 314159 INVITE\r\n"
    b"Contact: <sip:+8613800000021@192.0.2.10:5060>\r\nAllow: INVITE, ACK, CANCEL, BYE, PRACK, UPDATE, OPTIONS\r\n"
    b"Supported: timer, 100rel\r\nSession-Expires: 1800\r\nUser-Agent: carrier\r\n"
    b"P-Asserted-Identity: <sip:+8613800000021@192.0.2.10;user=phone>\r\nContent-Type: application/sdp\r\n"
    b"Content-Length: %d\r\n\r\n" % len(SDP)
) + SDP
PEERS = """beside, measured elsewhere, of a 900-byte INVITE (../shared/bench/README.md):
    flat Python: split 10.6, with fields 14.8, whole 23   sipmessage 0.7.1: whole 156   sippy: with fields 45"""


def read() -> Request:
    """Split the message."""
    message = parse_message(INVITE)
    assert isinstance(message, Request)
    return message


def fields() -> Request:
    """Split, and read what a B2BUA needs of it."""
    invite = read()
    _ = invite.uri, invite.via, invite.from_, invite.to, invite.call_id, invite.cseq
    _ = invite.contact, invite.max_forwards, invite.record_routes, invite.content_type
    return invite


def session() -> bytes:
    """Read the caller's SDP and write the one that goes to the callee."""
    Negotiation(1, "203.0.113.5").receive_offer(SDP, 20000)
    return Negotiation(2, "203.0.113.5").offer(20002)


def whole() -> bytes:
    """From the caller's INVITE to the bytes of the callee's."""
    fields()
    identity = "<sip:+8617000000001@203.0.113.5;user=phone>"
    return bytes(
        build.request(
            "INVITE",
            "sip:+8613800000023@198.51.100.7:5060;user=phone",
            via="SIP/2.0/UDP 203.0.113.5:5060;branch=z9hG4bK1;rport",
            from_=identity + ";tag=1",
            to="<sip:+8613800000023@198.51.100.7:5060;user=phone>",
            call_id="1@203.0.113.5",
            cseq=1,
            contact="<sip:203.0.113.5:5060>",
            headers=(("P-Asserted-Identity", identity),),
            body=session(),
            content_type="application/sdp",
        )
    )


TRAFFIC = Traffic(Tally(), lambda host: "carrier")
CARRIER = Hop("udp", "192.0.2.10", 5060)


def counted() -> None:
    """What the metrics cost for each message."""
    TRAFFIC.received(INVITE, CARRIER)


PARTS: tuple[tuple[str, Callable[[], object]], ...] = (
    ("split the INVITE", read),
    ("plus the fields that a B2BUA needs", fields),
    ("read the SDP, write the callee's", session),
    ("INVITE read, SDP rewritten, callee's INVITE written", whole),
    ("counted for the metrics", counted),
)


def microseconds(part: Callable[[], object]) -> float:
    """Processor time of one ``part``."""
    best = float("inf")
    for _ in range(TURNS):
        before = time.process_time()
        for _ in range(TIMES):
            part()
        best = min(best, time.process_time() - before)
    return 1e6 * best / TIMES


def run() -> dict[str, float]:
    """Measure each part, print the rows and return them."""
    print(f"{f'one {len(INVITE)}-byte INVITE':<56}{'CPU us':>8}")
    rows: dict[str, float] = {}
    for name, part in PARTS:
        rows[name] = microseconds(part)
        print(f"{name:<56}{rows[name]:>8.1f}", flush=True)
    print(PEERS)
    return rows


if __name__ == "__main__":
    run()
