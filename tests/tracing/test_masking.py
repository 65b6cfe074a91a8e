"""Numbers go, lengths and structure stay."""

from __future__ import annotations

import pytest

from gateway.lab.checks import forms_found
from gateway.numbers import PhoneNumber
from gateway.sip.message import parse_message
from gateway.tracing.masking import mask_message, without_keys
from tests.tracing.messages import BYE, CALL, INVITE, INVITE_B, SDP, A, B, X

KNOWN = (A, B)


@pytest.mark.parametrize("index", range(len(CALL)))
def test_no_form_of_a_known_number_is_left_and_no_octet_is_lost(index: int) -> None:
    data = CALL[index][1].data
    masked = mask_message(data, KNOWN, (X,))
    assert len(masked) == len(data)
    for number in KNOWN:
        assert forms_found(masked, PhoneNumber(number)) == []
    before, after = parse_message(data), parse_message(masked)
    assert (after.call_id, after.cseq, after.via) == (before.call_id, before.cseq, before.via)
    assert len(after.body) == len(before.body)


def test_numbers_that_nobody_named_are_starred_too_and_x_is_shown() -> None:
    text = mask_message(INVITE, KNOWN, (X,)).decode()
    assert "%2B8613*******99@" in text
    assert "Remote-Party-ID: 02*******21" in text
    assert "INVITE sip:+8617000000001@198.51.100.1 SIP/2.0" in text
    assert "<tel:+86-13*-****-**21>" in text
    assert "<tel:008613*******21>" in text
    assert "a13*******21b" in text
    assert ";tag=9876543210" in text
    assert "branch=z9hG4bK1234567890" in text


def test_without_any_hint_real_numbers_go_all_the_same() -> None:
    text = mask_message(INVITE + b"").decode()
    assert "sip:+8613*******21@" in text
    assert "+8617000000001" not in text
    assert "o=13*******21 2890844526 2890844527 IN IP4 192.0.2.10" in text
    assert "m=audio 30000" in text


def test_an_identity_token_says_nothing() -> None:
    text = mask_message(INVITE, KNOWN).decode()
    line = next(row for row in text.split("\r\n") if row.startswith("Identity"))
    assert "eyJ" not in line
    assert len(line) == len(next(row for row in INVITE.decode().split("\r\n") if row.startswith("Identity")))


def test_known_numbers_go_out_of_structure_as_well() -> None:
    data = BYE.replace(b"one@192.0.2.10", b"13800000021-7@192.0.2.10").replace(
        b"branch=z9hG4bK1", b"branch=z9hG4bK8613800000021"
    )
    text = mask_message(data, KNOWN).decode()
    assert "Call-ID: 13*******21-7@192.0.2.10" in text
    assert "13800000021" not in text


@pytest.mark.parametrize("data", [b"", b"\r\n\r\n", b"\xff" * 50, b"INVITE", INVITE_B[:100], b"\r\n" * 9 + SDP])
def test_any_bytes(data: bytes) -> None:
    assert len(mask_message(data, KNOWN, (X,))) == len(data)


def test_keys_of_srtp_are_in_no_trace() -> None:
    body = b"m=audio 1 RTP/SAVP 8\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:%s|2^20\r\nk=base64:%s\r\n"
    data = b"INVITE sip:x SIP/2.0\r\n\r\n" + body % (b"A" * 40, b"B" * 9)
    starred = without_keys(data)
    assert len(starred) == len(data)
    assert b"AAAA" not in starred
    assert b"BBBB" not in starred
    assert b"inline:" + b"*" * 40 + b"|2^20" in starred
    assert without_keys(b"INVITE sip:x SIP/2.0\r\n\r\nm=audio 1 RTP/AVP 8\r\n").endswith(b"RTP/AVP 8\r\n")


def test_the_digest_of_a_password_is_in_no_trace() -> None:
    said = b'Authorization: Digest username="me", realm="r", nonce="n", uri="sip:x", response="0123456789abcdef"'
    data = b"REGISTER sip:x SIP/2.0\r\n" + said + b", algorithm=MD5\r\n\r\n"
    starred = without_keys(data)
    assert len(starred) == len(data)
    assert b'response="****************", algorithm=MD5' in starred
    assert b'username="me"' in starred
