"""AXYB and X mode as whole calls in virtual time, and what stops a call that a binding would let through."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.bindings.models import Binding, CallPolicy, Direction, Mode
from gateway.calls.outputs import Consult
from gateway.causes import Cause
from gateway.lab.analysis import dominant, seconds_of
from gateway.lab.checks import heard_between
from gateway.lab.phone import Phone
from gateway.lab.script import Script
from gateway.numbers import PhoneNumber
from gateway.questions import Verdict
from tests.sim.world import CALLEE, CALLER, START, A, B, C, World, X, Y, application, pair

AX_OF_AXYB = Binding(id="ax", application="demo", mode=Mode.AXYB, x=X, a=A, created_at=START)
AXYB = application(mode=Mode.AXYB)
ASKED = application(mode=Mode.X)


def call(world: World, caller: PhoneNumber, called: PhoneNumber = X, lasts: float = 3.0) -> tuple[Phone, Phone]:
    """A call that the callee answers, and ends after ``lasts`` seconds."""
    callee = Script(tone_hz=1300, hang_up_after=lasts)
    phones = world.phone(CALLER, Script(tone_hz=700)), world.phone(CALLEE, callee)
    world.dial(phones[0], caller=caller, called=called)
    return phones


# --- AXYB ---------------------------------------------------------------------------------------------------------


def test_a_new_b_gets_a_y_and_a_reaches_him_by_it() -> None:
    world = World(AX_OF_AXYB, owner=AXYB)
    call(world, B)
    world.until(lambda: bool(world.records))
    first = world.record
    assert (first.cause, first.direction, first.callee, first.shown) == (Cause.NORMAL, 0, A, Y)
    assert first.binding == "relation"
    call(world, A, Y)
    world.finish()
    second = world.records[1]
    assert (second.cause, second.direction, second.callee, second.shown) == (Cause.NORMAL, 1, B, X)
    assert second.x == Y


@pytest.mark.parametrize(
    ("caller", "called", "direction", "cause"),
    [
        (A, X, Direction.BOTH, Cause.OWN_NUMBER),
        (A, Y, Direction.BOTH, Cause.RELATION_MISSING),
        (C, Y, Direction.BOTH, Cause.RELATION_MISSING),
        (B, X, Direction.FROM_A, Cause.WRONG_DIRECTION),
    ],
)
def test_calls_that_have_no_relation(
    caller: PhoneNumber, called: PhoneNumber, direction: Direction, cause: Cause
) -> None:
    world = World(replace(AX_OF_AXYB, direction=direction), owner=AXYB)
    call(world, caller, called)
    world.finish()
    assert world.record.cause is cause
    assert world.kinds == ["CallIn", "Disconnected"]


def test_an_expired_relation_is_none() -> None:
    relation = replace(AX_OF_AXYB, id="r", b=B, y=Y, parent="ax", expires_at=START + timedelta(seconds=1))
    world = World(relation, owner=AXYB)
    world.run(2.0)
    call(world, A, Y)
    world.finish()
    assert world.record.cause is Cause.RELATION_MISSING


# --- X mode -------------------------------------------------------------------------------------------------------


def test_the_customer_says_whom() -> None:
    world = World(owner=ASKED)
    asked: list[Consult] = []

    def answer(question: Consult) -> Verdict:
        asked.append(question)
        return Verdict(
            id=1, callee=B.e164, shown=X.e164, waiting_tone="waiting.wav", callee_tone="last_minute.wav", record=True,
            notice="notice.wav", max_minutes=60, user_data="order-7",
        )  # fmt: skip

    world.lookup.answer = answer
    caller, callee = call(world, A, lasts=9.0)
    world.finish()
    (question,) = asked
    assert (question.application, question.caller, question.called) == ("demo", A, X)
    record = world.record
    assert (record.cause, record.callee, record.shown, record.binding) == (Cause.NORMAL, B, X, None)
    assert record.user_data == "order-7"
    assert record.recorded
    assert world.kinds == ["CallOut", "Alerting", "Answered", "Disconnected"], "callin was the question"
    assert {event.user_data for event in world.events()} == {"order-7"}
    assert seconds_of(heard_between(caller, None, caller.answered_at), 620) >= 0.5
    assert seconds_of(heard_between(callee, callee.answered_at, None), 1400) >= 0.2, "to the callee first"
    assert seconds_of(heard_between(caller, caller.answered_at, None), 1400) == 0
    assert callee.answered_at is not None
    assert dominant(heard_between(callee, callee.answered_at + 6.5, callee.answered_at + 8.5)) == 700


def test_the_customer_closes_with_a_tone() -> None:
    world = World(owner=ASKED)
    world.lookup.answer = lambda question: Verdict(id=1, cause=8014, close_tone="waiting.wav", user_data="no")
    caller, _ = call(world, A)
    world.finish()
    assert world.record.cause is Cause.NO_BINDING
    assert world.record.user_data == "no"
    assert seconds_of(heard_between(caller, None, None), 620) >= 0.5


@pytest.mark.parametrize("cause", [Cause.NO_BINDING, Cause.TONE_UNKNOWN])
def test_a_bad_answer(cause: Cause) -> None:
    world = World(owner=ASKED)
    world.lookup.answer = lambda question: Verdict(id=1, cause=int(cause))
    call(world, A)
    world.finish()
    assert world.record.cause is cause


def test_no_answer_in_time() -> None:
    world = World(owner=ASKED, question_timeout=3.0)
    world.lookup.seconds = 4.0  # of the look-up, which has five, and of the answer
    call(world, A)
    world.finish()
    assert world.record.cause is Cause.NO_BINDING


def test_the_caller_gives_up_while_the_customer_thinks() -> None:
    world = World(owner=ASKED)
    world.lookup.seconds = 2.0
    caller = world.phone(CALLER, Script(give_up_after=3.0))
    world.dial(caller)
    world.finish()
    assert world.record.cause is Cause.CALLER_GAVE_UP_BEFORE_FORWARD


# --- limits -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "cause"),
    [
        ({"max_calls": 1}, Cause.TENANT_OUT_OF_PORTS),
        ({"max_calls_per_x": 1}, Cause.RATE_LIMIT_NUMBER),
        ({"calls_per_second": 0.5}, Cause.RATE_LIMIT_APPLICATION),
        ({"calls_per_caller_minute": 1}, Cause.RATE_LIMIT_CALLER),
    ],
)
def test_limits_of_an_application(limit: dict[str, float], cause: Cause) -> None:
    world = World(pair(), owner=application(**limit))
    for _ in range(2):
        call(world, A)
        world.run(1.5)
    world.finish()
    assert sorted(record.cause or 0 for record in world.records) == [Cause.NORMAL, cause]
    call(world, A)
    world.finish()
    assert world.records[-1].cause is Cause.NORMAL, "all that was counted has been given back"


@pytest.mark.parametrize(
    ("settings", "callee", "cause"),
    [
        ({}, PhoneNumber("+12025550100"), Cause.INTERNATIONAL_OUT_BARRED),
        ({"allowed_prefixes": ("+8610",)}, B, Cause.PREFIX_BARRED),
        ({"home": "+1", "international_out": True}, B, Cause.INTERNATIONAL_IN_BARRED),
        ({"international_out": True, "allowed_prefixes": ("+1202",)}, PhoneNumber("+12025550100"), Cause.NORMAL),
    ],
)
def test_bars(settings: dict[str, object], callee: PhoneNumber, cause: Cause) -> None:
    world = World(pair(b=callee), **settings)
    call(world, A)
    world.finish()
    assert world.record.cause is cause


@pytest.mark.parametrize(
    ("owner", "cause"),
    [
        ({"hours": "08:00-22:00"}, Cause.OUTSIDE_HOURS),  # START is 4 o'clock in Shanghai
        ({"hours": "22:00-06:00"}, Cause.NORMAL),
        ({"frozen": True}, Cause.SUBSCRIBER_FROZEN),
        ({"suspended": True}, Cause.ENTERPRISE_SUSPENDED),
        ({"enabled": False}, Cause.NO_PERMISSION),
    ],
)
def test_states_of_an_application(owner: dict[str, object], cause: Cause) -> None:
    world = World(pair(policy=CallPolicy()), owner=application(**owner))
    call(world, A)
    world.finish()
    assert world.record.cause is cause


def test_the_real_caller_may_not_be_shown() -> None:
    binding = Binding(id="ax", application="demo", mode=Mode.AX, x=X, a=A, created_at=START, show_caller=True)
    world = World(binding, owner=application(mode=Mode.AX, may_show_caller=False))
    call(world, B)
    world.finish()
    assert world.record.cause is Cause.SHOWING_CALLER_BARRED
