"""What an incoming request gets before anybody looks at what it wants: the table of the module, row by row."""

from __future__ import annotations

import pytest

from gateway.sip.message import Request, Response, parse_message
from gateway.sip.methods import ALLOW, SERVED
from gateway.sip.screening import screen, screen_response

GOOD = """\
{method} sip:b@192.0.2.1 SIP/2.0
Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1
Max-Forwards: 70
From: <sip:a@x>;tag=1
To: <sip:b@x>
Call-ID: c
CSeq: 7 {method}
Contact: <sip:a@192.0.2.9>
"""


def asked(method: str = "INVITE", *edits: tuple[str, str], more: str = "", body: str = "") -> Request:
    """A good request with pieces of its text exchanged, and header lines put at its end."""
    text = GOOD.format(method=method)
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new)
    lines = f"{text}{more}Content-Length: {len(body)}\n\n".replace("\n", "\r\n")
    message = parse_message((lines + body).encode())
    assert isinstance(message, Request)
    return message


def status(request: Request) -> int | None:
    refusal = screen(request)
    return None if refusal is None else refusal[0]


@pytest.mark.parametrize("method", sorted(SERVED))
def test_a_good_request_goes_on(method: str) -> None:
    assert screen(asked(method)) is None


def test_another_version_is_refused_before_all_else() -> None:
    assert screen(asked("INVITE", ("SIP/2.0\n", "SIP/3.0\n"), ("CSeq: 7 INVITE\n", ""))) == (505, None, [])


@pytest.mark.parametrize("name", ["Via", "From", "To", "Call-ID", "CSeq"])
@pytest.mark.parametrize("method", sorted(SERVED))
def test_a_mandatory_header_is_missing(method: str, name: str) -> None:
    line = next(line for line in GOOD.format(method=method).splitlines() if line.startswith(name + ":"))
    assert status(asked(method, (line + "\n", ""))) == 400


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("From: <sip:c@x>;tag=2\n", "From"),
        ("t: <sip:c@x>\n", "To"),
        ("i: d\n", "Call-ID"),
        ("CSeq: 8 INVITE\n", "CSeq"),
        ("Max-Forwards: 9\n", "Max-Forwards"),
    ],
)
def test_a_header_that_may_stand_once_stands_twice(line: str, name: str) -> None:
    assert screen(asked(more=line)) == (400, f"Bad Request ({name})", [])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1", "SIP/2.0/UDP ;;,;,,"),
        ("<sip:a@x>;tag=1", "<sip:a@x;tag=1"),
        ("<sip:b@x>", '"b <sip:b@x>'),
        ("7 INVITE", "INVITE"),
        ("7 INVITE", "-7 INVITE"),
        ("7 INVITE", "4294967296 INVITE"),
        ("Max-Forwards: 70", "Max-Forwards: many"),
        ("Contact: <sip:a@192.0.2.9>", "Contact: <sip:a@192.0.2.9"),
    ],
)
def test_a_header_is_unreadable(old: str, new: str) -> None:
    assert status(asked("INVITE", (old, new))) == 400


def test_a_contact_counts_only_where_it_makes_or_moves_a_dialog() -> None:
    assert screen(asked("BYE", ("<sip:a@192.0.2.9>", "<sip:a@192.0.2.9"))) is None


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("REGISTER", (405, None, [("Allow", ALLOW)])),
        ("PUBLISH", (489, None, [("Allow-Events", "")])),
        ("REFER", (405, None, [("Allow", ALLOW)])),
        ("SUBSCRIBE", (489, None, [("Allow-Events", "")])),
        ("NOTIFY", (481, None, [])),
        ("NEWMETHOD", (501, None, [("Allow", ALLOW)])),
        ("invite", (501, None, [("Allow", ALLOW)])),
    ],
)
def test_methods_that_are_not_ours(method: str, expected: tuple[int, None, list[tuple[str, str]]]) -> None:
    assert screen(asked(method)) == expected


def test_the_cseq_names_another_method() -> None:
    assert screen(asked("INVITE", ("7 INVITE", "7 BYE"))) == (400, "Bad Request (CSeq)", [])
    assert status(asked("ODD", ("7 ODD", "7 INVITE"))) == 501


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("tel:+8613800000021", None),
        ("sips:b@x", None),
        ("sip:[2001:db8::1]:5070", None),
        ("http://x", 416),
        ("soap.beep://x", 416),
        ("sip:b@x?Route=%3Csip:c%3E", 400),
        ("<sip:b@x>", 400),
        ("sip:b@x:99999", 400),
    ],
)
def test_request_uris(uri: str, expected: int | None) -> None:
    assert status(asked("INVITE", ("sip:b@192.0.2.1", uri))) == expected


@pytest.mark.parametrize(("method", "expected"), [("INVITE", 483), ("OPTIONS", None), ("BYE", None)])
def test_only_an_invite_goes_further_than_us(method: str, expected: int | None) -> None:
    assert status(asked(method, ("Max-Forwards: 70", "Max-Forwards: 0"))) == expected


def test_max_forwards_may_be_absent() -> None:
    """RFC 3261 §16.3: an element of RFC 2543 sends none."""
    assert screen(asked("INVITE", ("Max-Forwards: 70\n", ""))) is None


@pytest.mark.parametrize("method", ["INVITE", "BYE", "OPTIONS", "ACK", "CANCEL"])
def test_extensions_that_are_demanded(method: str) -> None:
    refusal = screen(asked(method, more="Require: 100rel, new, Timer\nProxy-Require: precondition\n"))
    wanted = (420, None, [("Unsupported", "new, precondition")])
    assert refusal == (None if method in ("ACK", "CANCEL") else wanted)


@pytest.mark.parametrize(
    ("more", "body", "expected"),
    [
        ("Content-Type: application/sdp\n", "v=0", None),
        ("c: Application/SDP;charset=utf-8\n", "v=0", None),
        ("", "v=0", None),
        ("Content-Type: text/plain\n", "", None),
        ("Content-Type: text/plain\n", "hello", (415, None, [("Accept", "application/sdp")])),
        ("Content-Type: multipart/mixed;boundary=x\n", "--x", (415, None, [("Accept", "application/sdp")])),
        ("Content-Encoding: gzip\n", "v=0", (415, None, [("Accept-Encoding", "identity")])),
        ("Content-Encoding: identity\n", "v=0", None),
        ("Accept: text/plain, application/*\n", "", None),
        ("Accept: Application/SDP;level=1\n", "", None),
        ("Accept: */*\n", "", None),
        ("Accept: text/plain\n", "", (406, None, [])),
    ],
)
def test_bodies_of_an_invite(more: str, body: str, expected: tuple[int, None, list[tuple[str, str]]] | None) -> None:
    assert screen(asked(more=more, body=body)) == expected
    assert screen(asked("INFO", more=more, body=body)) is None


def response(*edits: tuple[str, str], more: str = "") -> Response:
    text = "SIP/2.0 200 OK\n" + "".join(GOOD.format(method="INVITE").splitlines(keepends=True)[1:]) + more
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new)
    message = parse_message((text + "\n").replace("\n", "\r\n").encode())
    assert isinstance(message, Response)
    return message


def test_a_response_that_can_be_matched_is_used() -> None:
    assert screen_response(response())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1\n", ""),
        ("z9hG4bK1", "z9hG4bK1, SIP/2.0/UDP 192.0.2.10;branch=z9hG4bK2"),
        ("From: <sip:a@x>;tag=1\n", ""),
        ("<sip:b@x>", "<sip:b@x"),
        ("Call-ID: c\n", ""),
        ("7 INVITE", "4294967296 INVITE"),
    ],
)
def test_a_response_that_can_not_be_matched_is_dropped(old: str, new: str) -> None:
    assert not screen_response(response((old, new)))


def test_a_short_message_is_plain_text_or_3gpp_s() -> None:
    assert screen(asked("MESSAGE", more="Content-Type: text/plain;charset=UTF-8\n", body="hi")) is None
    refused = (415, None, [("Accept", "text/plain, application/vnd.3gpp.sms")])
    assert screen(asked("MESSAGE", more="Content-Type: Application/vnd.3GPP.sms\n", body="hi")) is None
    assert screen(asked("MESSAGE", more="Content-Type: message/cpim\n", body="hi")) == refused
