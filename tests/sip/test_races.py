"""What crosses, comes twice, too late, out of order or from nowhere, between two user agents (RFC 3261 §9, §12-§15,
§17, RFC 5407, RFC 6026, RFC 4320)."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from gateway.sip.build import response_to
from gateway.sip.hop import Hop
from gateway.sip.message import Request, parse_message
from gateway.sip.outputs import Accepted, Confirmed, Ended, Incoming, InfoReceived, OfferRefused, Progress, Rejected
from gateway.sip.transaction import Transmit
from gateway.sip.user_agent import UserAgent, UserAgentSettings
from tests.sip.pair import ONE, TWO, MakePair, Pair, title


def inject(line: Pair, side: int, data: bytes) -> list[str]:
    """Bytes arrive at a side; the titles of what it sends at once."""
    before = len(line.sent)
    line.take(side, line.agents[side].receive_message(data, (TWO, ONE)[side], line.now))
    return line.sent[before:]


def response(line: Pair, status: int, tag: str, body: bytes = b"answer") -> bytes:
    """A response of another phone to the caller's INVITE."""
    invite = line.of("INVITE", 0)[0]
    lines = [("Contact", f"<sip:{tag}@192.0.2.2>")]
    return bytes(response_to(invite, status, to_tag=tag, headers=lines, body=body, content_type="application/sdp"))


# --- forks ------------------------------------------------------------------------------------------------------------


def test_each_phone_that_rings_is_told_of_and_only_the_first_that_answers_has_the_call(pair: MakePair) -> None:
    line = pair()
    line.dial()
    for tag in ("x", "y", "z"):
        inject(line, 0, response(line, 180, tag, b""))
    assert line.kinds(0) == [Progress] * 3
    assert inject(line, 0, response(line, 200, "y")) == ["ACK"]
    assert inject(line, 0, response(line, 200, "x")) == ["ACK", "BYE"]
    assert inject(line, 0, response(line, 200, "y")) == ["ACK"], "its ACK was lost"
    assert inject(line, 0, response(line, 200, "x")) == ["ACK"], "and its; the BYE has its own transaction"
    assert line.kinds(0) == [Progress] * 3 + [Accepted]
    assert [message.uri_text for message in line.of("BYE", 0)] == ["sip:x@192.0.2.2"]
    line.do(0, "hang_up")
    assert line.of("BYE", 0)[-1].uri_text == "sip:y@192.0.2.2"
    line.do(1, "hang_up")


def test_a_phone_that_answers_when_the_call_was_refused_is_hung_up_on(pair: MakePair) -> None:
    """The proxy had said 486 for another; or 487 to our CANCEL, which this 200 has crossed."""
    for status, cancelled in ((486, False), (487, True)):
        line = pair()
        line.dial()
        if cancelled:
            line.do(0, "hang_up")
        inject(line, 0, response(line, status, "x", b""))
        assert line.kinds(0) == [Rejected]
        assert inject(line, 0, response(line, 200, "y")) == ["ACK", "BYE"]
        assert inject(line, 0, response(line, 200, "y")) == ["ACK"]
        assert line.kinds(0) == [Rejected]
        line.do(1, "hang_up")
        line.run(5.0)


def test_a_200_after_our_cancel_is_acknowledged_and_ended(pair: MakePair) -> None:
    line = pair()
    line.dial()
    line.do(0, "hang_up")
    assert line.sent[-1] == "CANCEL"
    assert inject(line, 0, response(line, 200, "y")) == ["ACK", "BYE"]
    assert line.seen[0] == [Ended(line.caller, "us", "CANCEL", "")]
    assert inject(line, 0, response(line, 487, "x", b"")) == [], "the INVITE has its answer"
    line.do(1, "hang_up")


def test_a_cancel_whose_invite_gets_no_final_answer_is_over_in_64_t1(pair: MakePair) -> None:
    line = pair(lambda what, nth: what in ("CANCEL", "487"))
    line.dial()
    line.run(1.0)
    line.do(0, "hang_up")
    line.run(33.0)
    assert line.seen[0][-1] == Rejected(line.caller, 408, "Request Timeout", None)
    line.do(1, "hang_up")


# --- the ACK of a 2xx -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_2xx_is_repeated_end_to_end_over_any_transport(transport: str) -> None:
    """§13.3.1.4: T1, doubling up to T2, for 64*T1; then BYE. A lost ACK is lost end to end, whatever is below."""
    numbers = count()
    us, peer = Hop(transport, "192.0.2.2", 5060), Hop(transport, "192.0.2.1", 5060)
    agent = UserAgent(UserAgentSettings({transport: us}), lambda: f"t{next(numbers)}")
    invite = (
        f"INVITE sip:b SIP/2.0\r\nVia: SIP/2.0/{transport.upper()} 192.0.2.1;branch=z9hG4bK1;rport\r\n"
        "Max-Forwards: 9\r\nFrom: <sip:a@c>;tag=a\r\nTo: <sip:b@c>\r\nCall-ID: c\r\n"
        "CSeq: 1 INVITE\r\nContact: <sip:a@192.0.2.1>\r\n\r\n"
    ).encode()
    outputs = agent.receive_message(invite, peer, 0.0)
    session = next(output.session for output in outputs if isinstance(output, Incoming))
    agent.accept(session, b"sdp", 0.0)
    times, now = [], 0.0
    ended: list[Any] = []
    while agent.deadline is not None and now < 40.0:
        now = agent.deadline
        for output in agent.handle_timeout(now):
            if isinstance(output, Transmit):
                times.append((now, title(output.message)))
            elif isinstance(output, Ended):
                ended.append(output)
    assert [at for at, what in times if what == "200"] == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert (32.0, "BYE") in times
    assert [one.how for one in ended] == ["no-ack"]


def test_we_hang_up_before_the_ack_and_the_bye_waits_for_it(pair: MakePair) -> None:
    """§15: the callee's side may not send BYE before the ACK, or 64*T1."""
    line = pair(lambda what, nth: what == "ACK" and nth < 4)
    line.dial()
    line.do(1, "accept", b"answer")
    line.run(0.1)
    line.do(1, "hang_up")
    assert line.kinds(1)[-1] is Ended
    assert line.of("BYE") == []
    line.run(4.0)
    assert len(line.of("BYE", 1)) == 1
    assert line.kinds(0)[-1] is Ended
    assert line.times("BYE", 1)[0] == pytest.approx(line.times("ACK", 0)[3] + 0.01)


def test_an_ack_of_another_number_or_twice_is_nothing(pair: MakePair) -> None:
    line = pair(lambda what, nth: what == "ACK")
    line.dial()
    line.do(1, "accept", b"answer")
    line.run(0.1)
    ack = bytes(line.of("ACK", 0)[0])
    assert inject(line, 1, ack.replace(b"CSeq: 1 ACK", b"CSeq: 2 ACK")) == []
    assert Confirmed not in line.kinds(1)
    assert inject(line, 1, ack) == inject(line, 1, ack) == []
    assert line.kinds(1).count(Confirmed) == 1
    line.do(0, "hang_up")


# --- strays -----------------------------------------------------------------------------------------------------------


def test_strays_make_nothing_and_cost_nothing(pair: MakePair) -> None:
    line = pair()
    line.talk()
    bye = (
        b"%s sip:x SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKs%d;rport\r\nMax-Forwards: 9\r\n"
        b"From: <sip:a@c>;tag=nobody\r\nTo: <sip:b@c>;tag=nowhere\r\nCall-ID: none\r\nCSeq: 9 %s\r\n\r\n"
    )
    assert inject(line, 1, bye % (b"ACK", 1, b"ACK")) == []
    assert inject(line, 1, bye % (b"BYE", 2, b"BYE")) == ["481"]
    assert inject(line, 1, bye % (b"CANCEL", 3, b"CANCEL")) == ["481"]
    assert inject(line, 1, bye % (b"INFO", 4, b"INFO")) == ["481"]
    assert inject(line, 1, bye % (b"INVITE", 5, b"INVITE")) == ["481"]
    for status in (100, 180, 200, 486):
        stray = response(line, status, "z").replace(b"branch=z9hG4bK", b"branch=z9hG4bKother")
        assert inject(line, 0, stray) == []
        assert inject(line, 1, stray) == [], "for somebody else altogether"
    assert line.agents[0].counters["stray response"] == 4
    assert inject(line, 0, response(line, 180, "late", b"")) == [], "a 1xx behind the 200"
    assert line.kinds(0) == [Progress, Accepted]
    assert line.kinds(1) == [Incoming, Confirmed]
    line.do(0, "hang_up")


def test_a_tag_alone_is_no_dialog(pair: MakePair) -> None:
    """§12.2.2: Call-ID and both tags; whoever guesses one ends nothing."""
    line = pair()
    line.talk()
    line.request(0, "BYE")
    bye = bytes(line.of("BYE", 0)[0])
    line._wire.clear()
    invite = line.of("INVITE", 0)[0]
    tag = str(invite.from_.tag).encode()
    for number, (old, new) in enumerate([(b"tag=" + tag, b"tag=guess"), (invite.call_id.encode(), b"guess")]):
        branch = b"branch=z9hG4bKguess%d" % number
        assert inject(line, 1, bye.replace(old, new).replace(b"branch=z9hG4bK", branch)) == ["481"]
    assert line.kinds(1) == [Incoming, Confirmed]
    line.do(1, "hang_up")


# --- order ------------------------------------------------------------------------------------------------------------


def test_requests_out_of_order_are_refused_and_gaps_are_none(pair: MakePair) -> None:
    """§12.2.2: lower than the last is 500; higher by more than one is fine; the same bytes again, the same answer."""
    line = pair()
    line.talk()
    line.request(0, "INFO")
    line.run(0.1)
    info = bytes(line.of("INFO", 0)[0])

    def numbered(number: int, branch: bytes) -> bytes:
        return info.replace(b"CSeq: 2 INFO", b"CSeq: %d INFO" % number).replace(
            b"branch=z9hG4bK", b"branch=z9hG4bK" + branch
        )

    assert inject(line, 1, numbered(9, b"a")) == ["200"]
    assert inject(line, 1, numbered(8, b"b")) == ["500"]
    assert inject(line, 1, numbered(9, b"c")) == ["500"]
    assert inject(line, 1, numbered(9, b"a")) == ["200"]
    assert inject(line, 1, numbered(2**31 - 1, b"d")) == ["200"]
    assert line.kinds(1).count(InfoReceived) == 3
    line.do(1, "hang_up")


def test_a_bye_out_of_order_does_not_end_an_early_call(pair: MakePair) -> None:
    line = pair()
    line.dial()
    line.ring()
    line.run(0.1)
    line.request(0, "BYE")
    bye = bytes(line.of("BYE", 0)[0])
    line._wire.clear()
    assert inject(line, 1, bye.replace(b"CSeq: 2 BYE", b"CSeq: 0 BYE")) == ["500"]
    assert line.kinds(1) == [Incoming]
    line.do(1, "accept", b"answer")
    line.run(0.1)
    line.do(1, "hang_up")


# --- ends -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [0, 1])
def test_a_bye_before_the_answer_ends_the_invite(pair: MakePair, side: int) -> None:
    """§15: the caller may; the callee may not, and means it all the same."""
    line = pair()
    line.dial()
    line.ring()
    line.run(0.1)
    line.request(side, "BYE")
    line.run(0.1)
    assert line.of("200 BYE", 1 - side)
    assert line.kinds(1)[-1] is Ended or side == 1
    if side == 0:
        assert line.of("487 INVITE", 1)
    else:
        assert line.seen[0][-1].status == 487
        line.do(1, "hang_up")


def test_two_byes_that_cross(pair: MakePair) -> None:
    line = pair()
    line.talk()
    for side in (0, 1):
        line.do(side, "hang_up")
        line.do(side, "hang_up")
    line.run(0.1)
    assert line.sent.count("BYE") == 2
    assert [line.kinds(side).count(Ended) for side in (0, 1)] == [1, 1]
    assert {title(message) for _, _, message in line.messages[-2:]} <= {"200", "481"}


def test_a_cancel_behind_the_answer_changes_nothing(pair: MakePair) -> None:
    """§9.2: it is answered 200 and the call goes on."""
    line = pair()
    line.talk()
    invite = bytes(line.of("INVITE", 0)[0]).partition(b"\r\n\r\n")[0]
    cancel = invite.replace(b"INVITE sip", b"CANCEL sip").replace(b" INVITE", b" CANCEL", 1)
    cancel = b"\r\n".join(
        one for one in cancel.split(b"\r\n") if not one.startswith((b"Content", b"Allow", b"Contact"))
    ).replace(b"CSeq: 1 INVITE", b"CSeq: 1 CANCEL")
    assert inject(line, 1, cancel + b"\r\n\r\n") == ["200"]
    assert line.kinds(1) == [Incoming, Confirmed]
    line.do(0, "hang_up")


def test_a_dead_peer_is_found_by_a_reinvite(pair: MakePair) -> None:
    line = pair(lambda what, nth: what == "INVITE" and nth > 1)
    line.talk()
    line.do(0, "reoffer", b"hold")
    line.run(33.0)
    assert line.seen[0][-1] == Ended(line.caller, "timeout", "408", "")
    assert line.of("BYE", 0)
    assert OfferRefused not in line.kinds(0)


# --- ringing ----------------------------------------------------------------------------------------------------------


def test_ringing_is_said_again_every_minute_and_to_an_invite_that_comes_again(pair: MakePair) -> None:
    line = pair()
    line.dial()
    line.ring()
    line.run(185.0)
    assert [round(at) for at in line.times("180", 1)] == [0, 60, 120, 180]
    assert inject(line, 1, bytes(line.of("INVITE", 0)[0])) == ["180"]
    line.do(0, "hang_up")


def test_a_refused_invite_that_comes_again_gets_its_refusal(pair: MakePair) -> None:
    line = pair(lambda what, nth: what == "ACK")
    line.dial()
    line.do(1, "reject", 486)
    line.run(0.1)
    assert inject(line, 1, bytes(line.of("INVITE", 0)[0])) == ["486"]
    line.run(3.0)
    assert line.sent.count("486") == 4, "G: T1, doubling"
    assert line.seen[0][-1].status == 486


def test_no_request_but_invite_gets_a_provisional_or_a_408(pair: MakePair) -> None:
    """RFC 4320 §4.1, §4.2."""
    line = pair()
    line.talk()
    for method in ("INFO", "UPDATE", "OPTIONS", "REFER", "PRACK"):
        line.request(0, method)
        line.run(0.1)
    line.do(0, "hang_up")
    line.run(1.0)
    others = [
        message
        for _, _, message in line.messages
        if not isinstance(message, Request) and message.cseq.method != "INVITE"
    ]
    assert len(others) == 6
    assert all(message.status >= 200 and message.status != 408 for message in others)


# --- routes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("lr", "kind"), [(b";lr", "loose"), (b"", "strict")])
def test_all_requests_of_a_call_take_the_recorded_route(pair: MakePair, lr: bytes, kind: str) -> None:
    """§12.1, §12.2.1.1, §16.12.1.2: two proxies, each way; ACK and BYE, of both sides."""
    line = pair()
    first, second = b"<sip:192.0.2.1:5070%s>" % lr, b"<sip:192.0.2.2:5070%s>" % lr
    line.edit = lambda side, data: (
        data.replace(b"Max-Forwards", b"Record-Route: %s, %s\r\nMax-Forwards" % (second, first), 1)
        if data.startswith(b"INVITE")
        else data
    )
    line.talk()
    ack = line.of("ACK", 0)[0]
    line.request(1, "INFO")
    line.run(0.1)
    info = line.of("INFO", 1)[0]
    near, far = [str(parse_message(b"ACK x SIP/2.0\r\nRoute: %s\r\n\r\n" % one).routes[0]) for one in (first, second)]
    caller, callee = "<sip:192.0.2.1:5060>", "<sip:192.0.2.2:5060>"
    if kind == "loose":
        assert (ack.uri_text, [str(one) for one in ack.routes]) == (callee[1:-1], [near, far])
        assert (info.uri_text, [str(one) for one in info.routes]) == (caller[1:-1], [far, near])
    else:
        assert (ack.uri_text, [str(one) for one in ack.routes]) == (near[1:-1], [far, callee])
        assert (info.uri_text, [str(one) for one in info.routes]) == (far[1:-1], [near, caller])
    line.do(0, "hang_up")
    line.run(0.1)
    assert len(line.of("BYE", 0)[0].routes) == 2
    assert line.kinds(1)[-1] is Ended
