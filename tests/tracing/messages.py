"""Messages of one masked call as they pass, for the tests of tracing: numbers in every place that a peer may use."""

from __future__ import annotations

from gateway.sip.hop import Hop
from gateway.tracing.messages import CALLEE, CALLER, Seen

A, B, X = "+8613800000021", "+8613800000023", "+8617000000001"
HERE = Hop("udp", "198.51.100.1", 5060)
CARRIER = Hop("udp", "192.0.2.10", 5060)
OTHER = Hop("tcp", "192.0.2.20", 5080)
SDP = (
    b"v=0\r\no=13800000021 2890844526 2890844527 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n"
    b"m=audio 30000 RTP/AVP 8\r\n"
)


def message(start: str, call_id: str, cseq: str, *lines: str, body: bytes = b"") -> bytes:
    head = [start, "Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK1234567890", f"Call-ID: {call_id}", f"CSeq: {cseq}"]
    return "\r\n".join([*head, *lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


PARTIES = (
    'From: "13800000021" <sip:+8613800000021@192.0.2.10;user=phone>;tag=9876543210',
    "To: <sip:+8617000000001@198.51.100.1>",
)
INVITE = message(
    "INVITE sip:+8617000000001@198.51.100.1 SIP/2.0", "one@192.0.2.10", "1 INVITE", *PARTIES,
    "Contact: <sip:13800000021@192.0.2.10:5060>", "P-Asserted-Identity: <tel:+86-138-0000-0021>, <tel:008613800000021>",
    "Diversion: <sip:%2B8613800000099@192.0.2.10>", "Remote-Party-ID: 02087654321", "X-Trace: a13800000021b",
    "Identity: eyJhbGciOiJFUzI1NiJ9.eyJvcmlnIjp7InRuIjoiODYxMzgwMDAwMDAyMSJ9.c2lnbmF0dXJl;info=<https://c.example/x>",
    "Content-Type: application/sdp", body=SDP,
)  # fmt: skip
TRYING = message("SIP/2.0 100 Trying", "one@192.0.2.10", "1 INVITE", *PARTIES)
INVITE_B = message(
    "INVITE sip:+8613800000023@192.0.2.20 SIP/2.0", "two", "1 INVITE", "From: <sip:+8617000000001@198.51.100.1>;tag=b",
    "To: <sip:+8613800000023@192.0.2.20>",
)  # fmt: skip
RINGING_B = message("SIP/2.0 180 Ringing", "two", "1 INVITE", "To: <sip:+8613800000023@192.0.2.20>;tag=c")
BYE = message("BYE sip:x SIP/2.0", "one@192.0.2.10", "2 BYE", *PARTIES[:1], "To: <sip:x@y>;tag=d")


def seen(at: float, data: bytes, *, sent: bool, peer: Hop = CARRIER) -> Seen:
    return Seen(at, sent, peer, HERE, data)


CALL = (
    (CALLER, seen(1000.0, INVITE, sent=False)),
    (CALLER, seen(1000.25, TRYING, sent=True)),
    (CALLEE, seen(1000.5, INVITE_B, sent=True, peer=OTHER)),
    (CALLEE, seen(1001.0, RINGING_B, sent=False, peer=OTHER)),
)
