from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.bindings.decisions import Connect, Found, Reject
from gateway.bindings.models import (
    Application,
    Binding,
    CallPolicy,
    Direction,
    Mode,
    Number,
    NumberStatus,
    TemporaryCallee,
)  # fmt: skip
from gateway.bindings.routing import route
from gateway.causes import Cause
from gateway.numbers import PhoneNumber

A, B, C = (PhoneNumber(f"+861380000002{digit}") for digit in "135")
X, LANDLINE = PhoneNumber("+8617000000001"), PhoneNumber("+8675528120000")
NUMBER = Number(x=X, application="app")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
AXB = Binding(id="b", application="app", mode=Mode.AXB, x=X, a=A, b=B, created_at=NOW)
AX = replace(AXB, mode=Mode.AX, b=None)
TEMPORARY = TemporaryCallee(binding="b", callee=C, expires_at=NOW + timedelta(seconds=60), user_data="t")


def found(binding: Binding | None, *, mode: Mode | None = None, memory: bool = False) -> Found:
    mode = mode or (binding.mode if binding else Mode.AXB)
    application = Application(key="app", secret="s", mode=mode, recording=True, memory_callback=memory)
    return Found(number=NUMBER, application=application, bindings=(binding,) if binding else ())


@pytest.mark.parametrize(("caller", "callee", "direction"), [(A, B, 1), (B, A, 0)])
def test_axb_reaches_the_other(caller: PhoneNumber, callee: PhoneNumber, direction: int) -> None:
    decision = route(caller, X, found(AXB), NOW)
    assert isinstance(decision, Connect)
    assert (decision.callee, decision.shown, decision.direction) == (callee, X, direction)


@pytest.mark.parametrize(
    ("caller", "found_", "cause"),
    [
        (C, found(AXB), Cause.NO_BINDING),
        (None, found(AXB), Cause.NO_BINDING),
        (LANDLINE, found(replace(AXB, b=LANDLINE)), Cause.LANDLINE_CALLER),
        (B, found(replace(AXB, direction=Direction.FROM_A)), Cause.WRONG_DIRECTION),
        (A, found(replace(AXB, direction=Direction.TO_A)), Cause.WRONG_DIRECTION),
        (A, found(replace(AXB, expires_at=NOW)), Cause.NO_BINDING),
        (A, Found(), Cause.NUMBER_UNKNOWN_HERE),
        (A, replace(found(AXB), application=None), Cause.NO_APPLICATION),
        (A, replace(found(AXB), number=replace(NUMBER, status=NumberStatus.SUSPENDED)), Cause.NUMBER_SUSPENDED),
        (A, found(AX), Cause.NO_TEMPORARY_CALLEE),
        (A, found(AX, memory=True), Cause.NO_CALLBACK_RECORD),
        (A, replace(found(AX), temporary=replace(TEMPORARY, expires_at=NOW)), Cause.NO_TEMPORARY_CALLEE),
        (B, found(None, mode=Mode.AX), Cause.NO_PERMISSION),
        (B, found(replace(AX, switched_on=False)), Cause.SWITCHED_OFF),
        (B, found(replace(AX, direction=Direction.FROM_A)), Cause.WRONG_DIRECTION),
        (A, found(replace(AX, direction=Direction.TO_A)), Cause.WRONG_DIRECTION),
    ],
)  # fmt: skip
def test_refused(caller: PhoneNumber | None, found_: Found, cause: int) -> None:
    decision = route(caller, X, found_, NOW)
    assert isinstance(decision, Reject)
    assert decision.cause == cause


def test_ax_temporary_callee_goes_first_and_is_used_up() -> None:
    decision = route(A, X, replace(found(AX, memory=True), temporary=TEMPORARY, last_caller=B), NOW)
    assert isinstance(decision, Connect)
    assert (decision.callee, decision.consumes_temporary, decision.user_data) == (C, True, "t")


def test_ax_memory_callback() -> None:
    decision = route(A, X, replace(found(AX, memory=True), last_caller=B), NOW)
    assert isinstance(decision, Connect)
    assert (decision.callee, decision.consumes_temporary, decision.direction) == (B, False, 1)


@pytest.mark.parametrize(("show", "shown"), [(None, X), (False, X), (True, B)])
def test_ax_others_reach_a(show: bool | None, shown: PhoneNumber) -> None:
    decision = route(B, X, found(replace(AX, show_caller=show)), NOW)
    assert isinstance(decision, Connect)
    assert (decision.callee, decision.shown, decision.remember_caller) == (A, shown, True)


def test_policy_becomes_tones_and_limits() -> None:
    policy = CallPolicy(record=True, notice="n", tone_for_a="a", tone_for_others="o", last_minute="l", max_minutes=2)
    decision = route(B, X, found(replace(AXB, policy=policy)), NOW)
    assert isinstance(decision, Connect)
    assert (decision.record, decision.notice, decision.waiting_tone) == (True, "n", "o")
    assert (decision.last_minute, decision.max_seconds) == ("l", 120)
