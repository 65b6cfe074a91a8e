"""MESSAGE outside any dialog, both ways."""

from __future__ import annotations

from itertools import count

import pytest

from gateway.sip.build import response_to
from gateway.sip.hop import Hop
from gateway.sip.message import Request, Response, parse_message
from gateway.sip.user_agent import Output, PageAnswered, PageReceived, Transmit, UserAgent, UserAgentSettings

US, PEER = Hop("udp", "198.51.100.1", 5060), Hop("udp", "192.0.2.10", 5060)
PAGE = (
    b"MESSAGE sip:+8617000000001@gw SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK1\r\n"
    b"From: <sip:+8613800000021@c>;tag=a\r\nTo: <sip:+8617000000001@gw>\r\nCall-ID: p1\r\nCSeq: 1 MESSAGE\r\n"
    b"Max-Forwards: 70\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi"
)


def agent() -> UserAgent:
    numbers = count()
    return UserAgent(UserAgentSettings({"udp": US, "tcp": US}), lambda: f"token{next(numbers)}")


def send(agent: UserAgent, body: bytes = b"hi") -> tuple[str, Transmit]:
    id, outputs = agent.pager.send(
        PEER, "sip:b@peer", from_="<sip:x@gw>", to="<sip:b@peer>", headers=[("P-Asserted-Identity", "<sip:x@gw>")],
        body=body, content_type="text/plain;charset=UTF-8", now=0.0,
    )  # fmt: skip
    (sent,) = outputs
    return id, sent


def only(outputs: list[Output]) -> Output:
    (output,) = outputs
    return output


def test_one_that_comes_in_is_given_once_and_answered_once() -> None:
    us = agent()
    page = only(us.receive_message(PAGE, PEER, 0.0))
    assert isinstance(page, PageReceived)
    assert page.request.body == b"hi"
    assert us.receive_message(PAGE, PEER, 0.5) == [], "retransmitted while it waits"
    (answer,) = us.pager.answer(page.session, 202, 1.0)
    assert isinstance(answer.message, Response)
    assert answer.message.status == 202
    assert answer.message.to.tag
    assert answer.hop == PEER
    again = only(us.receive_message(PAGE, PEER, 1.5))
    assert isinstance(again, Transmit)
    assert again.data == answer.data
    assert us.pager.answer(page.session, 500, 2.0) == []
    us.handle_timeout(40.0)
    assert len(us.layer) == 0


def test_one_that_goes_out_is_repeated_until_it_is_answered() -> None:
    us = agent()
    id, sent = send(us)
    assert sent.hop == PEER
    request = parse_message(sent.data)
    assert isinstance(request, Request)
    assert (request.method, request.body) == ("MESSAGE", b"hi")
    assert request.headers.get("Contact") is None, "RFC 3428 §4 forbids it"
    assert isinstance(only(us.handle_timeout(0.5)), Transmit)
    response = response_to(request, 202, to_tag="t")
    assert us.receive_message(bytes(response), PEER, 0.6) == [PageAnswered(id, 202)]
    assert us.receive_message(bytes(response), PEER, 0.7) == []
    us.handle_timeout(40.0)
    assert len(us.layer) == 0


@pytest.mark.parametrize("status", [404, 480, 603])
def test_a_refusal(status: int) -> None:
    us = agent()
    id, sent = send(us)
    request = parse_message(sent.data)
    assert isinstance(request, Request)
    assert us.receive_message(bytes(response_to(request, status)), PEER, 0.1) == [PageAnswered(id, status)]


def test_no_answer_and_no_way() -> None:
    us = agent()
    id, _ = send(us)
    outputs: list[Output] = []
    while us.deadline is not None:
        outputs += us.handle_timeout(us.deadline)
    assert outputs[-1] == PageAnswered(id, 408)
    other, _ = send(us)
    assert us.transport_failed(PEER, 0.0) == [PageAnswered(other, 503)]


def test_one_that_is_too_large_for_a_datagram_goes_by_tcp() -> None:
    us = agent()
    _, small = send(us, b"x" * 500)
    _, large = send(us, "你".encode() * 500)
    assert (small.hop, large.hop) == (PEER, Hop("tcp", PEER.host, PEER.port))
    request = parse_message(large.data)
    assert isinstance(request, Request)
    assert request.via.transport == "TCP"
    assert len(large.data) > 1300


def test_a_node_that_drains_takes_none() -> None:
    us = agent()
    us.accepting = False
    answer = only(us.receive_message(PAGE, PEER, 0.0))
    assert isinstance(answer, Transmit)
    assert isinstance(answer.message, Response)
    assert (answer.message.status, answer.message.headers.get("Retry-After")) == (503, "10")
