"""Two user agents on a wire that loses what it is told to, in virtual time. Every test ends with empty tables."""

from __future__ import annotations

import pytest

from gateway.sip.build import ack_for
from gateway.sip.message import Request, Response, parse_message
from gateway.sip.outputs import (
    Accepted,
    Confirmed,
    Ended,
    Incoming,
    Offence,
    OfferAnswered,
    OfferRefused,
    Progress,
    ReInvited,
    Rejected,
)
from gateway.sip.overload import Overload
from gateway.sip.transaction import Transmit
from tests.sip.pair import ONE, TWO, MakePair, Pair, title


def test_a_call(pair: MakePair) -> None:
    line = pair()
    line.talk()
    line.do(1, "hang_up")
    line.run(0.1)
    assert line.kinds(0) == [Progress, Accepted, Ended]
    assert line.kinds(1) == [Incoming, Confirmed, Ended]
    assert line.sent == ["INVITE", "100", "180", "200", "ACK", "BYE", "200"]


@pytest.mark.parametrize("lost", ["INVITE", "200", "ACK", "BYE"])
def test_one_loss_changes_nothing_for_the_users(pair: MakePair, lost: str) -> None:
    line = pair(lambda what, nth: what == lost and nth == 1)
    line.talk()
    line.run(3.0)
    line.do(0, "hang_up")
    line.run(3.0)
    assert line.kinds(0)[-2:] == [Accepted, Ended]
    assert line.kinds(1)[-2:] == [Confirmed, Ended]


def test_an_ack_that_never_comes_ends_the_call(pair: MakePair) -> None:
    line = pair(lambda what, nth: what == "ACK")
    line.talk()
    line.run(40.0)
    assert line.seen[1][-1] == Ended(line.session(1), "timeout", "no-ack", "<sip:192.0.2.2:5060>")
    assert line.kinds(0)[-1] is Ended


def test_cancel_before_the_first_1xx_waits_for_it(pair: MakePair) -> None:
    line = pair(lambda what, nth: what == "100" and nth == 1)
    line.dial()
    line.do(0, "hang_up")
    assert "CANCEL" not in line.sent
    line.run(2.0)
    assert line.kinds(1) == [Incoming, Ended]
    assert line.seen[0][-1].status == 487


def test_cancel_that_crosses_the_200_hangs_up_at_once(pair: MakePair) -> None:
    line = pair()
    line.dial()
    line.do(1, "ring")
    line.run(0.1)
    line.do(1, "accept", b"answer")
    line.do(0, "hang_up")
    line.run(2.0)
    assert line.seen[0][-1] == Ended(line.caller, "us", "CANCEL", "")
    assert line.kinds(1) == [Incoming, Confirmed, Ended]


def test_both_reinvite_at_once_and_both_get_through(pair: MakePair) -> None:
    line = pair()
    line.talk()
    line.do(0, "reoffer", b"hold")
    line.do(1, "reoffer", b"move")
    for _ in range(100):
        line.run(0.1)
        for side in (0, 1):
            if line.kinds(side)[-1] is ReInvited:
                line.do(side, "answer_offer", b"fine")
    assert [OfferAnswered in line.kinds(side) for side in (0, 1)] == [True, True]
    line.do(0, "hang_up")


def test_hanging_up_answers_the_peers_open_reinvite(pair: MakePair) -> None:
    line = pair()
    line.talk()
    line.do(0, "reoffer", b"hold")
    line.run(0.1)
    line.do(1, "hang_up")
    line.run(0.1)
    assert line.sent.count("487") == 1
    assert line.kinds(0)[-1] is Ended
    assert OfferRefused not in line.kinds(1)


def test_a_2xx_with_an_unreadable_route_still_makes_a_call(pair: MakePair) -> None:
    line = pair()
    line.dial()
    line.do(1, "accept", b"answer")
    at, order, side, data = line._wire.pop()
    line._wire.append((at, order, side, data.replace(b"Allow:", b"Record-Route: <<nonsense\r\nAllow:")))
    line.run(0.1)
    assert line.kinds(0)[-1] is Accepted
    line.do(0, "hang_up")


def test_a_merged_copy_is_no_second_call_even_after_a_refusal(pair: MakePair) -> None:
    line = pair()
    line.dial()
    line.do(1, "reject", 486)
    line.run(0.1)
    copy = (
        b"INVITE sip:b@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKother;rport\r\nMax-Forwards: 9\r\n"
        b"From: <sip:a@192.0.2.1>;tag=%s\r\nTo: <sip:b@192.0.2.2>\r\nCall-ID: %s\r\nCSeq: 1 INVITE\r\n\r\n"
    )
    request = line.seen[1][0].request
    names = (request.from_.tag.encode(), request.call_id.encode())
    (refusal,) = line.agents[1].receive_message(copy % names, ONE, line.now)
    assert isinstance(refusal, Transmit)
    assert title(refusal.message) == "482"


def test_draining_refuses_the_new_and_keeps_the_old(pair: MakePair) -> None:
    line = pair()
    line.talk()
    standing = line.caller
    line.agents[1].accepting = False
    line.dial()
    assert line.seen[0][-1].status == 503
    line.caller = standing
    line.do(0, "hang_up")
    line.run(0.1)
    assert line.kinds(1)[-1] is Ended


def test_an_unanswered_invite_times_out(pair: MakePair) -> None:
    line = pair(lambda what, nth: True)
    line.dial()
    line.run(40.0)
    assert line.seen[0] == [Rejected(line.caller, 408, "Request Timeout", None)]
    assert line.sent == ["INVITE"] * 7


@pytest.mark.parametrize(
    "data",
    [b"rubbish", b"OPTIONS sip:gw SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKx\r\nContent-Length: -1\r\n\r\n"],
)
def test_what_is_malformed_is_an_offence_of_its_source(data: bytes) -> None:
    one = Pair().agents[0]
    for outputs in (one.receive_message(data, TWO, 0.0), one.receive_malformed(data, TWO, 0.0)):
        assert [output for output in outputs if isinstance(output, Offence)] == [Offence(TWO, "malformed")]


INVITE = (
    b"INVITE sip:b@gw SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKnew\r\nMax-Forwards: 70\r\n"
    b"From: <sip:a@x>;tag=9\r\nTo: <sip:b@gw>\r\nCall-ID: new\r\nCSeq: 1 INVITE\r\nContact: <sip:a@x>\r\n\r\n"
)


def test_under_load_new_calls_are_shed_without_state_and_the_standing_one_goes_on() -> None:
    pair = Pair()
    pair.dial()
    pair.run(1.0)
    server = pair.agents[1]
    sessions = server.sessions
    (shed,) = server.refuse_new(INVITE, ONE, pair.now)
    assert isinstance(shed, Transmit)
    assert shed.data.startswith(b"SIP/2.0 503 ")
    assert b"\r\nRetry-After: " in shed.data
    assert isinstance(shed.message, Response)
    invite = parse_message(INVITE)
    assert isinstance(invite, Request)
    assert Overload.is_over(bytes(ack_for(invite, shed.message)))
    assert (server.sessions, server.counters["answered 503"]) == (sessions, 1)


def test_what_was_taken_is_not_shed_when_it_comes_again() -> None:
    server, now = Pair().agents[1], 0.0
    first, *_ = server.receive_message(INVITE, ONE, now)
    assert server.refuse_new(INVITE, ONE, now) == [first]
    assert server.counters["answered 503"] == 0


def test_what_is_malformed_is_told_so_under_load_too() -> None:
    server = Pair().agents[1]
    told, _ = server.refuse_new(INVITE.replace(b"branch=", b"="), ONE, 0.0)
    assert isinstance(told, Transmit)
    assert told.data.startswith(b"SIP/2.0 400 ")
    assert server.refuse_new(b"INVITE", ONE, 0.0) == [Offence(ONE, "malformed")]
