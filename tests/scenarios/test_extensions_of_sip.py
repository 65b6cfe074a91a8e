"""Whole calls with session timers (RFC 4028) and reliable provisional responses (RFC 3262), each leg by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.causes import Cause
from gateway.lab.network import Link
from gateway.lab.phone import Phone
from gateway.lab.script import Script
from gateway.sip.message import Request, parse_message
from gateway.sip.policy import Policy, Reliable
from tests.sim.world import CALLEE, CALLER, TRUNK, World, pair

OFF = Policy()
RELIABLE = Policy(reliable=Reliable.SUPPORTED)
MUST = Policy(reliable=Reliable.REQUIRED)
EARLY = {"ringing": 183, "early_hz": 900}


def call(a: Script, b: Script, trunk: Policy | None = None) -> tuple[World, Phone, Phone]:
    """A dials X; the trunk's policy is the default one unless it is given."""
    world = World(pair(), trunk=TRUNK if trunk is None else replace(TRUNK, policy=trunk))
    caller, callee = world.phone(CALLER, a), world.phone(CALLEE, b)
    world.dial(caller)
    return world, caller, callee


def count(phone: Phone, title: str, *, sent: bool = True) -> int:
    return sum(trace.sent is sent and trace.title == title for trace in phone.traces)


def said(phone: Phone, name: str, method: str) -> list[str | None]:
    """A header of the requests that came to a phone."""
    messages = [parse_message(trace.data) for trace in phone.traces if not trace.sent and trace.title == method]
    return [message.headers.get(name) for message in messages if isinstance(message, Request)]


# --- session timers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("caller_s", [0, 90, 1800])
@pytest.mark.parametrize("callee_s", [0, 90, 1800])
def test_two_hours_each_leg_with_its_own_interval(caller_s: int, callee_s: int) -> None:
    """Mute phones and no watch for silence, so that nothing but SIP happens in the two hours."""
    world = World(pair(), media_timeout=0.0)
    caller = world.phone(CALLER, Script(mute=True, policy=Policy(session_expires=caller_s)))
    callee = world.phone(CALLEE, Script(mute=True, policy=Policy(session_expires=callee_s), hang_up_after=7200.0))
    world.dial(caller)
    world.until(lambda: bool(world.records), 7300.0).finish()
    assert world.record.cause is Cause.NORMAL
    assert world.record.talk_seconds == pytest.approx(7200.0, abs=0.1)
    for phone, interval in ((caller, caller_s), (callee, callee_s)):
        refreshes = count(phone, "UPDATE") + count(phone, "UPDATE", sent=False)
        assert refreshes == pytest.approx(7200 / (min(interval or 1800, 1800) / 2), abs=2)


def test_no_timers_on_a_trunk_without() -> None:
    world = World(pair(), trunk=replace(TRUNK, policy=OFF), media_timeout=0.0)
    caller = world.phone(CALLER, Script(mute=True))
    callee = world.phone(CALLEE, Script(mute=True, hang_up_after=7200.0))
    world.dial(caller)
    world.until(lambda: bool(world.records), 7300.0).finish()
    assert count(caller, "UPDATE", sent=False) == count(callee, "UPDATE", sent=False) == 0
    assert said(callee, "Session-Expires", "INVITE") == [None]


@pytest.mark.parametrize("lost", ["caller", "callee"])
def test_a_party_that_is_gone_while_on_hold_does_not_hold_the_call_up_for_ever(lost: str) -> None:
    """No audio is missed while anybody holds; the refresh finds out."""
    gone = (("200", 999), ("BYE", 999), ("UPDATE", 999))
    timed = Policy(session_expires=90)
    a = Script(tone_hz=700, policy=timed, hold_at=2.0, mute=True)
    b = Script(tone_hz=1300, policy=timed, mute=True)
    world, caller, callee = call(a, b)
    world.until(lambda: caller.answered_at is not None)
    world.run(10.0)
    (caller if lost == "caller" else callee)._losses = dict(gone)
    world.until(lambda: bool(world.records), 400.0)
    assert world.record.cause is Cause.NORMAL
    assert world.record.talk_seconds < 140.0


# --- reliable provisional responses -----------------------------------------------------------------------------------


@pytest.mark.parametrize("a", [OFF, RELIABLE, MUST])
@pytest.mark.parametrize("b", [OFF, RELIABLE])
def test_each_leg_for_itself(a: Policy, b: Policy) -> None:
    world, caller, callee = call(
        Script(tone_hz=700, policy=a), Script(tone_hz=1300, policy=b, hang_up_after=2.0, **EARLY)
    )
    world.finish()
    assert world.record.cause is Cause.NORMAL
    assert count(caller, "PRACK") == (0 if a == OFF else 1)
    assert count(callee, "PRACK", sent=False) == (0 if b == OFF else 1)
    if a != OFF and b != OFF:
        numbers = [parse_message(trace.data).headers.get("RSeq") for phone, there in ((caller, False), (callee, True))
                   for trace in phone.traces if trace.sent is there and trace.title.startswith("183")]  # fmt: skip
        assert len(set(numbers)) == 2, "the callee's RSeq is his leg's alone"


def test_early_media_is_heard_when_everything_is_acknowledged() -> None:
    world, caller, _ = call(
        Script(tone_hz=700, policy=MUST),
        Script(tone_hz=1300, policy=RELIABLE, hang_up_after=2.0, answer_after=3.0, **EARLY),
    )
    world.finish()
    assert caller.answered_at is not None
    early = [at for at, _ in caller.heard() if at < caller.answered_at]
    assert len(early) > 100


@pytest.mark.parametrize("lost", [("PRACK", 1), ("PRACK", 3), ("183", 2), ("200", 1)])
@pytest.mark.parametrize("side", ["caller", "callee"])
def test_losses_are_made_good(lost: tuple[str, int], side: str) -> None:
    losses = {"loses": (lost,)}
    a = Script(tone_hz=700, policy=RELIABLE, **(losses if side == "caller" else {}))
    b = Script(tone_hz=1300, policy=RELIABLE, hang_up_after=6.0, **EARLY, **(losses if side == "callee" else {}))
    world, _, _ = call(a, b)
    world.finish()
    assert world.record.cause is Cause.NORMAL


def test_a_caller_who_never_acknowledges_gets_504_and_the_callee_is_let_go() -> None:
    world, caller, callee = call(
        Script(policy=RELIABLE, loses=(("PRACK", 99),)), Script(policy=RELIABLE, answer_after=None, **EARLY)
    )
    world.finish()
    assert caller.status == 504
    assert callee.phase.name == "OVER"
    assert world.record.answered is None


def test_a_caller_who_never_acknowledges_holds_the_answer_back() -> None:
    """RFC 3262 §3: no 200 while the answer's SDP in the 183 is not acknowledged."""
    world, caller, _ = call(Script(policy=RELIABLE, loses=(("PRACK", 99),)), Script(policy=RELIABLE, **EARLY))
    world.finish()
    assert caller.status == 504
    assert caller.answered_at is None


def test_a_trunk_without_refuses_who_requires_it() -> None:
    world, caller, callee = call(Script(policy=MUST), Script(), trunk=OFF)
    world.finish()
    assert caller.status == 420
    assert callee.traces == []
    assert world.exchange.counters["extension"] == 1


def test_a_trunk_that_requires_it_wants_it_of_both_sides() -> None:
    world, caller, callee = call(
        Script(tone_hz=700, policy=RELIABLE),
        Script(tone_hz=1300, policy=RELIABLE, hang_up_after=2.0, **EARLY),
        trunk=MUST,
    )
    world.finish()
    assert said(callee, "Require", "INVITE") == ["100rel"]
    assert count(caller, "PRACK") == 1
    again, caller, _ = call(Script(), Script(), trunk=MUST)
    again.finish()
    assert caller.status == 421


# --- calls that come round --------------------------------------------------------------------------------------------


def test_the_callee_gets_one_hop_less_than_the_caller_sent() -> None:
    """RFC 7332: a call that goes out and comes back again and again comes to an end."""
    world, _, callee = call(Script(tone_hz=700), Script(tone_hz=1300, hang_up_after=1.0))
    world.finish()
    assert said(callee, "Max-Forwards", "INVITE") == ["69"]


# --- bad networks -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(10))
def test_all_of_it_on_a_network_that_loses_a_third(seed: int) -> None:
    """Whether the call comes about or not: nothing is left, and each is told once (``finish``)."""
    everything = Policy(90, Reliable.SUPPORTED)
    world = World(pair(), seed=seed, link=Link(delay=0.03, jitter=0.02, loss=0.3, duplicate=0.1))
    caller = world.phone(CALLER, Script(tone_hz=700, policy=everything, mute=seed % 2 == 0))
    b = Script(tone_hz=1300, policy=everything, hang_up_after=130.0 if seed % 2 else 5.0, **EARLY)
    world.phone(CALLEE, b)
    world.dial(caller)
    world.finish()
    assert world.record.cause is not None
