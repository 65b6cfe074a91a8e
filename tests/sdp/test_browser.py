"""Descriptions of browsers: Chromium's own offer, as the call sees it, and ours as Chromium sees it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gateway.errors import ParseError
from gateway.sdp.browser import PROTOCOL, browser_of, is_browser, mid_of, plain_of, terms_of
from gateway.sdp.description import Connection, SessionDescription
from gateway.sdp.offer_answer import Negotiation
from media.browser import Plain, Terms

SAID = SessionDescription.parse((Path(__file__).parent.parent / "data/sdp/chromium_offer.sdp").read_bytes())
HOST = "127.0.0.1"
EDGE = Terms(
    ufrag="abcd",
    password="x" * 22,
    candidates=("1 1 udp 2130706431 203.0.113.7 30000 typ host",),
    fingerprints=("sha-256 AB:CD",),
    setup="active",
)


def without(name: str) -> SessionDescription:
    audio = SAID.media[0]
    return replace(SAID, media=(replace(audio, attributes=tuple(one for one in audio.attributes if one[0] != name)),))


def test_the_terms_of_chromium() -> None:
    terms = terms_of(SAID)
    assert is_browser(SAID)
    assert mid_of(SAID) == "0"
    assert (terms.ufrag, terms.password, terms.setup) == ("zxWW", "VbKlyLB4ZlpIhRf5RhVxiFMp", "actpass")
    assert terms.fingerprints == (
        "sha-256 CF:CF:13:E6:96:E3:87:B1:DC:5B:5F:0D:E7:24:4F:CD:10:6F:DB:CF:93:93:47:67:72:26:94:BD:05:B6:EE:DC",
    )
    assert len(terms.candidates) == 4
    assert terms.password not in repr(terms)


def test_the_call_sees_a_phone_at_the_plain_end() -> None:
    plain = plain_of(SAID, Plain(HOST, 4000, 4007))
    text = bytes(plain).decode()
    for word in ("ice-", "fingerprint", "candidate", "extmap", "ssrc", "msid", "cname", "rtcp-mux", "192.0.2.2"):
        assert word not in text
    phone = Negotiation(1, HOST)
    terms = phone.receive_offer(bytes(plain), 20000)
    # Chromium likes PCMU better than PCMA, we don't; it has an event of 8000 and one of 48000.
    assert (terms.host, terms.port, terms.rtcp_port, terms.codec, terms.events) == (HOST, 4000, 4007, 8, 126)


def test_the_browser_sees_the_edge() -> None:
    phone = Negotiation(1, HOST, codecs=(8,))
    phone.receive_offer(bytes(plain_of(SAID, Plain(HOST, 4000, 4001))), 20000)
    seen = browser_of(SessionDescription.parse(phone.answer()), EDGE, mid_of(SAID))
    audio = seen.media[0]
    assert (audio.protocol, audio.port, audio.formats) == (PROTOCOL, 30000, ("8", "126"))
    assert seen.connection_of(audio) == Connection("IP4", "203.0.113.7")
    assert seen.attributes == (("group", "BUNDLE 0"),)
    for pair in (("mid", "0"), ("setup", "active"), ("rtcp-mux", None), ("ice-ufrag", "abcd"), ("sendrecv", None),
                 ("fingerprint", "sha-256 AB:CD"), ("candidate", EDGE.candidates[0])):  # fmt: skip
        assert pair in audio.attributes
    assert b"20000" not in bytes(seen)
    assert HOST.encode() not in bytes(seen)


def test_lines_keep_their_order_and_all_but_the_first_audio_are_refused() -> None:
    audio = SAID.media[0]
    video = replace(audio, media="video", formats=("96",))
    plain = plain_of(replace(SAID, media=(video, audio, replace(audio))), Plain(HOST, 4000, 4001))
    assert [(one.media, one.port) for one in plain.media] == [("video", 0), ("audio", 4000), ("audio", 0)]
    seen = browser_of(plain, EDGE)
    assert [(one.media, one.port) for one in seen.media] == [("video", 0), ("audio", 30000), ("audio", 0)]


def test_a_refusal_stays_one() -> None:
    refused = replace(SAID, attributes=(), media=(replace(SAID.media[0], protocol="RTP/AVP", port=0),))
    assert browser_of(refused, EDGE).media[0].port == 0


@pytest.mark.parametrize("name", ["rtcp-mux", "setup"])
def test_what_is_needed_is_asked_for(name: str) -> None:
    with pytest.raises(ParseError, match=name):
        terms_of(without(name))


def test_a_telephones_is_not_for_the_edge() -> None:
    assert not is_browser(SessionDescription.parse(Negotiation(1, HOST).offer(20000)))
