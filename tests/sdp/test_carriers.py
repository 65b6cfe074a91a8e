"""Descriptions as carriers' equipment writes them, and what is answered; no number in them is a real one."""

from __future__ import annotations

import pytest

from gateway.sdp.description import SessionDescription
from gateway.sdp.offer_answer import AudioTerms, Negotiation, NotAcceptable


def body(text: str) -> bytes:
    return "".join(line.strip() + "\r\n" for line in text.strip().splitlines()).encode()


VOLTE = body("""
    v=0
    o=- 1 1 IN IP4 192.0.2.9
    s=-
    i=a call
    c=IN IP4 192.0.2.9
    b=AS:49
    b=RS:0
    b=RR:0
    t=0 0
    a=sendrecv
    m=audio 4000 RTP/AVP 116 107 118 96 8 0 111 110 13
    c=IN IP4 192.0.2.10
    b=AS:49
    b=RS:600
    b=RR:2000
    a=rtpmap:116 AMR-WB/16000/1
    a=fmtp:116 mode-change-capability=2;max-red=0
    a=rtpmap:107 AMR-WB/16000/1
    a=fmtp:107 octet-align=1
    a=rtpmap:118 AMR/8000/1
    a=rtpmap:96 AMR/8000/1
    a=fmtp:96 octet-align=1
    a=rtpmap:8 PCMA/8000/1
    a=rtpmap:0 pcmu/8000
    a=rtpmap:111 telephone-event/16000
    a=fmtp:111 0-15
    a=rtpmap:110 telephone-event/8000
    a=fmtp:110 0-15
    a=rtpmap:13 CN/8000
    a=rtcp:4011 IN IP4 192.0.2.10
    a=ptime:20
    a=maxptime:240
""")
SOFTSWITCH = body("""
    v=0
    o=HuaweiSoftX3000 1073741831 1073741831 IN IP4 192.0.2.9
    s=Sip Call
    c=IN IP4 192.0.2.9
    t=0 0
    m=audio 4000 RTP/AVP 8 0 18 4 102
    a=rtpmap:8 PCMA/8000
    a=rtpmap:0 PCMU/8000
    a=rtpmap:18 G729/8000
    a=fmtp:18 annexb=no
    a=rtpmap:4 G723/8000
    a=rtpmap:102 telephone-event/8000
    a=fmtp:102 0-15
    a=ptime:20
    a=fax
    m=image 4002 udptl t38
    a=T38FaxVersion:0
    m=video 0 RTP/AVP 34
""")
NO_EXTRAS = body("""
    v=0
    o=x 0 0 IN IP4 192.0.2.9
    s=
    c=IN IP4 0.0.0.0
    t=0 0
    m=audio 4000 RTP/AVP 8
    c=IN IP4 192.0.2.9
""")
FAX = body("""
    v=0
    o=HuaweiSoftX3000 1073741831 1073741832 IN IP4 192.0.2.9
    s=Sip Call
    c=IN IP4 192.0.2.9
    t=0 0
    m=image 4002 udptl t38
    a=T38FaxVersion:0
""")
FAX_BESIDE = body("""
    v=0
    o=HuaweiSoftX3000 1073741831 1073741832 IN IP4 192.0.2.9
    s=Sip Call
    c=IN IP4 192.0.2.9
    t=0 0
    m=audio 0 RTP/AVP 8
    m=image 4002 udptl t38
""")


@pytest.fixture
def leg() -> Negotiation:
    return Negotiation(5000, "198.51.100.1")


@pytest.mark.parametrize(
    ("offer", "terms", "lines"),
    [
        (VOLTE, AudioTerms("192.0.2.10", 4000, 4011, 8, 110, 20, True, True, 110), ["m=audio 20000 RTP/AVP 8 110"]),
        (
            SOFTSWITCH,
            AudioTerms("192.0.2.9", 4000, 4001, 8, 102, 20, True, True, 102),
            ["m=audio 20000 RTP/AVP 8 102", "m=image 0 udptl t38", "m=video 0 RTP/AVP 34"],
        ),
        (NO_EXTRAS, AudioTerms("192.0.2.9", 4000, 4001, 8, None, 20, True, True), ["m=audio 20000 RTP/AVP 8"]),
    ],
)
def test_offers(leg: Negotiation, offer: bytes, terms: AudioTerms, lines: list[str]) -> None:
    assert leg.receive_offer(offer, 20000) == terms
    answer = leg.answer().decode()
    assert [line for line in answer.split("\r\n") if line.startswith("m=")] == lines
    assert "b=" not in answer
    assert "CN" not in answer, "comfort noise is heard, not promised"
    assert SessionDescription.parse(answer.encode()).origin.version == 1


@pytest.mark.parametrize("answer", [VOLTE, SOFTSWITCH, NO_EXTRAS])
def test_the_same_as_answers_to_our_offer(leg: Negotiation, answer: bytes) -> None:
    leg.offer(20000)
    terms = leg.receive_answer(answer)
    assert (terms.codec, terms.host[:9]) == (8, "192.0.2.1" if answer is VOLTE else "192.0.2.9")
    assert terms.events_in == (None if answer is NO_EXTRAS else 101)


@pytest.mark.parametrize("offer", [FAX, FAX_BESIDE])
def test_a_change_to_fax_is_refused_and_the_call_stays(leg: Negotiation, offer: bytes) -> None:
    leg.receive_offer(SOFTSWITCH, 20000)
    first = leg.answer()
    before = leg.terms
    with pytest.raises(NotAcceptable):
        leg.receive_offer(offer, 20000)
    assert leg.terms == before
    leg.receive_offer(SOFTSWITCH, 20000)
    assert leg.answer() == first, "the same description, so the same version"


def test_a_refresh_by_our_last_description_narrows_nothing_and_widens_nothing(leg: Negotiation) -> None:
    """RFC 4028 §7.4: it is sent as an offer, word for word, and its answer leaves all as it was."""
    held = SOFTSWITCH.replace(b"a=ptime:20", b"a=ptime:20\r\na=sendonly")
    terms = leg.receive_offer(held, 20000)
    assert b"a=recvonly" in leg.answer()
    assert leg.receive_answer(held) == terms
    wide = leg.receive_answer(SOFTSWITCH)
    assert (wide.sends, wide.receives) == (True, False), "we said recvonly"


def test_an_amr_only_offer_is_refused(leg: Negotiation) -> None:
    only = VOLTE.replace(b" 8 0 111", b" 111").replace(b"a=rtpmap:8 PCMA/8000/1\r\na=rtpmap:0 pcmu/8000\r\n", b"")
    with pytest.raises(NotAcceptable, match="offered amr amr-wb"):
        leg.receive_offer(only, 20000)
