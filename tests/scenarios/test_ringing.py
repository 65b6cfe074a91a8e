"""What the caller hears until the answer, and calls that nobody answers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.bindings.models import Application, Binding, Direction, Mode, TemporaryCallee
from gateway.causes import Cause
from gateway.lab.analysis import dominant, seconds_of
from gateway.lab.checks import heard_between
from gateway.lab.network import Link
from gateway.lab.phone import Phone
from gateway.lab.script import Script
from gateway.numbers import PhoneNumber
from gateway.sip.hop import Hop
from gateway.sip.message import parse_message
from tests.sim.world import CALLEE, CALLER, START, TRUNK, A, B, C, World, X, application, pair

LANDLINE = PhoneNumber("+8675582345678")


def call(b: Script, world: World | None = None, *, a: Script | None = None, caller: PhoneNumber = A) -> World:
    """Somebody dials X."""
    world = world or World()
    phone = world.phone(CALLER, a or Script(tone_hz=700))
    world.phone(CALLEE, b)
    world.dial(phone, caller=caller)
    return world


def reason(phone: Phone) -> str | None:
    """The Reason header of the refusal that the phone got."""
    refusal = next(trace for trace in phone.traces if not trace.sent and trace.data.startswith(b"SIP/2.0 4"))
    return parse_message(refusal.data).headers.get("Reason")


# --- ringing ----------------------------------------------------------------------------------------------------------


def test_a_180_without_media_brings_our_ring_back() -> None:
    world = call(Script(tone_hz=1300, answer_after=3.0, hang_up_after=1.0)).finish()
    caller = world.phones[0]
    assert seconds_of(heard_between(caller, None, caller.answered_at), 450) >= 0.9
    assert world.kinds == ["CallIn", "CallOut", "Alerting", "Answered", "Disconnected"]


def test_the_networks_early_media_is_relayed() -> None:
    world = call(Script(ringing=183, early_hz=620, tone_hz=1300, answer_after=3.0, hang_up_after=1.0)).finish()
    caller = world.phones[0]
    before = heard_between(caller, None, caller.answered_at)
    assert dominant(before) == 620
    assert seconds_of(before, 450) == 0
    assert "Alerting" not in world.kinds, "a 183 is no ringing"


def test_promised_media_that_does_not_come_is_replaced_after_400_ms() -> None:
    script = Script(ringing=183, early_media=False, tone_hz=1300, answer_after=3.0, hang_up_after=1.0)
    world = call(script).finish()
    caller = world.phones[0]
    promised = next(trace.at for trace in world.phones[1].traces if trace.title == "183 Session Progress")
    first = min(at for at, _ in caller.heard())
    assert first - promised == pytest.approx(0.4, abs=0.05)
    assert seconds_of(heard_between(caller, None, caller.answered_at), 450) >= 0.9


def test_media_that_comes_late_takes_over_from_our_ring_back() -> None:
    script = Script(ringing=183, early_media=False, tone_hz=1300, answer_after=6.0, hang_up_after=1.0)
    world = call(script)
    caller, callee = world.phones
    world.run(2.0)
    world.after(0.0, lambda: callee._start_audio(world.now))
    world.finish()
    assert dominant(heard_between(caller, 102.2, caller.answered_at)) is None, (
        "the early voice of the script is silence"
    )
    assert seconds_of(heard_between(caller, 102.2, caller.answered_at), 450) == 0


def test_a_network_that_says_nothing_at_all_gets_our_ring_back() -> None:
    world = call(Script(ring_after=None, tone_hz=1300, answer_after=6.0, hang_up_after=1.0)).finish()
    caller = world.phones[0]
    assert seconds_of(heard_between(caller, None, caller.answered_at), 450) >= 0.9
    assert world.record.rang is None


# --- nobody talks -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "cause", "told"),
    [
        (486, Cause.BUSY, 486),
        (600, Cause.BUSY, 486),
        (603, Cause.CALLEE_REJECTED, 603),
        (404, Cause.CALLEE_UNKNOWN, 404),
        (480, Cause.NO_ANSWER, 480),
        (408, Cause.NO_ANSWER, 480),
        (403, Cause.CALLEE_REFUSED, 403),
        (500, Cause.CALLEE_SIDE_FAILED, 502),
        (302, Cause.CALLEE_SIDE_FAILED, 502),
    ],
)
def test_the_callee_refuses(status: int, cause: Cause, told: int) -> None:
    world = call(Script(refuse=status)).finish()
    record = world.record
    assert (record.cause, record.sip_status) == (cause, status)
    assert world.phones[0].status == told
    assert record.talk_seconds == 0
    assert record.answered is None


def test_nobody_answers() -> None:
    world = call(Script(answer_after=None)).finish()
    assert world.record.cause is Cause.NO_ANSWER
    assert world.phones[0].status == 480
    assert world.record.rang is not None
    assert world.record.ended is not None
    assert world.record.ended - world.record.rang == pytest.approx(60.0, abs=0.1)


def test_nobody_is_there() -> None:
    """The callee's network never answers the INVITE: Timer B of RFC 3261."""
    world = World()
    caller = world.phone(CALLER, Script(tone_hz=700))
    world.dial(caller)
    world.finish()
    assert world.record.cause is Cause.CONNECT_TIMEOUT
    assert caller.status == 480
    assert world.kinds == ["CallIn", "CallOut", "Disconnected"]


def test_the_caller_gives_up_while_it_rings() -> None:
    world = call(Script(answer_after=None), a=Script(give_up_after=3.0)).finish()
    assert world.record.cause is Cause.CALLER_GAVE_UP_RINGING
    assert world.phones[0].status == 487
    assert world.phones[1].history[-1].what.startswith("ended by peer")


# --- nobody may -------------------------------------------------------------------------------------------------------


def test_a_caller_whom_nobody_knows_hears_why() -> None:
    world = call(Script(), caller=C).finish()
    caller, callee = world.phones
    assert world.record.cause is Cause.NO_BINDING
    assert caller.status == 404
    assert seconds_of(heard_between(caller, None, None), 350) >= 0.4
    assert callee.traces == []
    assert world.kinds == ["CallIn", "Disconnected"]


def test_a_withheld_number_is_nobodys() -> None:
    world = World()
    caller = world.phone(CALLER)
    uri = f"sip:{X.e164}@198.51.100.1"
    outputs = caller.dial(
        world.agent.settings.advertised["udp"], uri, world.now, caller="<sip:anonymous@anonymous.invalid>"
    )
    world.do(caller, outputs)
    world.finish()
    assert world.record.cause is Cause.NO_BINDING
    assert world.record.caller is None


def test_the_asserted_identity_counts_before_from() -> None:
    world = World()
    caller = world.phone(CALLER, Script(tone_hz=700))
    world.phone(CALLEE, Script(tone_hz=1300, hang_up_after=1.0))
    world.dial(caller, caller=X, headers=[("P-Asserted-Identity", f"<tel:{A.e164}>"), ("Privacy", "id")])
    world.finish()
    assert world.record.caller == A


@pytest.mark.parametrize(
    ("binding", "caller", "cause"),
    [
        (pair(direction=Direction.TO_A), A, Cause.WRONG_DIRECTION),
        (pair(direction=Direction.FROM_A), B, Cause.WRONG_DIRECTION),
        (pair(expires_at=START), A, Cause.NO_BINDING),
        (pair(a=LANDLINE), LANDLINE, Cause.LANDLINE_CALLER),
        (pair(x=C), A, Cause.NO_BINDING),
    ],
)
def test_calls_that_a_binding_does_not_allow(binding: Binding, caller: PhoneNumber, cause: Cause) -> None:
    world = call(Script(), World(binding), caller=caller).finish()
    assert world.record.cause is cause
    assert world.phones[0].status == cause.sip_status
    assert world.phones[1].traces == []
    assert f"cause={cause.q850}" in (reason(world.phones[0]) or "")


def test_a_number_that_is_none_of_ours() -> None:
    world = World()
    caller = world.phone(CALLER)
    world.dial(caller, called=PhoneNumber("+8617000000099"))
    world.finish()
    assert world.record.cause is Cause.NUMBER_UNKNOWN_HERE
    assert caller.status == 404


def test_a_database_that_is_gone() -> None:
    world = World()
    world.lookup.fails = True
    call(Script(), world).finish()
    assert world.phones[0].status == 503
    assert world.record.cause is Cause.NO_ROUTE
    world.lookup.fails = False
    again = world.phone(CALLER, Script(tone_hz=700))
    world.dial(again)
    world.phones[1].script = Script(tone_hz=1300, hang_up_after=1.0)
    world.finish()
    assert world.records[1].cause is Cause.NORMAL


def test_a_look_up_that_takes_too_long() -> None:
    world = World()
    world.lookup.seconds = 7.0
    call(Script(), world).finish()
    assert world.phones[0].status == 503
    assert world.phones[1].traces == []


# --- AX ---------------------------------------------------------------------------------------------------------------


def ax(**changes: object) -> World:
    """X stands for A alone."""
    owner: Application = application(mode=Mode.AX, memory_callback=bool(changes.pop("memory", False)))
    return World(pair(mode=Mode.AX, b=None, **changes), owner=owner)


def test_ax_anybody_reaches_a() -> None:
    world = call(Script(tone_hz=700, hang_up_after=2.0), ax(), a=Script(tone_hz=1300), caller=C).finish()
    assert (world.record.direction, world.record.callee, world.record.shown) == (0, A, X)
    assert world.record.cause is Cause.NORMAL


def test_ax_may_show_the_caller() -> None:
    world = call(Script(tone_hz=700, hang_up_after=2.0), ax(show_caller=True), a=Script(tone_hz=1300), caller=C)
    world.finish(leaks=False)
    assert world.record.shown == C
    invite = world.phones[1].traces[0].data
    assert C.e164.encode() in invite
    assert A.e164.encode() not in world.phones[0].received_bytes()


def test_ax_a_reaches_the_temporary_callee_once_it_is_set() -> None:
    world = ax()
    call(Script(), world).finish()
    assert world.record.cause is Cause.NO_TEMPORARY_CALLEE
    world.lookup.temporary = TemporaryCallee(binding="pair", callee=B, expires_at=world.wall(world.now + 60))
    again = world.phone(CALLER, Script(tone_hz=700))
    world.phones[1].script = Script(tone_hz=1300, hang_up_after=1.0)
    world.dial(again)
    world.finish()
    assert (world.records[1].callee, world.records[1].direction) == (B, 1)
    assert world.records[1].cause is Cause.NORMAL


def test_ax_a_calls_the_last_caller_back() -> None:
    world = ax(memory=True)
    world.lookup.last_caller = C
    call(Script(tone_hz=1300, hang_up_after=1.0), world).finish()
    assert world.record.callee == C
    assert world.record.cause is Cause.NORMAL


def test_ax_a_number_that_is_switched_off() -> None:
    world = call(Script(), ax(switched_on=False), caller=C).finish()
    assert world.record.cause is Cause.SWITCHED_OFF


# --- peers of a trunk -------------------------------------------------------------------------------------------------

SECOND = Hop("udp", "192.0.2.30", 5060)
TWO_PEERS = replace(TRUNK, peers=(CALLEE, SECOND))


@pytest.mark.parametrize("first", [Script(refuse=503, refuse_after=0.1, ring_after=None), None])
def test_the_next_peer_takes_what_the_first_can_not(first: Script | None) -> None:
    world = World(trunk=TWO_PEERS)
    caller = world.phone(CALLER, Script(tone_hz=700))
    if first is not None:
        world.phone(CALLEE, first)
    second = world.phone(SECOND, Script(tone_hz=1300, hang_up_after=2.0))
    world.dial(caller)
    world.finish()
    assert world.record.cause is Cause.NORMAL
    assert world.kinds == ["CallIn", "CallOut", "Alerting", "Answered", "Disconnected"]
    assert dominant(heard_between(caller, caller.answered_at, None)) == 1300
    assert second.traces[0].data.startswith(f"INVITE sip:{B.e164}@{SECOND.host}:5060".encode())
    assert second.traces[0].at - 100.0 == pytest.approx(4.0 if first is None else 0.15, abs=0.1)


def test_a_peer_that_wakes_up_too_late_rings_nobody_for_long() -> None:
    """The first peer's answer comes after we have turned to the second: it is cancelled, the call goes on."""
    late = Link(delay=3.0)
    world = World(trunk=TWO_PEERS, link_of=lambda source, target: late if CALLEE in (source, target) else None)
    caller = world.phone(CALLER, Script(tone_hz=700))
    first = world.phone(CALLEE, Script(answer_after=None))
    world.phone(SECOND, Script(tone_hz=1300, hang_up_after=6.0))
    world.dial(caller)
    world.finish()
    assert world.record.cause is Cause.NORMAL
    assert first.history[-1].what.startswith("ended by peer")
    assert dominant(heard_between(caller, caller.answered_at, None)) == 1300


@pytest.mark.parametrize("first", [Script(refuse=486, ring_after=None), Script(refuse=503, refuse_after=1.0)])
def test_what_the_callee_has_said_is_final(first: Script) -> None:
    """Busy is the callee's word; and a phone that has rung is not called twice."""
    world = World(trunk=TWO_PEERS)
    caller = world.phone(CALLER, Script(tone_hz=700))
    world.phone(CALLEE, first)
    second = world.phone(SECOND)
    world.dial(caller)
    world.finish()
    assert second.traces == []
    assert world.record.sip_status == first.refuse


def test_when_no_peer_takes_it_the_last_word_counts() -> None:
    world = World(trunk=TWO_PEERS)
    caller = world.phone(CALLER, Script(tone_hz=700))
    for hop in (CALLEE, SECOND):
        world.phone(hop, Script(refuse=503, refuse_after=0.1, ring_after=None))
    world.dial(caller)
    world.finish()
    assert world.record.sip_status == 503
    assert world.kinds == ["CallIn", "CallOut", "Disconnected"]


def test_a_caller_who_gives_up_before_the_next_peer_answers() -> None:
    world = World(trunk=TWO_PEERS)
    caller = world.phone(CALLER, Script(tone_hz=700, give_up_after=2.0))
    world.phone(CALLEE, Script(refuse=503, refuse_after=0.1, ring_after=None))
    second = world.phone(SECOND, Script(answer_after=None))
    world.dial(caller)
    world.finish()
    assert world.record.cause is Cause.CALLER_GAVE_UP_RINGING
    assert second.history[-1].what.startswith("ended by peer")
