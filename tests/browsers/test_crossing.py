"""Messages of WebSockets on their way: what is exchanged, what waits, what passes, and when a leg ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.browsers.bodies import with_body
from gateway.browsers.crossing import GONE, UNANSWERED, Crossing, Inward, Outward
from gateway.sdp.description import SessionDescription
from gateway.sdp.offer_answer import Negotiation
from gateway.sip.build import response_to
from gateway.sip.hop import Hop
from gateway.sip.message import parse_message
from media.browser import (
    CarryLeg,
    CloseLeg,
    CodeLeg,
    LegFailed,
    LegGone,
    LegOpened,
    OpenLeg,
    Opus,
    Plain,
    StartLeg,
    Terms,
    WatchLeg,
)

HOP = Hop("ws", "192.0.2.9", 40000)
BROWSER = (Path(__file__).parent.parent / "data/sdp/chromium_offer.sdp").read_bytes()
ANSWER = BROWSER.replace(b"a=setup:actpass", b"a=setup:active")
OURS = Negotiation(1, "192.0.2.1").offer(20000)
WORKER = Plain("192.0.2.1", 20000, 20001)
PLAIN = Plain("127.0.0.1", 4000, 4001)
CREDENTIALS = 'Proxy-Authorization: Digest username="a"'


def opened(leg: int, setup: Any) -> LegOpened:
    terms = Terms(
        ufrag="edge",
        password="y" * 22,
        candidates=("1 1 udp 2130706431 203.0.113.7 30000 typ host",),
        fingerprints=("sha-256 AB",),
        setup=setup,
    )
    return LegOpened(leg, terms, PLAIN)


def message(start: str, method: str, body: bytes = b"", *more: str, call: str = "c1", tag: str = "") -> bytes:
    lines = [start, "Via: SIP/2.0/WS x.invalid;branch=z9hG4bKa", "Max-Forwards: 70", "From: <sip:1@x.example>;tag=a",
             f"To: <sip:2@x.example>{tag}", f"Call-ID: {call}", f"CSeq: 1 {method}", "Contact: <sip:1@x.invalid>",
             *more]  # fmt: skip
    if body:
        lines.append("Content-Type: application/sdp")
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


def request(method: str, body: bytes = b"", *more: str, **given: Any) -> bytes:
    return message(f"{method} sip:2@x.example SIP/2.0", method, body, *more, **given)


def reply(status: int, body: bytes = b"", method: str = "INVITE", **given: Any) -> bytes:
    return message(f"SIP/2.0 {status} Words", method, body, tag=";tag=b", **given)


def sdp(output: Any) -> SessionDescription:
    found = parse_message(output.data)
    assert found.headers.get("Content-Length") == str(len(found.body))
    return SessionDescription.parse(found.body)


def attribute(output: Any, name: str) -> str | None:
    return sdp(output).media[0].attribute(name)


@pytest.fixture
def crossing() -> Crossing:
    return Crossing()


def calling(crossing: Crossing) -> None:
    """A browser's call as far as its INVITE."""
    crossing.receive(request("INVITE", BROWSER, CREDENTIALS), HOP, 0.0)
    crossing.report(opened(1, "active"), 0.0)


def called(crossing: Crossing) -> None:
    """A call to a browser as far as its answer."""
    crossing.send(request("INVITE", OURS), HOP, 0.0)
    crossing.report(opened(1, "actpass"), 0.0)
    crossing.receive(reply(200, ANSWER), HOP, 0.0)


def test_a_browser_calls(crossing: Crossing) -> None:
    (asked,) = crossing.receive(request("INVITE", BROWSER, CREDENTIALS), HOP, 0.0)
    assert isinstance(asked, OpenLeg)
    assert asked.theirs is not None
    assert asked.theirs.ufrag == "zxWW"
    (passed,) = crossing.report(opened(1, "active"), 0.0)
    assert isinstance(passed, Inward)
    assert (sdp(passed).media[0].protocol, sdp(passed).media[0].port) == ("RTP/AVP", 4000)
    for status in (183, 200):
        carry, told = crossing.send(reply(status, OURS), HOP, 0.0)
        assert carry == CarryLeg(1, WORKER)
        assert isinstance(told, Outward)
        assert (attribute(told, "setup"), attribute(told, "ice-ufrag"), attribute(told, "mid")) == (
            "active",
            "edge",
            "0",
        )
    assert crossing.legs == 1


def test_a_browser_is_called(crossing: Crossing) -> None:
    assert crossing.send(request("INVITE", OURS), HOP, 0.0) == [OpenLeg(1, None)]
    carry, told = crossing.report(opened(1, "actpass"), 0.0)
    assert carry == CarryLeg(1, WORKER)
    assert attribute(told, "setup") == "actpass"
    assert crossing.receive(reply(180), HOP, 0.0) == [Inward(reply(180), HOP)]
    start, code, passed = crossing.receive(reply(200, ANSWER), HOP, 0.0)
    assert isinstance(start, StartLeg)
    # It answers A-law first, but Opus as well, which it may send.
    assert code == CodeLeg(1, Opus(payload=111, events=110, plain=101, sends=False))
    assert sdp(passed).media[0].formats == ("63", "9", "0", "8", "13", "126")
    assert start.theirs.setup == "active"
    assert sdp(passed).media[0].port == 4000
    (again,) = crossing.receive(reply(200, ANSWER), HOP, 0.0)
    assert isinstance(again, Inward)


def test_later_offers_keep_the_leg_and_the_roles(crossing: Crossing) -> None:
    called(crossing)
    _, refresh = crossing.send(request("INVITE", OURS, tag=";tag=b"), HOP, 1.0)
    assert attribute(refresh, "setup") == "actpass"
    code, hold = crossing.receive(request("INVITE", BROWSER, tag=";tag=b"), HOP, 2.0)
    assert code == CodeLeg(1, None)
    assert sdp(hold).media[0].port == 4000
    _, answer = crossing.send(reply(200, OURS), HOP, 2.0)
    assert attribute(answer, "setup") == "passive"


def only_opus(body: bytes) -> bytes:
    """Without the codecs of telephones, and with their events in Opus's clock."""
    return body.replace(b"SAVPF 111 63 9 0 8 13 110 126", b"SAVPF 111 110")


def formats(output: Any) -> tuple[str, ...]:
    return sdp(output).media[0].formats


def test_a_browser_that_speaks_opus_alone_calls(crossing: Crossing) -> None:
    crossing.receive(request("INVITE", only_opus(BROWSER), CREDENTIALS), HOP, 0.0)
    code, passed = crossing.report(opened(1, "active"), 0.0)
    assert code == CodeLeg(1, Opus(payload=111, events=110, clock=48000, plain=110))
    core = Negotiation(1, "192.0.2.1")
    heard = core.receive_offer(parse_message(passed.data).body, 20000)  # type: ignore[union-attr]
    assert (heard.codec, heard.events, heard.ptime) == (8, 110, 20)
    _, told = crossing.send(reply(200, core.answer()), HOP, 0.0)
    assert formats(told) == ("111", "110")
    assert {"111 opus/48000/2", "110 telephone-event/48000"} <= {
        value for name, value in sdp(told).media[0].attributes if name == "rtpmap"
    }
    # A refresh of ours offers what it had, and its answer changes nothing.
    _, refresh = crossing.send(request("INVITE", core.offer(20000), tag=";tag=b"), HOP, 1.0)
    assert formats(refresh) == ("111", "110")
    (again,) = crossing.receive(reply(200, only_opus(ANSWER)), HOP, 1.0)
    heard = core.receive_answer(parse_message(again.data).body)  # type: ignore[union-attr]
    assert (heard.codec, heard.events) == (8, 110)


def test_a_browser_that_speaks_opus_alone_is_called(crossing: Crossing) -> None:
    core = Negotiation(1, "192.0.2.1")
    crossing.send(request("INVITE", core.offer(20000)), HOP, 0.0)
    _, offer = crossing.report(opened(1, "actpass"), 0.0)
    assert formats(offer) == ("8", "0", "101", "111", "96")
    _, code, passed = crossing.receive(reply(200, only_opus(ANSWER)), HOP, 0.0)
    assert code == CodeLeg(1, Opus(payload=111, events=110, clock=48000, plain=101))
    heard = core.receive_answer(parse_message(passed.data).body)  # type: ignore[union-attr]
    assert (heard.codec, heard.events) == (8, 101)
    # It puts the call on hold: its numbers are its own, the call reads them as they are.
    code, hold = crossing.receive(request("INVITE", only_opus(BROWSER), tag=";tag=b"), HOP, 2.0)
    assert code == CodeLeg(1, Opus(payload=111, events=110, clock=48000, plain=110))
    core.receive_offer(parse_message(hold.data).body, 20000)  # type: ignore[union-attr]
    _, answer = crossing.send(reply(200, core.answer()), HOP, 2.0)
    assert formats(answer) == ("111", "110")


def test_a_browser_that_has_a_law_is_not_converted(crossing: Crossing) -> None:
    crossing.receive(request("INVITE", BROWSER, CREDENTIALS), HOP, 0.0)
    (passed,) = crossing.report(opened(1, "active"), 0.0)
    core = Negotiation(1, "192.0.2.1")
    assert core.receive_offer(parse_message(passed.data).body, 20000).codec == 8  # type: ignore[union-attr]
    _, told = crossing.send(reply(200, core.answer()), HOP, 0.0)
    assert "111" not in formats(told)
    # Nor is Opus offered to it later.
    _, refresh = crossing.send(request("INVITE", core.offer(20000), tag=";tag=b"), HOP, 1.0)
    assert "111" not in formats(refresh)


def test_what_belongs_to_a_leg_that_is_being_opened_waits_in_order(crossing: Crossing) -> None:
    crossing.receive(request("INVITE", BROWSER, CREDENTIALS), HOP, 0.0)
    assert crossing.receive(request("CANCEL"), HOP, 0.0) == []
    assert crossing.receive(request("OPTIONS", call="c2"), HOP, 0.0) != []
    first, second = crossing.report(opened(1, "active"), 0.0)
    assert isinstance(first, Inward)
    assert second == Inward(request("CANCEL"), HOP)


@pytest.mark.parametrize(
    "data",
    [
        request("INVITE", BROWSER),
        request("INVITE", OURS, CREDENTIALS),
        request("REGISTER"),
        request("MESSAGE", b"hello"),
        request("INVITE", b"nonsense", CREDENTIALS),
        request("INVITE", BROWSER.replace(b"a=rtcp-mux\r\n", b""), CREDENTIALS),
        request("INVITE", BROWSER, CREDENTIALS, tag=";tag=b"),
        b"no SIP at all",
        request("INVITE", BROWSER, CREDENTIALS).replace(b"To: <sip:2@x.example>", b"To: <<"),
        request("INVITE", BROWSER.replace(b"a=candidate:", b"a=candidate:" + b"9" * 600), CREDENTIALS),
    ],
    ids=[
        "no credentials",
        "plain",
        "REGISTER",
        "MESSAGE",
        "no SDP",
        "no rtcp-mux",
        "no new call",
        "no SIP",
        "no To",
        "too long",
    ],
)
def test_what_passes_as_it_is(crossing: Crossing, data: bytes) -> None:
    assert crossing.receive(data, HOP, 0.0) == [Inward(data, HOP)]
    assert crossing.legs == 0


def test_an_edge_that_can_not(crossing: Crossing) -> None:
    data = request("INVITE", BROWSER, CREDENTIALS)
    crossing.receive(data, HOP, 0.0)
    assert crossing.report(LegFailed(1, "no port"), 0.0) == [Inward(data, HOP)]
    crossing.receive(data, HOP, 0.0)
    assert crossing.edge_gone() == [Inward(data, HOP)]
    assert crossing.legs == 0
    assert crossing.report(opened(2, "active"), 0.0) == []


@pytest.mark.parametrize("inward", [True, False])
def test_a_leg_ends_with_bye(crossing: Crossing, inward: bool) -> None:
    called(crossing)
    crossing.receive(request("BYE", call="c2"), HOP, 0.0)
    assert crossing.legs == 1
    side = crossing.receive if inward else crossing.send
    assert side(request("BYE"), HOP, 0.0)[1:] == [CloseLeg(1)]
    assert crossing.legs == 0


def test_a_leg_ends_with_the_refusal_of_its_call(crossing: Crossing) -> None:
    calling(crossing)
    assert crossing.send(reply(486), HOP, 0.0) == [Outward(reply(486), HOP), CloseLeg(1)]


def test_a_refused_refresh_ends_nothing(crossing: Crossing) -> None:
    called(crossing)
    assert crossing.receive(reply(488), HOP, 0.0) == [Inward(reply(488), HOP)]
    assert crossing.legs == 1


def contact(data: bytes, user: str) -> bytes:
    return data.replace(b"Contact: <sip:1@x.invalid>", f"Contact: <sip:{user}>".encode())


def first_line(output: Any) -> str:
    return str(output.data.split(b"\r\n")[0], "ascii")


def headers(output: Any, *names: str) -> tuple[str | None, ...]:
    return tuple(parse_message(output.data).headers.get(name) for name in names)


def gone(crossing: Crossing, *, closed: bool) -> list[Any]:
    """What is said when the edge hears nothing more of the browser, whose socket is closed or not."""
    if closed:
        assert crossing.closed(HOP) == [WatchLeg(1, GONE)]
        assert crossing.closed(HOP) == []
    close, *said = crossing.report(LegGone(1), 9.0)
    assert close == CloseLeg(1)
    assert crossing.legs == 0
    assert crossing.report(LegGone(1), 9.0) == []
    return said


@pytest.mark.parametrize("closed", [True, False])
def test_a_caller_that_is_gone_hangs_up(crossing: Crossing, closed: bool) -> None:
    calling(crossing)
    crossing.send(contact(reply(200, OURS), "x@core.example"), HOP, 0.0)
    crossing.receive(request("INFO", tag=";tag=b").replace(b"CSeq: 1", b"CSeq: 7"), HOP, 0.0)
    said = gone(crossing, closed=closed)
    assert isinstance(said[0], Inward)
    assert first_line(said[0]) == "BYE sip:x@core.example SIP/2.0"
    assert headers(said[0], "From", "To", "Call-ID", "CSeq") == (
        "<sip:1@x.example>;tag=a", "<sip:2@x.example>;tag=b", "c1", "8 BYE",
    )  # fmt: skip
    if closed:
        assert len(said) == 1
        return
    # The audio is gone, but the page is still there.
    assert isinstance(said[1], Outward)
    assert first_line(said[1]) == "BYE sip:1@x.invalid SIP/2.0"
    assert headers(said[1], "From", "To", "CSeq") == (
        "<sip:2@x.example>;tag=b", "<sip:1@x.example>;tag=a", "1 BYE",
    )  # fmt: skip
    for output, answer in zip(said, (crossing.send, crossing.receive), strict=True):
        done = bytes(response_to(parse_message(output.data), 200))  # type: ignore[arg-type]
        assert answer(done, HOP, 9.0) == []


def test_a_callee_that_is_gone_hangs_up(crossing: Crossing) -> None:
    crossing.send(contact(request("INVITE", OURS), "x@core.example"), HOP, 0.0)
    crossing.report(opened(1, "actpass"), 0.0)
    crossing.receive(reply(200, ANSWER), HOP, 0.0)
    (said,) = gone(crossing, closed=True)
    assert first_line(said) == "BYE sip:x@core.example SIP/2.0"
    assert headers(said, "From", "To", "CSeq") == ("<sip:2@x.example>;tag=b", "<sip:1@x.example>;tag=a", "1 BYE")


def test_a_caller_that_is_gone_before_the_answer_gives_up(crossing: Crossing) -> None:
    calling(crossing)
    crossing.send(reply(183, OURS), HOP, 0.0)
    (said,) = gone(crossing, closed=True)
    assert first_line(said) == "CANCEL sip:2@x.example SIP/2.0"
    assert headers(said, "Via", "CSeq") == ("SIP/2.0/WS x.invalid;branch=z9hG4bKa", "1 CANCEL")


@pytest.mark.parametrize("closed", [True, False])
def test_a_callee_that_is_gone_while_it_rings(crossing: Crossing, closed: bool) -> None:
    crossing.send(request("INVITE", OURS), HOP, 0.0)
    crossing.report(opened(1, "actpass"), 0.0)
    crossing.receive(reply(180), HOP, 0.0)
    said = gone(crossing, closed=closed)
    assert first_line(said[0]) == "SIP/2.0 480 Temporarily Unavailable"
    assert headers(said[0], "Via", "CSeq") == ("SIP/2.0/WS x.invalid;branch=z9hG4bKa", "1 INVITE")
    assert [first_line(one) for one in said[1:]] == ([] if closed else ["CANCEL sip:2@x.example SIP/2.0"])


def test_a_browser_that_has_a_new_socket_goes_on(crossing: Crossing) -> None:
    called(crossing)
    crossing.closed(HOP)
    new = Hop("ws", "192.0.2.9", 40002)
    crossing.receive(request("INVITE", BROWSER, tag=";tag=b"), new, 1.0)
    assert crossing.closed(HOP) == []
    assert [one.hop for one in gone(crossing, closed=False)] == [new, new]


def test_an_edge_that_ends_ends_its_calls(crossing: Crossing) -> None:
    called(crossing)
    crossing.send(request("INVITE", OURS, call="c2"), HOP, 0.0)
    inward, outward, waiting = crossing.edge_gone()
    assert isinstance(inward, Inward)
    assert isinstance(outward, Outward)
    assert {first_line(inward)[:3], first_line(outward)[:3]} == {"BYE"}
    assert waiting == Outward(request("INVITE", OURS, call="c2"), HOP)


def test_calls_that_nobody_answers_are_swept(crossing: Crossing) -> None:
    calling(crossing)
    crossing.send(request("INVITE", OURS, call="c2"), HOP, UNANSWERED - 1)
    assert crossing.legs == 2
    outputs = crossing.send(request("INVITE", OURS, call="c3"), HOP, UNANSWERED)
    assert outputs == [CloseLeg(1), OpenLeg(3, None)]
    assert crossing.legs == 2


def test_a_message_with_another_body() -> None:
    data = with_body(b"INVITE sip:a SIP/2.0\r\nl : 3\r\nX: Content-Length: 5\r\n\r\nabc", b"longer")
    assert data == b"INVITE sip:a SIP/2.0\r\nX: Content-Length: 5\r\nContent-Length: 6\r\n\r\nlonger"


def test_a_response_whose_cseq_is_none_is_the_core_s_business(crossing: Crossing) -> None:
    called(crossing)
    data = reply(486).replace(b"CSeq: 1 INVITE", b"CSeq: one INVITE")
    assert crossing.receive(data, HOP, 0.0) == [Inward(data, HOP)]
    assert crossing.legs == 1
