"""Offers within the dialog between two user agents: UPDATE and re-INVITE, one at a time, in the order of the table."""

from __future__ import annotations

import pytest

from gateway.sip.build import cancel_for
from gateway.sip.message import Request
from gateway.sip.outputs import Confirmed, Ended, OfferAnswered, OfferRefused, ReInvited
from gateway.sip.policy import Policy, Reliable
from tests.sip.pair import MakePair, Pair

CAN = Policy(reliable=Reliable.SUPPORTED)


def talking(pair: MakePair) -> Pair:
    line: Pair = pair()
    line.talk()
    return line


@pytest.mark.parametrize("method", ["UPDATE", "INVITE"])
@pytest.mark.parametrize("side", [0, 1])
def test_an_offer_by_either_side_is_answered(pair: MakePair, side: int, method: str) -> None:
    line = talking(pair)
    line.offer(side, b"hold", method)
    line.run(0.1)
    assert line.seen[1 - side][-1] == ReInvited(line.session(1 - side), b"hold")
    line.do(1 - side, "answer_offer", b"held")
    line.run(0.1)
    assert line.seen[side][-1] == OfferAnswered(line.session(side), b"held")
    assert line.sent.count("ACK") == (2 if method == "INVITE" else 1)
    line.do(0, "hang_up")


@pytest.mark.parametrize(("scheme", "port"), [("sip", 5060), ("sips", 5061)])
def test_every_contact_of_a_dialog_is_of_its_scheme(scheme: str, port: int) -> None:
    """RFC 3261 §8.1.1.8, §12.1.1, §12.2.1.1."""
    line = Pair()
    line.dial(uri=f"{scheme}:b@192.0.2.2")
    line.ring()
    line.do(1, "accept", b"answer")
    line.run(0.1)
    for side, method in ((0, "UPDATE"), (1, "INVITE")):
        line.offer(side, b"offer", method)
        line.run(0.1)
        line.do(1 - side, "answer_offer", b"fine")
        line.run(0.1)
    said = [
        (side, message.headers.get("Contact")) for _, side, message in line.messages if "Contact" in message.headers
    ]
    assert len(said) == 7
    assert set(said) == {(0, f"<{scheme}:192.0.2.1:{port}>"), (1, f"<{scheme}:192.0.2.2:{port}>")}
    line.do(0, "hang_up")
    line.run(0.1)


@pytest.mark.parametrize("method", ["UPDATE", "INVITE"])
def test_a_refused_offer_changes_nothing(pair: MakePair, method: str) -> None:
    line = talking(pair)
    line.offer(0, b"video", method)
    line.run(0.1)
    line.do(1, "refuse_offer", 488)
    line.run(0.1)
    assert line.seen[0][-1] == OfferRefused(line.caller, 488)
    line.offer(0, b"audio", method)
    line.run(0.1)
    assert line.seen[1][-1] == ReInvited(line.session(1), b"audio")
    line.do(1, "answer_offer", b"fine")
    line.run(0.1)
    line.do(0, "hang_up")


@pytest.mark.parametrize("methods", [("UPDATE", "UPDATE"), ("UPDATE", "INVITE"), ("INVITE", "UPDATE")])
def test_offers_that_cross_are_both_refused_and_both_get_through(pair: MakePair, methods: tuple[str, str]) -> None:
    line = talking(pair)
    for side in (0, 1):
        line.offer(side, b"offer", methods[side])
    began = line.now
    for _ in range(100):
        line.run(0.1)
        for side in (0, 1):
            if line.kinds(side)[-1] is ReInvited:
                line.do(side, "answer_offer", b"fine")
    assert [OfferAnswered in line.kinds(side) for side in (0, 1)] == [True, True]
    assert line.sent.count("491") >= 2
    again = [at for at, side, message in line.messages
             if side == 0 and at > began and isinstance(message, Request) and message.body == b"offer"]  # fmt: skip
    assert 2.1 <= again[0] - began <= 4.1, "RFC 3261 §14.1: who owns the Call-ID waits longer"
    line.do(0, "hang_up")


@pytest.mark.parametrize("method", ["UPDATE", "INVITE"])
def test_a_second_offer_before_the_answer_to_the_first(pair: MakePair, method: str) -> None:
    """500 with a time between 0 and 10 s (RFC 3261 §14.2, RFC 3311 §5.2); a peer that sends it is not ours."""
    line = talking(pair)
    line.offer(0, b"first", method)
    line.run(0.1)
    session = line.agents[0]._sessions.get(line.caller)
    assert session is not None
    session.offer = None
    line.offer(0, b"second", method)
    line.run(0.1)
    (refused,) = line.of(f"500 {method}", 1)
    assert 0 <= int(refused.headers.get("Retry-After")) <= 10
    line.do(1, "answer_offer", b"fine")
    line.run(0.1)
    line.do(0, "hang_up")
    line.run(20.0)


def test_an_offer_that_came_too_early_is_made_again_when_they_say(pair: MakePair) -> None:
    line = talking(pair)
    line.edit = lambda side, data: data.replace(b"SIP/2.0 488 Not Acceptable Here", b"SIP/2.0 500 No\r\nRetry-After: 5")
    line.offer(0, b"hold", "UPDATE")
    line.run(0.1)
    line.do(1, "refuse_offer", 488)
    line.run(4.9)
    assert len(line.of("UPDATE")) == 1
    line.run(0.3)
    assert len(line.of("UPDATE")) == 2
    line.do(1, "answer_offer", b"fine")
    line.run(0.1)
    assert line.kinds(0)[-1] is OfferAnswered
    line.do(0, "hang_up")


def test_an_update_without_an_offer_is_answered_whatever_is_under_way(pair: MakePair) -> None:
    line = talking(pair)
    line.do(0, "reoffer", b"hold")
    line.run(0.1)
    for side in (0, 1):
        line.request(side, "UPDATE")
    line.run(0.1)
    assert len(line.of("200 UPDATE")) == 2
    assert line.kinds(1)[-1] is ReInvited
    line.do(1, "answer_offer", b"held")
    line.run(0.1)
    line.do(0, "hang_up")


@pytest.mark.parametrize(("body", "status"), [(b"offer", 200), (b"", 491)])
def test_an_update_that_overtakes_the_ack(pair: MakePair, body: bytes, status: int) -> None:
    """Our 2xx had the answer: it is one more offer. It had the offer: that waits for its answer (RFC 3311 §5.2)."""
    line = pair(lambda what, nth: what == "ACK" and nth == 1)
    line.dial(body)
    line.do(1, "accept", b"description")
    line.run(0.1)
    line.request(0, "UPDATE", b"hold")
    line.run(0.1)
    if status == 200:
        line.do(1, "answer_offer", b"held")
        line.run(0.1)
    assert line.of(f"{status} UPDATE", 1)
    line.run(2.0)
    assert line.kinds(1)[-1] is Confirmed
    line.do(0, "hang_up")


def test_a_reinvite_before_the_ack_is_out_of_turn(pair: MakePair) -> None:
    line = pair(lambda what, nth: what == "ACK" and nth < 3)
    line.dial()
    line.do(1, "accept", b"answer")
    line.run(0.1)
    line.do(0, "reoffer", b"hold")
    line.run(0.1)
    assert line.of("491 INVITE", 1)
    line.run(10.0)
    line.do(1, "answer_offer", b"held")
    line.run(1.0)
    assert line.kinds(0)[-1] is OfferAnswered
    line.do(0, "hang_up")


def test_a_cancelled_reinvite(pair: MakePair) -> None:
    line = talking(pair)
    line.do(0, "reoffer", b"hold")
    line.run(0.1)
    invite = line.of("INVITE", 0)[-1]
    line.take(0, line.agents[0].layer.send(cancel_for(invite), line.agents[1].settings.advertised["udp"], None, 0.0)[1])
    line.run(0.1)
    assert line.of("200 CANCEL", 1)
    assert line.of("487 INVITE", 1)
    assert line.seen[0][-1] == OfferRefused(line.caller, 487)
    assert Ended not in line.kinds(0) + line.kinds(1)
    line.do(1, "answer_offer", b"too late")
    line.do(0, "hang_up")


@pytest.mark.parametrize("side", [0, 1])
def test_an_update_before_the_answer(pair: MakePair, side: int) -> None:
    """When the first offer and answer are acknowledged; then a second one after the answer."""
    line = pair(policies=(CAN, CAN))
    line.dial()
    line.ring(183, b"answer")
    line.run(0.1)
    line.offer(side, b"hold", "UPDATE")
    line.run(0.1)
    assert line.seen[1 - side][-1] == ReInvited(line.session(1 - side), b"hold")
    line.do(1 - side, "answer_offer", b"held")
    line.run(0.1)
    assert line.seen[side][-1] == OfferAnswered(line.session(side), b"held")
    line.do(1, "accept", b"answer")
    line.run(0.1)
    assert line.of("200 INVITE")[-1].body == b""
    line.offer(side, b"resume", "UPDATE")
    line.run(0.1)
    assert line.seen[1 - side][-1] == ReInvited(line.session(1 - side), b"resume")
    line.do(1 - side, "answer_offer", b"resumed")
    line.run(0.1)
    line.do(side, "hang_up")


@pytest.mark.parametrize(("side", "status"), [(0, 500), (1, 491)])
def test_an_update_before_the_first_answer_is_out_of_turn(pair: MakePair, side: int, status: int) -> None:
    line = pair()
    line.dial()
    line.ring(183, b"answer")
    line.run(0.1)
    line.request(side, "UPDATE", b"hold")
    line.run(0.1)
    assert line.of(f"{status} UPDATE", 1 - side)
    assert ReInvited not in line.kinds(1 - side)
    line.do(1, "accept", b"answer")
    line.run(0.1)
    line.do(0, "hang_up")


@pytest.mark.parametrize("end", ["reject", "hang_up"])
def test_an_end_answers_an_early_offer(pair: MakePair, end: str) -> None:
    line = pair(policies=(CAN, CAN))
    line.dial()
    line.ring(183, b"answer")
    line.run(0.1)
    line.offer(0, b"hold", "UPDATE")
    line.run(0.1)
    line.do(1, end, *((486,) if end == "reject" else ()))
    line.run(1.0)
    assert line.of("487 UPDATE", 1)
