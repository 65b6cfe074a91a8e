"""Reliable provisional responses (RFC 3262) between two user agents, and the ledgers they keep."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.sip.message import Headers, Request, Response
from gateway.sip.outputs import Accepted, Confirmed, Ended, Incoming, OfferAnswered, Progress, ReInvited, Rejected
from gateway.sip.policy import Policy, Reliable
from gateway.sip.reliable import Received, Unacknowledged, rack_of, rseq_of
from tests.sip.pair import MakePair, Pair

OFF, CAN, MUST = Policy(), Policy(reliable=Reliable.SUPPORTED), Policy(reliable=Reliable.REQUIRED)


def rung(pair: MakePair, *losses: str, policies: tuple[Policy, Policy] = (CAN, CAN), body: bytes = b"offer") -> Pair:
    """A call up to where it rings; ``losses``: titles that never arrive."""
    line: Pair = pair(lambda what, nth: what in losses, policies=policies)
    line.dial(body)
    return line


def last(line: Pair, what: str, side: int | None = None) -> Any:
    return line.of(what, side)[-1]


@pytest.mark.parametrize(
    ("text", "found"),
    [("7 1 INVITE", (7, 1, "INVITE")), ("7  1\tINVITE", (7, 1, "INVITE")), ("", None), ("7 INVITE", None),
     ("-7 1 INVITE", None), ("99999999999 1 INVITE", None)],
)  # fmt: skip
def test_rack(text: str, found: tuple[int, int, str] | None) -> None:
    assert rack_of(Request("PRACK", "sip:x", Headers([("RAck", text)]))) == found


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ([("RSeq", "7"), ("Require", "100rel")], 7),
        ([("RSeq", "7"), ("Require", "x, 100REL")], 7),
        ([("RSeq", "7")], None),
        ([("Require", "100rel")], None),
        ([("RSeq", "seven"), ("Require", "100rel")], None),
    ],
)
def test_rseq(lines: list[tuple[str, str]], found: int | None) -> None:
    assert rseq_of(Response(183, "", Headers(lines))) == found


def test_each_is_taken_once_and_in_order() -> None:
    ledger = Received()
    assert [ledger.take(number) for number in (8, 8, 10, 9, 7, 10)] == [True, False, False, True, False, True]


@pytest.mark.parametrize("chance", [0.0, 0.5, 1.0])
def test_rseq_starts_where_it_has_room_to_grow(chance: float) -> None:
    assert 0 <= Unacknowledged.first(chance) < 2**31 - 2**16


# --- one response -----------------------------------------------------------------------------------------------------


def test_a_183_with_an_answer_is_acknowledged_and_the_200_says_nothing_again(pair: MakePair) -> None:
    line = rung(pair)
    line.ring(183, b"answer")
    line.run(0.1)
    early = last(line, "183")
    assert early.headers.get("Require") == "100rel"
    assert last(line, "PRACK", 0).headers.get("RAck") == f"{early.headers.get('RSeq')} 1 INVITE"
    assert last(line, "PRACK", 0).cseq.number == 2
    assert last(line, "200 PRACK", 1)
    line.do(1, "accept", b"answer")
    line.run(0.1)
    assert last(line, "200 INVITE", 1).body == b""
    assert line.kinds(0) == [Progress, Accepted]
    assert line.kinds(1) == [Incoming, Confirmed]
    line.do(0, "hang_up")
    line.run(0.1)
    assert line.kinds(1)[-1] is Ended
    assert last(line, "BYE", 0).cseq.number == 3


@pytest.mark.parametrize("policies", [(OFF, CAN), (CAN, OFF), (OFF, OFF)])
def test_where_one_side_does_not_do_it_nothing_is_acknowledged(pair: MakePair, policies: tuple[Policy, Policy]) -> None:
    line = rung(pair, policies=policies)
    line.ring(183, b"answer")
    line.run(0.1)
    line.do(1, "accept", b"answer")
    line.run(0.1)
    assert line.of("PRACK") == []
    assert last(line, "183").headers.get("RSeq") is None
    assert last(line, "200 INVITE").body == b"answer"
    line.do(0, "hang_up")


def test_it_is_sent_again_until_its_prack(pair: MakePair) -> None:
    line = rung(pair, "PRACK")
    line.ring(183, b"answer")
    line.run(0.1)
    line.run(8.0)
    sent = line.times("183", 1)
    assert [round(at - sent[0], 2) for at in sent] == [0.0, 0.5, 1.5, 3.5, 7.5]
    assert line.kinds(0) == [Progress], "a repeat is no news"
    assert len({message.via.branch for message in line.of("PRACK", 0)}) == 1
    line.do(0, "hang_up")


def test_without_a_prack_it_is_over_in_64_t1(pair: MakePair) -> None:
    line = rung(pair, "PRACK")
    line.ring(183, b"answer")
    line.run(40.0)
    assert [title for title in line.sent if title == "183"] == ["183"] * 7
    assert last(line, "504 INVITE", 1)
    assert (line.seen[1][-1].by, line.seen[1][-1].how) == ("timeout", "no-prack")
    assert line.seen[0][-1].status == 504


def test_a_lost_prack_or_its_200_is_made_good(pair: MakePair) -> None:
    for lost in ("PRACK", "200"):
        line = pair(lambda what, nth, lost=lost: what == lost and nth == 1, policies=(CAN, CAN))
        line.dial()
        line.ring(183, b"answer")
        line.run(2.0)
        line.do(1, "accept", b"answer")
        line.run(2.0)
        assert line.kinds(0) == [Progress, Accepted]
        assert line.kinds(1) == [Incoming, Confirmed]
        line.do(0, "hang_up")


@pytest.mark.parametrize(
    "rack", [b"RAck: 1 1 INVITE", b"RAck: nonsense", b"RAck: %d 9 INVITE", b"RAck: %d 1 BYE", b"X: y"]
)
def test_a_prack_of_something_else_is_refused(pair: MakePair, rack: bytes) -> None:
    line = rung(pair)
    line.ring(183, b"answer")
    number = int(last(line, "183").headers.get("RSeq"))
    said = rack % number if b"%d" in rack else rack
    line.edit = lambda side, data: data.replace(b"RAck: %d 1 INVITE" % number, said)
    line.run(0.1)
    assert last(line, "481 PRACK", 1)
    line.run(1.5)
    assert len(line.of("183")) == 3, "it still waits"
    line.do(0, "hang_up")


def test_a_second_prack_of_the_same_is_refused(pair: MakePair) -> None:
    line = rung(pair)
    line.ring(183, b"answer")
    line.run(0.1)
    dialog = next(iter(line.agents[0]._sessions._by_id.values())).dialog
    assert dialog is not None
    rack = [("RAck", last(line, "PRACK").headers.get("RAck"))]
    request, hop = dialog.request("PRACK", via=line.agents[0].wire.via, headers=rack)
    line.take(0, line.agents[0].layer.send(request, hop, None, line.now)[1])
    line.run(0.1)
    assert len(line.of("200 PRACK")) == 1
    assert len(line.of("481 PRACK")) == 1
    line.do(0, "hang_up")


# --- several, and the answer ------------------------------------------------------------------------------------------


def test_one_waits_at_a_time_and_the_next_follow_in_order(pair: MakePair) -> None:
    line = rung(pair)
    line.ring(183, b"answer")
    line.ring(180)
    line.ring(182)
    assert line.sent[-1] == "183"
    line.run(0.2)
    numbers = [
        int(message.headers.get("RSeq")) for message in (last(line, "183"), last(line, "180"), last(line, "182"))
    ]
    assert numbers == [numbers[0], numbers[0] + 1, numbers[0] + 2]
    assert [output.status for output in line.seen[0]] == [183, 180, 182]
    assert len(line.of("PRACK")) == 3
    line.do(1, "accept", b"answer")
    line.run(0.1)
    line.do(0, "hang_up")


def test_the_200_waits_while_an_sdp_is_not_acknowledged(pair: MakePair) -> None:
    """RFC 3262 §3. Further provisional responses are not needed any more."""
    line = pair(lambda what, nth: what == "PRACK" and nth < 3, policies=(CAN, CAN))
    line.dial()
    line.ring(183, b"answer")
    line.ring(180)
    line.do(1, "accept", b"answer")
    line.run(0.9)
    assert line.of("200 INVITE") == []
    line.ring(182)
    line.run(2.0)
    assert len(line.of("200 INVITE")) == 1
    assert line.of("180") == line.of("182") == []
    assert line.kinds(1) == [Incoming, Confirmed]
    line.do(0, "hang_up")


def test_the_200_takes_over_from_a_180_without_an_sdp_and_its_prack_is_still_good(pair: MakePair) -> None:
    line = rung(pair)
    line.ring()
    line.do(1, "accept", b"answer")
    line.run(3.0)
    assert len(line.of("180")) == 1
    assert last(line, "200 INVITE").body == b"answer"
    assert len(line.of("200 PRACK")) == 1
    assert line.kinds(0) == [Progress, Accepted]
    line.do(0, "hang_up")


@pytest.mark.parametrize("verb", ["hang_up", "cancel"])
def test_giving_up_while_the_200_waits(pair: MakePair, verb: str) -> None:
    line = rung(pair, "PRACK")
    line.ring(183, b"answer")
    line.do(1, "accept", b"answer")
    line.run(0.1)
    line.do(1 if verb == "hang_up" else 0, "hang_up")
    line.run(1.0)
    assert line.kinds(0)[-1] is Rejected
    assert line.seen[0][-1].status == (480 if verb == "hang_up" else 487)
    assert line.kinds(1)[-1] is Ended


def test_every_minute_there_is_a_new_one(pair: MakePair) -> None:
    """§3, RFC 3261 §13.3.1.1: proxies give up after three; the SDP is not said again."""
    line = rung(pair)
    line.ring(183, b"answer")
    line.run(130.0)
    assert [message.body for message in line.of("183")] == [b"answer", b"", b""]
    assert len(line.of("200 PRACK")) == 3
    line.do(0, "hang_up")


def test_a_refusal_does_not_wait(pair: MakePair) -> None:
    line = rung(pair, "PRACK")
    line.ring(183, b"answer")
    line.do(1, "reject", 486)
    line.run(5.0)
    assert line.seen[0][-1].status == 486
    assert len(line.of("183")) == 1


# --- offers -----------------------------------------------------------------------------------------------------------


def test_no_offer_in_the_invite_ours_in_the_180_his_answer_in_the_prack(pair: MakePair) -> None:
    line = rung(pair, policies=(MUST, CAN), body=b"")
    line.edit = lambda side, data: (
        data.replace(b"Content-Length: 0", b"Content-Type: application/sdp\r\nContent-Length: 6") + b"answer"
        if data.startswith(b"PRACK")
        else data
    )
    line.ring(180, b"offer")
    line.run(0.2)
    assert line.seen[1][-1] == OfferAnswered(line.session(1), b"answer")
    line.do(1, "accept", b"offer")
    line.run(0.1)
    assert last(line, "200 INVITE").body == b""
    assert line.seen[1][-1] == Confirmed(line.session(1), b"")
    line.do(0, "hang_up")


def test_without_an_offer_either_way_nothing_is_reliable(pair: MakePair) -> None:
    """§5: the first reliable response to an INVITE without an offer has to have one."""
    line = rung(pair, body=b"")
    line.ring(180)
    line.run(0.1)
    assert last(line, "180").headers.get("RSeq") is None
    line.do(1, "accept", b"offer")
    line.run(0.1)
    line.do(0, "hang_up")


def test_an_offer_in_the_prack_is_answered_in_its_200(pair: MakePair) -> None:
    line = rung(pair)
    line.edit = lambda side, data: (
        data.replace(b"Content-Length: 0", b"Content-Type: application/sdp\r\nContent-Length: 4") + b"more"
        if data.startswith(b"PRACK")
        else data
    )
    line.ring(183, b"answer")
    line.run(0.05)
    assert line.seen[1][-1] == ReInvited(line.session(1), b"more")
    line.do(1, "answer_offer", b"fine")
    line.edit = lambda side, data: data
    line.ring(180)
    line.run(0.2)
    assert [message.body for message in line.of("200 PRACK", 1)] == [b"fine", b""]
    line.do(0, "hang_up")


def test_an_offer_in_the_prack_of_a_180_that_answered_nothing_is_out_of_turn(pair: MakePair) -> None:
    line = rung(pair)
    line.edit = lambda side, data: (
        data.replace(b"Content-Length: 0", b"Content-Type: application/sdp\r\nContent-Length: 4") + b"more"
        if data.startswith(b"PRACK")
        else data
    )
    line.ring(180)
    line.run(0.1)
    assert last(line, "491 PRACK", 1)
    assert ReInvited not in line.kinds(1)
    line.do(0, "hang_up")


# --- who wants what ---------------------------------------------------------------------------------------------------


def test_a_trunk_without_refuses_who_requires_it(pair: MakePair) -> None:
    line = rung(pair, policies=(MUST, OFF))
    line.run(0.1)
    assert last(line, "420 INVITE", 1).headers.get("Unsupported") == "100rel"
    assert line.seen[0][-1].status == 420


def test_a_trunk_that_requires_it_refuses_who_lacks_it(pair: MakePair) -> None:
    line = rung(pair, policies=(OFF, MUST))
    line.run(0.1)
    assert last(line, "421 INVITE", 1).headers.get("Require") == "100rel"
    assert line.seen[0][-1].status == 421


def test_what_an_invite_says() -> None:
    assert Policy().offered() == []
    assert CAN.offered() == [("Supported", "100rel")]
    assert MUST.offered() == [("Require", "100rel")]
    assert Policy(1800, Reliable.SUPPORTED).offered() == [("Supported", "timer, 100rel")]
    assert Policy(1800, Reliable.REQUIRED).offered() == [("Supported", "timer"), ("Require", "100rel")]


# --- the calling side -------------------------------------------------------------------------------------------------


def progress(line: Pair, tag: str, number: int, status: int = 183, body: bytes = b"") -> bytes:
    invite = line.of("INVITE", 0)[0]
    head = (
        f"SIP/2.0 {status} Early\r\nVia: {invite.headers.get('Via')}\r\nFrom: {invite.headers.get('From')}\r\n"
        f"To: <sip:b@192.0.2.2>;tag={tag}\r\nCall-ID: {invite.call_id}\r\nCSeq: 1 INVITE\r\n"
        f"Contact: <sip:{tag}@192.0.2.2>\r\nRequire: 100rel\r\nRSeq: {number}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def test_order_repeats_and_gaps_on_each_fork_by_itself(pair: MakePair) -> None:
    line = rung(pair)
    us = line.agents[0]
    told = []
    for tag, number in [("x", 5), ("y", 900), ("x", 5), ("x", 7), ("x", 6), ("y", 901), ("x", 7), ("y", 900)]:
        outputs = us.receive_message(progress(line, tag, number), line.agents[0].settings.advertised["udp"], line.now)
        line.take(0, outputs)
        told.append((tag, number) if any(isinstance(output, Progress) for output in outputs) else None)
    assert told == [("x", 5), ("y", 900), None, None, ("x", 6), ("y", 901), ("x", 7), None]
    pracks = [(message.uri_text, message.to.tag, message.headers.get("RAck"), message.cseq.number)
              for message in line.of("PRACK", 0)]  # fmt: skip
    assert pracks == [
        ("sip:x@192.0.2.2", "x", "5 1 INVITE", 2),
        ("sip:y@192.0.2.2", "y", "900 1 INVITE", 2),
        ("sip:x@192.0.2.2", "x", "6 1 INVITE", 3),
        ("sip:y@192.0.2.2", "y", "901 1 INVITE", 3),
        ("sip:x@192.0.2.2", "x", "7 1 INVITE", 4),
    ]
    line.do(0, "hang_up")
    line.run(1.0)


def test_a_peer_that_forks_without_end_costs_no_memory(pair: MakePair) -> None:
    line = rung(pair)
    us = line.agents[0]
    for number in range(1000):
        us.receive_message(progress(line, f"t{number}", 1), us.settings.advertised["udp"], line.now)
    (session,) = us._sessions._by_id.values()
    assert len(session._early) == 16  # type: ignore[attr-defined]
    line.do(0, "hang_up")
    line.run(50.0)
