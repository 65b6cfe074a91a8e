"""What carriers' networks say beside SIP's own words: P-Early-Media (RFC 5009), Reason (RFC 3326), and methods that
have no business in a call."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.causes import Cause
from gateway.lab.phone import Phone
from gateway.lab.script import Script
from gateway.sip.message import Request, parse_message
from tests.scenarios.test_ringing import dominant, heard_between, seconds_of
from tests.sim.world import CALLEE, CALLER, GATEWAY, TRUNK, World, pair

INACTIVE, SENDRECV = (("P-Early-Media", "inactive"),), (("P-Early-Media", "sendrecv"),)
SAYS = replace(TRUNK, p_early_media=True)


def call(b: Script, a: Script | None = None, world: World | None = None) -> World:
    world = world or World(pair())
    caller = world.phone(CALLER, a or Script(tone_hz=700))
    world.phone(CALLEE, b)
    world.dial(caller)
    return world


def header(phone: Phone, title: str, name: str) -> str | None:
    """Of the last message of a title that came to a phone."""
    data = [trace.data for trace in phone.traces if not trace.sent and trace.title == title][-1]
    return parse_message(data).headers.get(name)


# --- P-Early-Media ----------------------------------------------------------------------------------------------------


def test_a_network_that_sends_no_early_media_is_replaced_at_once() -> None:
    """183 with an SDP, but ``inactive``: our ring-back without the 400 ms of patience, and nothing of theirs."""
    b = Script(ringing=183, early_hz=620, tone_hz=1300, answer_after=3.0, hang_up_after=1.0, headers=INACTIVE)
    world = call(b).finish()
    caller = world.phones[0]
    before = heard_between(caller, None, caller.answered_at)
    assert seconds_of(before, 450) >= 0.9
    assert seconds_of(before, 620) == 0
    assert caller.heard()[0][0] - 100.0 < 0.4


def test_what_it_sends_then_is_relayed() -> None:
    """First ``inactive``, later ``sendrecv``, with the SDP that is known already."""
    b = Script(ringing=183, early_hz=620, tone_hz=1300, answer_after=5.0, hang_up_after=1.0, headers=INACTIVE)
    world = call(b)
    callee = world.phones[1]
    world.run(2.0)
    callee.script = replace(callee.script, headers=SENDRECV)
    world.do(callee, callee._ring(world.now))
    world.finish()
    caller = world.phones[0]
    assert caller.answered_at is not None
    assert seconds_of(heard_between(caller, None, 101.9), 450) >= 0.9
    assert dominant(heard_between(caller, 102.5, caller.answered_at)) == 620


def test_a_trunk_with_the_switch_says_it_to_who_understands_it() -> None:
    understands = Script(tone_hz=700, headers=(("P-Early-Media", "supported"),))
    b = Script(ringing=183, early_hz=620, tone_hz=1300, answer_after=1.0, hang_up_after=1.0)
    told = call(b, understands, World(pair(), trunk=SAYS)).finish()
    assert header(told.phones[0], "183 Session Progress", "P-Early-Media") == "sendrecv"
    assert header(told.phones[1], "INVITE", "P-Early-Media") == "supported"
    for a, trunk in ((Script(tone_hz=700), SAYS), (understands, TRUNK)):
        silent = call(b, a, World(pair(), trunk=trunk)).finish()
        assert header(silent.phones[0], "183 Session Progress", "P-Early-Media") is None
        assert header(silent.phones[1], "INVITE", "P-Early-Media") == (None if trunk is TRUNK else "supported")


# --- Reason -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "reason", "cause", "q850"),
    [
        (480, "Q.850;cause=17", Cause.BUSY, 17),
        (500, 'Q.850;cause=1;text="+8613800000023 is unknown"', Cause.CALLEE_UNKNOWN, 1),
        (503, "SIP;cause=486, Q.850 ;cause=21", Cause.CALLEE_REJECTED, 21),
        (480, "Q.850;cause=42", Cause.CALLEE_SIDE_FAILED, 42),
        (486, "Q.850;cause=34", Cause.BUSY, 17),
        (480, "Q.850;cause=16", Cause.UNREACHABLE, 20),
        (480, "nonsense", Cause.UNREACHABLE, 20),
    ],
)
def test_the_callees_reason_counts_where_the_status_says_little(
    status: int, reason: str, cause: Cause, q850: int
) -> None:
    """And the number, but no word of it, is told to the caller."""
    b = Script(ring_after=None, refuse=status, refuse_after=0.3, headers=(("Reason", reason),))
    world = call(b).finish()
    assert (world.record.cause, world.record.q850, world.record.sip_status) == (cause, q850, status)
    caller = world.phones[0]
    assert caller.status == cause.sip_status
    (last,) = {trace.title for trace in caller.traces if not trace.sent and trace.title.startswith(str(caller.status))}
    assert header(caller, last, "Reason") == f'Q.850;cause={q850};text="{cause.text}"'


@pytest.mark.parametrize("side", [0, 1])
def test_a_reason_in_a_bye_crosses_as_a_number(side: int) -> None:
    says = Script(tone_hz=700, hang_up_after=1.0, headers=(("Reason", 'Q.850;cause=38;text="+8613800000023"'),))
    other = Script(tone_hz=1300)
    world = call(other, says).finish() if side == 0 else call(says, other).finish()
    assert world.record.cause is Cause.NORMAL
    assert header(world.phones[1 - side], "BYE", "Reason") == f'Q.850;cause=38;text="{Cause.NORMAL.text}"'


def test_a_reason_in_a_cancel_crosses_as_a_number() -> None:
    """The caller's exchange cancels since it was answered elsewhere, or its own clock ran out."""
    says = Script(give_up_after=1.0, headers=(("Reason", 'SIP;cause=487, Q.850;cause=102;text="+8613800000021"'),))
    world = call(Script(answer_after=None), says).finish()
    assert world.record.cause is Cause.CALLER_GAVE_UP_RINGING
    wanted = f'Q.850;cause=102;text="{Cause.CALLER_GAVE_UP_RINGING.text}"'
    assert header(world.phones[1], "CANCEL", "Reason") == wanted


# --- methods that have no business here -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "more", "status"),
    [
        ("REFER", "Refer-To: <sip:+8613900000000@elsewhere>\r\n", 405),
        ("SUBSCRIBE", "Event: presence\r\nExpires: 3600\r\n", 489),
        ("NOTIFY", "Event: message-summary\r\nSubscription-State: active\r\n", 489),
        ("PUBLISH", "Event: presence\r\n", 489),
        ("MESSAGE", "Content-Type: text/plain\r\n", 403),
        ("REGISTER", "", 405),
        ("OPTIONS", "", 200),
        ("INFO", "", 200),
        ("INFO", "Content-Type: application/dtmf-relay\r\n", 200),
        ("INFO", "Content-Type: application/media_control+xml\r\n", 415),
        ("INFO", "Info-Package: nothing\r\nContent-Type: text/plain\r\n", 469),
        ("UPDATE", "Contact: <sip:192.0.2.10>\r\n", 200),
        ("PRACK", "RAck: 1 1 INVITE\r\n", 481),
        ("BREW", "", 501),
    ],
)
@pytest.mark.parametrize("early", [True, False])
def test_any_method_within_a_call_is_answered_and_harms_nothing(
    method: str, more: str, status: int, early: bool
) -> None:
    world = call(Script(tone_hz=1300, answer_after=2.0, hang_up_after=3.0))
    caller = world.phones[0]
    world.run(1.0 if early else 3.0)
    (session,) = caller._agent._sessions._by_id.values()
    assert session.dialog is not None
    body = b"hello" if "Content-Type" in more else b""
    request, _ = session.dialog.request(method, via=caller._agent.wire.via, body=body)
    for line in more.split("\r\n")[:-1]:
        name, _, value = line.partition(": ")
        request.headers.add(name, value)
    world.network.send(bytes(request), caller.here, GATEWAY, world.now)
    world.run(0.2)
    answers = [parse_message(trace.data) for trace in caller.traces if not trace.sent]
    got = [one.status for one in answers if not isinstance(one, Request) and one.cseq.method == method]
    assert got == [status]
    world.finish()
    assert world.record.cause is Cause.NORMAL
    assert world.record.talk_seconds == pytest.approx(3.0, abs=0.1)
