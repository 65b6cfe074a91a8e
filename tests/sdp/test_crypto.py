"""a=crypto lines, and what two sides agree on with them."""

from __future__ import annotations

import hashlib
from base64 import b64encode

import pytest

from gateway.sdp.crypto import SUITES, Crypto, Key
from gateway.sdp.offer_answer import AudioTerms, Negotiation, NotAcceptable

AES, GCM = "AES_CM_128_HMAC_SHA1_80", "AEAD_AES_128_GCM"
KEY = b64encode(bytes(range(30))).decode()


def side(name: str, srtp: str, host: str = "192.0.2.1") -> Negotiation:
    return Negotiation(
        1, host, srtp=srtp, key_of=lambda suite: hashlib.sha256(f"{name} {suite}".encode()).digest()[: SUITES[suite]]
    )


def agreed(a: str, b: str) -> tuple[AudioTerms, AudioTerms, bytes, bytes]:
    """What each side knows of the other after an offer of ``a`` and an answer of ``b``."""
    one, two = side("one", a), side("two", b)
    offer = one.offer(4000)
    terms = two.receive_offer(offer, 5000)
    answer = two.answer()
    return one.receive_answer(answer), terms, offer, answer


@pytest.mark.parametrize(
    "value",
    [
        f"1 {AES} inline:{KEY}",
        f"1 {AES} inline:{KEY}|2^20",
        f"999999999 {AES} inline:{KEY}|1048576 WSH=64",
        f"1 {AES} inline:{KEY} -KDR=1",
    ],
)
def test_lines_that_we_can_do(value: str) -> None:
    crypto = Crypto.parse(value)
    assert crypto is not None
    assert crypto.key == Key(bytes(range(30)))


@pytest.mark.parametrize(
    "value",
    [
        "",
        "1",
        f"1 {AES}",
        f"x {AES} inline:{KEY}",
        f"-1 {AES} inline:{KEY}",
        f"1 F8_128_HMAC_SHA1_80 inline:{KEY}",
        f"1 AES_CM_128_HMAC_SHA1_32 inline:{KEY}",
        f"1 {AES} inline:{KEY}|2^20|1:4",
        f"1 {AES} inline:{KEY};inline:{KEY}",
        f"1 {AES} inline:{KEY[:-4]}",
        f"1 {GCM} inline:{KEY}",
        f"1 {AES} inline:!{KEY[1:]}",
        f"1 {AES} other:{KEY}",
        f"1 {AES} inline:{KEY} UNENCRYPTED_SRTP",
        f"1 {AES} inline:{KEY} UNENCRYPTED_SRTCP",
        f"1 {AES} inline:{KEY} UNAUTHENTICATED_SRTP",
        f"1 {AES} inline:{KEY} KDR=1",
        f"1 {AES} inline:{KEY} " + "-x" * 300,
    ],
)
def test_lines_that_we_pass_over(value: str) -> None:
    assert Crypto.parse(value) is None


def test_no_key_is_printed() -> None:
    crypto = Crypto.parse(f"1 {AES} inline:{KEY}")
    assert KEY not in repr(crypto)
    terms, _, _, _ = agreed("required", "required")
    assert "<Key>" in repr(terms)
    assert "\\x" not in repr(terms)


@pytest.mark.parametrize(
    ("a", "b", "protocol", "srtp"),
    [
        ("off", "off", b"RTP/AVP", False),
        ("off", "optional", b"RTP/AVP", False),
        ("optional", "off", b"RTP/AVP", False),
        ("optional", "optional", b"RTP/AVP", True),
        ("optional", "required", b"RTP/AVP", True),
        ("required", "optional", b"RTP/SAVP", True),
        ("required", "required", b"RTP/SAVP", True),
    ],
)
def test_what_two_policies_come_to(a: str, b: str, protocol: bytes, srtp: bool) -> None:
    of_two, of_one, offer, answer = agreed(a, b)
    assert b" " + protocol + b" " in offer
    assert b" " + protocol + b" " in answer
    assert (of_one.srtp is not None, of_two.srtp is not None) == (srtp, srtp)
    assert answer.count(b"a=crypto:") == srtp
    if of_one.srtp is not None and of_two.srtp is not None:
        assert of_one.srtp.suite == of_two.srtp.suite == GCM
        assert (of_one.srtp.ours, of_one.srtp.theirs) == (of_two.srtp.theirs, of_two.srtp.ours)
        assert of_one.srtp.ours != of_one.srtp.theirs


@pytest.mark.parametrize(("a", "b"), [("off", "required"), ("required", "off")])
def test_what_they_can_not_come_to(a: str, b: str) -> None:
    with pytest.raises(NotAcceptable):
        agreed(a, b)


def test_there_is_no_way_down_for_who_requires_it() -> None:
    one, two = side("one", "required"), side("two", "off")
    one.offer(4000)
    two.receive_offer(side("three", "off").offer(1), 5000)
    with pytest.raises(NotAcceptable):
        one.receive_answer(two.answer())


def test_an_answer_with_a_tag_that_was_not_offered_counts_for_none() -> None:
    one, two = side("one", "required"), side("two", "required")
    two.receive_offer(one.offer(4000), 5000)
    with pytest.raises(NotAcceptable):
        one.receive_answer(two.answer().replace(b"a=crypto:1", b"a=crypto:7"))


def test_the_peers_choice_of_suite_is_ours() -> None:
    one, two = side("one", "required"), side("two", "required")
    offer = b"".join(line for line in one.offer(4000).splitlines(keepends=True) if GCM.encode() not in line)
    assert two.receive_offer(offer, 5000).srtp is not None
    terms = one.receive_answer(two.answer())
    assert terms.srtp is not None
    assert terms.srtp.suite == AES
    again = two.receive_offer(one.reoffer(4000), 5000)
    assert again.srtp is not None
    assert again.srtp.suite == AES
    assert terms.srtp.theirs == again.srtp.ours


def test_rtcp_on_the_rtp_port_is_taken_when_it_is_offered() -> None:
    two = side("two", "off")
    offer = side("one", "off").offer(4000) + b"a=rtcp-mux\r\n"
    assert two.receive_offer(offer, 5000).rtcp_mux
    assert b"a=rtcp-mux\r\n" in two.answer()
    assert not side("two", "off").receive_offer(side("one", "off").offer(4000), 5000).rtcp_mux
