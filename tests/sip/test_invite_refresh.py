"""Session timers at work between two user agents: refreshes by UPDATE and by re-INVITE, refusals, and the end."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.sip.message import parse_message
from gateway.sip.outputs import Accepted, Confirmed, Ended, Incoming, OfferAnswered, ReInvited, Rejected
from gateway.sip.policy import Policy
from tests.sip.pair import MakePair, Pair

TIMED = Policy(session_expires=90)
PLAIN = Policy()
NO_UPDATE = (b", UPDATE", b"")


def without_update(side: int, data: bytes) -> bytes:
    return data.replace(*NO_UPDATE)


def expires(message: Any) -> str | None:
    value = message.headers.get("Session-Expires")
    return str(value) if value is not None else None


def answering(line: Pair, seconds: float) -> None:
    """Let time pass; who is sent an offer answers it."""
    end = line.now + seconds
    while line.now < end:
        line.run(min(0.5, end - line.now))
        for side in (0, 1):
            if line.seen[side] and isinstance(line.seen[side][-1], ReInvited):
                line.do(side, "answer_offer", b"answer")


@pytest.mark.parametrize(("seconds", "hours"), [(90, 2), (1800, 2)])
@pytest.mark.parametrize("refresher", ["uac", "uas"])
def test_a_call_of_two_hours_is_refreshed_by_update(pair: MakePair, seconds: int, hours: int, refresher: str) -> None:
    line = pair(policies=(Policy(session_expires=seconds), Policy(session_expires=seconds)))
    said = b"Session-Expires: %d\r" % seconds
    line.edit = lambda side, data: data.replace(said, said[:-1] + b";refresher=%s\r" % refresher.encode())
    line.talk()
    line.run(hours * 3600.0)
    side = 0 if refresher == "uac" else 1
    refreshes = line.of("UPDATE")
    assert line.of("UPDATE", side) == refreshes
    assert len(refreshes) == pytest.approx(hours * 3600 // (seconds // 2), abs=1)
    assert all(message.body == b"" and expires(message) == f"{seconds};refresher=uac" for message in refreshes)
    assert all(expires(message) == f"{seconds};refresher=uac" for message in line.of("200 UPDATE"))
    assert line.kinds(0) + line.kinds(1) == [*line.kinds(0)[:2], Incoming, Confirmed]
    line.do(0, "hang_up")
    line.run(1.0)
    assert line.kinds(1)[-1] is Ended


@pytest.mark.parametrize("side", [0, 1])
def test_who_takes_no_update_gets_a_reinvite_with_the_same_description(pair: MakePair, side: int) -> None:
    policies = (TIMED, TIMED)
    line = pair(policies=policies)
    refresher = b"uac" if side == 0 else b"uas"
    line.edit = lambda who, data: without_update(who, data).replace(
        b"Session-Expires: 90\r", b"Session-Expires: 90;refresher=%s\r" % refresher
    )
    line.talk()
    answering(line, 200.0)
    offers = line.of("INVITE", side)[1 if side == 0 else 0 :]
    assert len(offers) == 4
    assert {message.body for message in offers} == {b"offer" if side == 0 else b"answer"}
    assert line.of("UPDATE") == []
    assert line.kinds(side)[-1] is OfferAnswered
    line.do(0, "hang_up")


def test_a_refused_update_is_followed_by_a_reinvite(pair: MakePair) -> None:
    """405 or 501: its Allow has lied."""
    line = pair(policies=(TIMED, TIMED))
    line.edit = lambda who, data: data.replace(b"Session-Expires: 90\r", b"Session-Expires: 90;refresher=uac\r")
    line.talk()
    line.edit = lambda who, data: (
        data.replace(b"SIP/2.0 200 OK", b"SIP/2.0 501 No") if b" UPDATE\r\n" in data and who == 1 else data
    )
    answering(line, 130.0)
    assert len(line.of("UPDATE")) == 1
    assert len(line.of("INVITE")) == 1 + 2
    line.do(0, "hang_up")


def test_no_refresh_comes_and_the_session_ends_before_it_expires(pair: MakePair) -> None:
    line = pair(lambda what, nth: what == "UPDATE", policies=(TIMED, TIMED))
    line.edit = lambda who, data: data.replace(b"Session-Expires: 90\r", b"Session-Expires: 90;refresher=uac\r")
    line.talk()
    answered = line.times("200 INVITE", 1)[0]
    line.run(100.0)
    (ended,) = [output for output in line.seen[1] if isinstance(output, Ended)]
    assert (ended.by, ended.how) == ("timeout", "expired")
    assert line.times("BYE", 1)[0] == pytest.approx(answered + 60.0, abs=0.1)


def test_a_refresh_without_an_answer_ends_the_call_by_bye(pair: MakePair) -> None:
    """RFC 4028 §10. With half an hour there is time for it: 32 s after the refresh, not at the end."""
    long = Policy(session_expires=1800)
    line = pair(lambda what, nth: what == "UPDATE", policies=(long, PLAIN))
    line.talk()
    line.run(1000.0)
    (ended,) = [output for output in line.seen[0] if isinstance(output, Ended)]
    assert ended.how == "408"
    assert line.times("BYE", 0)[0] == pytest.approx(line.times("UPDATE", 0)[0] + 32.0, abs=0.1)


@pytest.mark.parametrize("status", [b"488", b"500", b"503", b"403", b"600"])
def test_a_refused_refresh_does_not_end_the_call_before_its_time(pair: MakePair, status: bytes) -> None:
    line = pair(policies=(TIMED, TIMED))
    line.edit = lambda who, data: data.replace(b"Session-Expires: 90\r", b"Session-Expires: 90;refresher=uac\r")
    line.talk()
    answered = line.times("200 INVITE", 1)[0]
    line.edit = lambda who, data: (
        data.replace(b"SIP/2.0 200 OK", b"SIP/2.0 %s No" % status) if b" UPDATE\r\n" in data and who == 1 else data
    )
    line.run(55.0)
    assert 2 <= len(line.of("UPDATE")) <= 4
    assert Ended not in line.kinds(0) + line.kinds(1)
    line.edit = lambda who, data: data
    line.run(20.0)
    assert Ended not in line.kinds(0) + line.kinds(1), "the next one is taken"
    assert line.now > answered + 60
    line.do(0, "hang_up")


def test_refused_for_good_it_ends_when_it_expires(pair: MakePair) -> None:
    line = pair(policies=(TIMED, PLAIN))
    line.edit = lambda who, data: (
        data.replace(b"Allow: ", b"Session-Expires: 90;refresher=uac\r\nRequire: timer\r\nAllow: ", 1)
        if data.startswith(b"SIP/2.0 200") and b" INVITE\r\n" in data
        else data.replace(b"SIP/2.0 200 OK", b"SIP/2.0 488 No")
        if b" UPDATE\r\n" in data
        else data
    )
    line.talk()
    line.run(70.0)
    (ended,) = [output for output in line.seen[0] if isinstance(output, Ended)]
    assert ended.how == "expired"
    assert line.times("BYE", 0)[0] == pytest.approx(61.1, abs=0.2)


@pytest.mark.parametrize("status", [b"408", b"481"])
def test_a_dialog_that_the_other_side_has_lost_ends(pair: MakePair, status: bytes) -> None:
    line = pair(policies=(TIMED, PLAIN))
    line.talk()
    line.edit = lambda who, data: (
        data.replace(b"SIP/2.0 200 OK", b"SIP/2.0 %s No" % status) if b" UPDATE\r\n" in data and who == 1 else data
    )
    line.run(50.0)
    assert line.seen[0][-1] == Ended(line.caller, "peer", status.decode(), "")


def test_alone_we_refresh_and_nothing_expires(pair: MakePair) -> None:
    """The callee knows no timers: its answers show that it lives, a refusal too."""
    line = pair(policies=(TIMED, PLAIN))
    line.talk()
    line.edit = lambda who, data: (
        data.replace(b"SIP/2.0 200 OK", b"SIP/2.0 403 No") if b" UPDATE\r\n" in data and who == 1 else data
    )
    line.run(1000.0)
    assert Ended not in line.kinds(0)
    assert 10 <= len(line.of("UPDATE", 0)) <= 23
    line.do(0, "hang_up")


def test_off_nothing_is_said_and_nothing_refreshed(pair: MakePair) -> None:
    line = pair(policies=(PLAIN, PLAIN))
    line.talk()
    line.run(7200.0)
    assert line.sent == ["INVITE", "100", "180", "200", "ACK"]
    assert all(expires(message) is None for _, _, message in line.messages)
    line.do(0, "hang_up")


def test_the_invite_comes_again_after_a_422(pair: MakePair) -> None:
    line = pair(policies=(Policy(session_expires=90), Policy(session_expires=1800)))
    line.edit = lambda who, data: (
        data.replace(b"SIP/2.0 180 Ringing", b"SIP/2.0 422 Session Interval Too Small").replace(
            b"Allow: ", b"Min-SE: 300\r\nAllow: ", 1
        )
        if data.startswith(b"SIP/2.0 180")
        else data
    )
    line.dial()
    line.run(1.0)
    line.do(1, "ring")
    line.run(0.1)
    line.edit = lambda who, data: data
    first, second = line.of("INVITE", 0)
    assert expires(second) == "300"
    assert second.headers.get("Min-SE") == "300"
    assert (second.cseq.number, second.call_id) == (first.cseq.number + 1, first.call_id)
    assert second.from_.tag == first.from_.tag
    assert second.to.tag is None
    assert second.via.branch != first.via.branch
    line.do(0, "hang_up")
    line.run(1.0)
    line.do(1, "hang_up")
    assert line.kinds(0)[-1] is Rejected


def test_we_refuse_an_interval_below_90_seconds_at_the_door_and_within(pair: MakePair) -> None:
    line = pair(policies=(TIMED, TIMED))
    line.edit = lambda who, data: data.replace(b"Session-Expires: 90\r", b"Session-Expires: 60\r") if who == 0 else data
    line.dial()
    line.run(1.0)
    assert line.of("422 INVITE", 1)[0].headers.get("Min-SE") == "90"
    assert line.seen[0][-1].status == 422
    again = pair(policies=(TIMED, TIMED))
    again.talk()
    again.edit = lambda who, data: data.replace(b"Session-Expires: 90;", b"Session-Expires: 60;")
    again.do(0, "reoffer", b"hold")
    again.run(1.0)
    assert again.of("422 INVITE", 1)
    assert ReInvited not in again.kinds(1)
    again.do(0, "hang_up")


def test_a_refresh_refused_with_422_asks_for_more_at_once(pair: MakePair) -> None:
    line = pair(policies=(TIMED, PLAIN))
    line.talk()
    line.edit = lambda who, data: (
        data.replace(b"SIP/2.0 200 OK", b"SIP/2.0 422 No\r\nMin-SE: 200", 1)
        if b" UPDATE\r\n" in data and who == 1 and len(line.of("UPDATE", 0)) == 1
        else data
    )
    line.run(50.0)
    assert [expires(message) for message in line.of("UPDATE", 0)] == ["90;refresher=uac", "200;refresher=uac"]
    line.do(0, "hang_up")


def test_glare_between_two_refreshes(pair: MakePair) -> None:
    """Both sides re-INVITE at the same moment: 491 to both, and the session is refreshed all the same."""
    line = pair(policies=(TIMED, PLAIN))
    line.edit = without_update
    line.talk()
    line.run(line.times("200 INVITE", 1)[0] + 45.005 - line.now)
    line.do(1, "reoffer", b"moved")
    answering(line, 30.0)
    assert line.of("491 INVITE", 0)
    assert line.of("491 INVITE", 1)
    assert Ended not in line.kinds(0) + line.kinds(1)
    assert OfferAnswered in line.kinds(1)
    line.do(0, "hang_up")


def test_a_hold_refreshes_too(pair: MakePair) -> None:
    line = pair(policies=(TIMED, TIMED))
    line.edit = lambda who, data: data.replace(b"Session-Expires: 90\r", b"Session-Expires: 90;refresher=uac\r")
    line.talk()
    line.run(30.0)
    line.do(1, "reoffer", b"hold")
    answering(line, 1.0)
    renewed = line.now
    line.run(40.0)
    assert line.of("UPDATE") == []
    line.run(10.0)
    assert len(line.of("UPDATE", 0)) == 1
    assert line.times("UPDATE", 0)[0] == pytest.approx(renewed + 45.0, abs=1.5)
    line.do(0, "hang_up")


def test_garbage_in_the_headers_of_a_timer_harms_nothing(pair: MakePair) -> None:
    line = pair(policies=(TIMED, TIMED))
    line.edit = lambda who, data: data.replace(b"Session-Expires: 90", b"Session-Expires: ;;=x").replace(
        b"Min-SE: 90", b"Min-SE: 4294967296"
    )
    line.talk()
    assert parse_message(bytes(line.of("200 INVITE", 1)[0]))
    assert line.kinds(0)[-1] is Accepted
    line.do(0, "hang_up")


def test_a_refresh_repeats_what_holds_and_not_what_was_refused(pair: MakePair) -> None:
    line = pair(policies=(TIMED, PLAIN))
    line.edit = without_update
    line.talk()
    line.do(0, "reoffer", b"video")
    line.run(0.1)
    line.do(1, "refuse_offer", 488)
    answering(line, 60.0)
    assert [message.body for message in line.of("INVITE", 0)] == [b"offer", b"video", b"offer"]
    line.do(0, "hang_up")
