"""Counting, addressing and routing of short messages."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.bindings.decisions import Found
from gateway.bindings.models import Application, Binding, Mode, Number, NumberStatus
from gateway.messages.addressing import addressed, signed
from gateway.messages.routing import Direction, Discard, Forward, Question, SendResult, route_message
from gateway.numbers import PhoneNumber
from gateway.sms.counting import parts

A, B, C = (PhoneNumber(f"+86138000000{digits}") for digits in (21, 23, 25))
X, FIXED = PhoneNumber("+8617000000001"), PhoneNumber("+8675528120000")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
AXB = Binding(id="b", application="app", mode=Mode.AXB, x=X, a=A, b=B, created_at=NOW)
AX = replace(AXB, mode=Mode.AX, b=None)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 1), ("a" * 160, 1), ("a" * 161, 2), ("a" * 306, 2), ("a" * 307, 3), ("€" * 80, 1), ("€" * 81, 2),
        ("a" * 152 + "€" + "a" * 10, 2), ("a" * 152 + "€" * 77, 3), ("你" * 70, 1), ("你" * 71, 2), ("你" * 134, 2),
        ("你" * 135, 3), ("a" * 70 + "你", 2), ("😀" * 35, 1), ("😀" * 36, 2), ("😀" * 66, 2), ("😀" * 67, 3), ("`", 1),
    ],
)  # fmt: skip
def test_parts(text: str, count: int) -> None:
    assert parts(text) == count


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("see you@13812345678", ("see you", "+8613812345678")),
        ("see you @ 13812345678", ("see you", "+8613812345678")),
        ("see@you@+8613812345678 ", ("see@you", "+8613812345678")),
        ("@8613812345678", ("", "+8613812345678")),
        ("see you＠13812345678", None), ("see you@1381234567", None), ("see you@138123456789", None),
        ("13812345678", None), ("see you@13812345678!", None), ("see you#13812345678", None), ("", None),
        ("see you@02812345678", None),
    ],
)  # fmt: skip
def test_addressed(text: str, read: tuple[str, str] | None) -> None:
    found = addressed(text)
    assert (None if found is None else (found[0], found[1].e164)) == read


def test_signed() -> None:
    assert signed("hi", B) == "hi[From +8613800000023]"


def route(sender: PhoneNumber | None, text: str = "hi", binding: Binding | None = AXB, **application: Any) -> Any:
    mode = application.pop("mode", binding.mode if binding else Mode.AXB)
    number = Number(x=X, application="app", **application.pop("number", {}))
    owner = Application(key="app", secret="s", mode=mode, **({"sms": True} | application))
    found = Found(number=number, application=owner, bindings=(binding,) if binding else ())
    return route_message(sender, X, text, found, NOW)


def test_axb_reaches_the_other() -> None:
    assert route(A) == Forward(receiver=B, text="hi", direction=Direction.FROM_A, binding=AXB)
    assert route(B) == Forward(receiver=A, text="hi", direction=Direction.TO_A, binding=AXB)


def test_ax_both_ways() -> None:
    assert route(B, binding=AX) == Forward(
        receiver=A, text="hi[From +8613800000023]", direction=Direction.TO_A, binding=AX
    )
    assert route(A, "hi@13800000025", AX) == Forward(receiver=C, text="hi", direction=Direction.FROM_A, binding=AX)
    for text in ("hi", "hi＠13800000025", "hi@13800000021", "hi@" + X.e164):
        assert route(A, text, AX) == Question(direction=Direction.FROM_A, binding=AX)


def test_x_mode_asks() -> None:
    assert route(A, binding=None, mode=Mode.X) == Question(direction=Direction.ABNORMAL)


@pytest.mark.parametrize(
    ("asked", "result"),
    [
        ({"sender": A, "frozen": True}, SendResult.FROZEN),
        ({"sender": A, "suspended": True}, SendResult.FROZEN),
        ({"sender": C}, SendResult.NO_BINDING),
        ({"sender": None}, SendResult.NO_BINDING),
        ({"sender": FIXED, "binding": AX}, SendResult.NO_BINDING),
        ({"sender": A, "binding": replace(AXB, b=FIXED)}, SendResult.NO_BINDING),
        ({"sender": A, "binding": None}, SendResult.NO_BINDING),
        ({"sender": A, "binding": replace(AXB, expires_at=NOW)}, SendResult.NO_BINDING),
        ({"sender": A, "number": {"status": NumberStatus.SUSPENDED}}, SendResult.NUMBER_SUSPENDED),
        ({"sender": A, "enabled": False}, SendResult.NOT_COMMERCIAL),
        ({"sender": A, "sms": False}, SendResult.NO_SMS),
        ({"sender": A, "number": {"sms": False}}, SendResult.NO_SMS),
        ({"sender": A, "binding": replace(AXB, sms=False)}, SendResult.NO_SMS),
        ({"sender": A, "binding": None, "mode": Mode.AXE}, SendResult.NO_SMS),
        ({"sender": A, "binding": None, "mode": Mode.AXYB}, SendResult.NO_SMS),
        ({"sender": A, "keywords_required": ("Parcel",)}, SendResult.KEYWORD_MISSING),
        ({"sender": A, "text": "A PARCEL bomb", "keywords_required": ("parcel",), "keywords_forbidden": ("Bomb",)},
         SendResult.KEYWORD_FORBIDDEN),
    ],
)  # fmt: skip
def test_what_nobody_gets(asked: dict[str, Any], result: SendResult) -> None:
    decision = route(**asked)
    assert isinstance(decision, Discard)
    assert decision.result is result


def test_a_required_word_lets_it_through() -> None:
    assert isinstance(route(A, "your parcel", keywords_required=("Parcel", "order")), Forward)
