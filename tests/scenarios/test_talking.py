"""Calls that are answered: who hears whom, what is recorded, every way to end."""

from __future__ import annotations

import pytest

from gateway.bindings.models import CallPolicy
from gateway.calls.events import Answered
from gateway.causes import Cause
from gateway.lab.analysis import dominant, level, seconds_of
from gateway.lab.audio import alaw, decode
from gateway.lab.checks import heard_between
from gateway.lab.phone import Phone
from gateway.lab.rtp import Packet
from gateway.lab.script import Script
from media import control
from tests.sim.world import CALLEE, CALLER, RECORDED, A, B, Tape, World, X, pair

ALL = ["CallIn", "CallOut", "Alerting", "Answered", "Disconnected"]


def call(a: Script, b: Script, world: World | None = None) -> tuple[World, Phone, Phone]:
    """A dials X, B's phone does the rest."""
    world = world or World()
    caller, callee = world.phone(CALLER, a), world.phone(CALLEE, b)
    world.dial(caller)
    return world, caller, callee


def heard(phone: Phone, start: float, end: float) -> int | None:
    """The tone that the phone heard, in seconds from its answer."""
    assert phone.answered_at is not None
    return dominant(heard_between(phone, phone.answered_at + start, phone.answered_at + end))


def seconds(phone: Phone, hertz: int, start: float, end: float) -> float:
    """For how long the phone heard a tone that comes and goes, in seconds from its answer."""
    assert phone.answered_at is not None
    return seconds_of(heard_between(phone, phone.answered_at + start, phone.answered_at + end), hertz)


def channel(tape: Tape, leg: int) -> int | None:
    """The tone on one side of a recording."""
    packets = [Packet.parse(packet) for side, _, packet in tape.packets if side == leg]
    return dominant(decode(b"".join(alaw(one.payload, one.payload_type) for one in packets if one)))


def test_a_standing_call_says_how_it_sounds() -> None:
    world, _, callee = call(Script(tone_hz=700), Script(tone_hz=1300, hang_up_after=12.0))
    world.until(lambda: callee.answered_at is not None)
    ((_, _, sound),) = world.exchange.standing
    assert sound is None
    world.until(lambda: world.now > (callee.answered_at or 0.0) + 11.0)
    ((_, _, sound),) = world.exchange.standing
    assert sound is not None
    for leg in sound:
        assert leg.mos is not None
        assert leg.mos > 4.3
        assert leg.lost_percent == 0.0
        assert leg.jitter_ms <= 5
    world.finish()


def test_a_call_is_answered_recorded_and_hung_up() -> None:
    world, caller, callee = call(
        Script(tone_hz=700), Script(tone_hz=1300, hang_up_after=6.0), World(pair(policy=RECORDED))
    )
    world.finish()
    record = world.record
    assert record.cause is Cause.NORMAL
    assert world.kinds == ALL
    assert (record.direction, record.caller, record.callee, record.shown) == (1, A, B, X)
    assert record.talk_seconds == pytest.approx(6.0, abs=0.05)
    for phone, other in ((caller, 1300), (callee, 700)):
        assert seconds(phone, 950, 0.0, 2.6) >= 0.4, "its beep lasts 0.5 s"
        assert seconds(phone, other, 0.0, 2.5) == 0
        assert heard(phone, 2.8, 5.9) == other
    for span in record.notice:
        assert span is not None
        assert span[1] - span[0] == pytest.approx(2.53, abs=0.05)
    (tape,) = world.tapes
    assert record.recorded
    assert (channel(tape, control.CALLER), channel(tape, control.CALLEE)) == (700, 1300)


def test_nobody_leaks_into_the_other_ear() -> None:
    world, caller, callee = call(Script(tone_hz=700), Script(tone_hz=1300, hang_up_after=3.0))
    world.finish()
    assert level(heard_between(caller, caller.answered_at, None), 700) < -50
    assert level(heard_between(callee, callee.answered_at, None), 1300) < -50


def test_b_reaches_a_through_the_same_number() -> None:
    world = World()
    caller = world.phone(CALLER, Script(tone_hz=1300))
    world.phone(CALLEE, Script(tone_hz=700, hang_up_after=2.0))
    world.dial(caller, caller=B)
    world.finish()
    assert (world.record.direction, world.record.caller, world.record.callee) == (0, B, A)
    assert world.record.cause is Cause.NORMAL


@pytest.mark.parametrize(("a", "b"), [(2.0, None), (None, 2.0), (2.0, 2.0), (2.0, 2.01), (2.01, 2.0)])
def test_either_side_hangs_up(a: float | None, b: float | None) -> None:
    world, _, _ = call(Script(tone_hz=700, hang_up_after=a), Script(tone_hz=1300, hang_up_after=b))
    world.finish()
    assert world.record.cause is Cause.NORMAL
    assert world.record.talk_seconds == pytest.approx(2.0, abs=0.1)
    assert world.kinds == ALL


def test_a_short_talk_leaves_no_recording() -> None:
    script = Script(tone_hz=1300, hang_up_after=2.9)
    world, _, _ = call(Script(tone_hz=700), script, World(pair(policy=RECORDED)))
    world.finish()
    assert not world.record.recorded
    assert world.record.recording is None


def test_the_waiting_tone_is_heard_until_the_answer() -> None:
    world = World(pair(policy=CallPolicy(tone_for_a="waiting.wav")))
    call(Script(tone_hz=700), Script(tone_hz=1300, answer_after=2.0, hang_up_after=2.0), world)
    world.finish()
    caller = world.phones[0]
    before = heard_between(caller, None, caller.answered_at)
    assert seconds_of(before, 620) >= 1.5
    assert heard(caller, 0.1, 1.9) == 1300


def test_the_maximum_duration_and_its_last_minute() -> None:
    world = World(pair(policy=CallPolicy(max_minutes=2, last_minute="last_minute.wav")))
    world, caller, callee = call(Script(tone_hz=700), Script(tone_hz=1300), world)
    world.finish()
    assert world.record.cause is Cause.MAX_DURATION
    assert world.record.talk_seconds == pytest.approx(120.0, abs=0.1)
    for phone in (caller, callee):
        assert seconds(phone, 1400, 60.0, 63.5) >= 0.3, "two beeps of 0.2 s"
        assert heard(phone, 1.0, 59.0) == (1300 if phone is caller else 700)
        assert heard(phone, 64.0, 119.0) == (1300 if phone is caller else 700)
        assert phone.ended is not None
        assert phone.ended.by == "peer"


def test_mu_law_on_one_side() -> None:
    world, caller, callee = call(Script(tone_hz=700), Script(tone_hz=1300, codecs=(0,), hang_up_after=2.0))
    world.finish()
    assert (heard(caller, 0.1, 1.9), heard(callee, 0.1, 1.9)) == (1300, 700)
    assert {arrival.data[1] & 0x7F for arrival in callee.arrivals} == {0}
    assert {arrival.data[1] & 0x7F for arrival in caller.arrivals} == {8}


def test_digits_cross() -> None:
    world, _, callee = call(Script(tone_hz=700, digits="159#"), Script(tone_hz=1300, hang_up_after=3.0))
    world.finish()
    assert callee.heard_digits() == "159#"


def test_hold_and_resume() -> None:
    script = Script(tone_hz=700, hold_at=1.0, resume_at=41.0)
    world, caller, callee = call(script, Script(tone_hz=1300, hang_up_after=43.0))
    world.finish()
    assert world.record.cause is Cause.NORMAL
    assert world.record.talk_seconds == pytest.approx(43.0, abs=0.1), "hold is no silence"
    assert caller.answered_at is not None
    times = [arrival.at - caller.answered_at for arrival in caller.arrivals]
    assert not [at for at in times if 1.1 < at < 40.9]
    assert heard(caller, 41.2, 42.9) == 1300
    assert heard(callee, 41.2, 42.9) == 700


def test_both_hold_at_the_same_moment() -> None:
    world, caller, callee = call(
        Script(tone_hz=700, hold_at=1.0, resume_at=2.0), Script(tone_hz=1300, hold_at=1.0, resume_at=2.0)
    )
    world.until(lambda: caller.answered_at is not None)
    world.after(4.0, lambda: world.do(caller, caller.hang_up(world.now)))
    world.finish()
    assert (heard(caller, 2.2, 3.8), heard(callee, 2.2, 3.8)) == (1300, 700)


def test_a_party_moves_to_another_port() -> None:
    world, caller, callee = call(Script(tone_hz=700, move_at=1.0), Script(tone_hz=1300, move_at=1.5, hang_up_after=4.0))
    world.finish()
    assert {arrival.port for arrival in caller.arrivals} == set(caller.media_ports)
    assert {arrival.port for arrival in callee.arrivals} == set(callee.media_ports)
    assert (heard(caller, 2.0, 3.9), heard(callee, 2.0, 3.9)) == (1300, 700)


@pytest.mark.parametrize("mute", ["caller", "callee"])
def test_a_silent_side_ends_the_call(mute: str) -> None:
    a, b = Script(tone_hz=700, mute=mute == "caller"), Script(tone_hz=1300, mute=mute == "callee")
    world, _, _ = call(a, b)
    world.finish()
    assert world.record.cause is Cause.NORMAL
    assert world.record.talk_seconds == pytest.approx(30.0, abs=1.0)


def test_the_customer_ends_a_call() -> None:
    world, caller, _ = call(Script(tone_hz=700), Script(tone_hz=1300))
    world.until(lambda: caller.answered_at is not None)
    world.run(2.0)
    (answered,) = [event for event in world.events() if isinstance(event, Answered)]
    assert world.exchange.stop_call(answered.session, world.now, application="another") == (False, [])
    found, outputs = world.exchange.stop_call(answered.session, world.now, application="demo")
    assert found
    world.take(outputs)
    world.finish()
    assert world.record.cause is Cause.STOPPED_BY_CUSTOMER
    assert world.kinds == ALL


def test_a_binding_that_expires_in_mid_call_leaves_the_call_alone() -> None:
    world = World(pair(expires_at=World().wall(103.0)))
    call(Script(tone_hz=700), Script(tone_hz=1300, hang_up_after=6.0), world)
    world.until(lambda: not world.exchange.active and bool(world.records))
    assert world.record.cause is Cause.NORMAL
    again = world.phone(CALLER)
    world.dial(again)
    world.finish()
    assert [record.cause for record in world.records] == [Cause.NORMAL, Cause.NO_BINDING]
