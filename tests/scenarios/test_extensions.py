"""AXE: the caller dials an extension behind X; A calls back. Whole calls in virtual time."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.bindings.models import Binding, Callback, Mode
from gateway.calls.events import Collected
from gateway.causes import Cause
from gateway.lab.analysis import dominant, seconds_of
from gateway.lab.checks import heard_between
from gateway.lab.phone import Phone
from gateway.lab.script import Script
from gateway.sip.build import request as build_request
from gateway.sip.message import Request, parse_message
from tests.sim.world import CALLEE, CALLER, RECORDED, START, TRUNK, A, B, C, World, X, application

OWNER = application(mode=Mode.AXE)
FULL = ["CallIn", "Collected", "CallOut", "Alerting", "Answered", "Disconnected"]
RING = Script(tone_hz=1300, hang_up_after=3.0)
PROMPT, WRONG = 1100, 350


def extension(**changes: object) -> Binding:
    binding = Binding(
        id="axe", application="demo", mode=Mode.AXE, x=X, a=A, extension="1234", created_at=START, policy=RECORDED
    )
    return replace(binding, **changes)  # type: ignore[arg-type]


def stage(*bindings: Binding, **world: object) -> World:
    return World(*(bindings or (extension(),)), owner=OWNER, **world)  # type: ignore[arg-type]


def dial(world: World, caller: Script, callee: Script = RING) -> tuple[Phone, Phone]:
    phones = world.phone(CALLER, caller), world.phone(CALLEE, callee)
    world.dial(phones[0], caller=B)
    return phones


def heard(phone: Phone, hertz: int) -> float:
    """For how many seconds the phone heard a tone before its answer."""
    return seconds_of(heard_between(phone, None, phone.answered_at), hertz)


@pytest.mark.parametrize("press", ["event", "tone"])
@pytest.mark.parametrize("at", [0.6, 4.0])
def test_the_extension_reaches_its_a(press: str, at: float) -> None:
    """During the prompt and after it, by telephone-event and in the sound."""
    world = stage()
    caller, callee = dial(world, Script(tone_hz=700, digits="1234", early_digits_at=at, press=press))
    world.finish()
    record = world.record
    assert (record.cause, record.direction, record.extension) == (Cause.NORMAL, 0, "1234")
    assert (record.caller, record.callee, record.shown, record.binding) == (B, A, X, "axe")
    assert world.kinds == FULL
    (collected,) = [event for event in world.events() if isinstance(event, Collected)]
    assert collected.digits == "1234"
    assert heard(caller, PROMPT) >= 0.2
    assert callee.answered_at is not None
    assert dominant(heard_between(callee, callee.answered_at + 2.6, callee.answered_at + 2.9)) == 700
    assert callee.heard_digits() == "", "the extension is not dialled into the callee's ear"
    assert record.recorded


def test_digits_by_info_after_an_early_answer() -> None:
    """A trunk without early media: the prompt needs an answered call, and INFO a dialog."""
    world = stage(trunk=replace(TRUNK, early_media=False))
    caller, _ = dial(world, Script(tone_hz=700, digits="1234", digits_at=1.0, press="info"))
    world.finish()
    assert world.record.cause is Cause.NORMAL
    assert world.kinds == FULL
    assert world.record.answered is not None
    assert caller.answered_at is not None
    assert world.record.answered > caller.answered_at + 1.0, "the customer pays from the callee's answer on"


def test_digits_by_info_before_the_answer() -> None:
    world = stage()
    caller, _ = dial(world, Script(tone_hz=700))
    world.run(2.0)
    for number, digit in enumerate("1234", 2):
        world.take(world.exchange.receive_message(info(caller, number, digit), CALLER, world.now))
        world.run(0.3)
    world.finish()
    assert (world.record.cause, world.record.extension) == (Cause.NORMAL, "1234")
    assert world.kinds == FULL


def info(phone: Phone, number: int, digit: str) -> bytes:
    """An INFO in the early dialog that the phone's INVITE and its 183 have made."""
    invite = next(parse_message(one.data) for one in phone.traces if one.sent and one.title == "INVITE")
    ringing = next(parse_message(one.data) for one in phone.traces if one.title.startswith("183"))
    assert isinstance(invite, Request)
    made = build_request(
        "INFO", invite.uri_text, via=f"SIP/2.0/UDP {CALLER.host}:5060;branch=z9hG4bKinfo{number};rport",
        from_=invite.headers.get("From") or "", to=ringing.headers.get("To") or "", call_id=invite.call_id,
        cseq=invite.cseq.number + number, body=f"Signal={digit}\r\nDuration=160\r\n".encode(),
        content_type="application/dtmf-relay",
    )  # fmt: skip
    return bytes(made)


def test_a_number_that_is_taken_away_while_its_caller_dials() -> None:
    """The customer who was told of the call is told of its end, and his quota is given back."""
    world = stage()
    dial(world, Script(tone_hz=700, digits="1234", early_digits_at=1.0))
    world.run(0.9)
    world.lookup.gone = True
    world.finish()
    assert world.record.cause is Cause.NUMBER_UNKNOWN_HERE
    assert world.record.application == "demo"
    assert {event.application for event in world.events()} == {"demo"}
    assert not world.exchange._plant.quota.calls


def test_hash_ends_a_short_extension_and_star_begins_anew() -> None:
    world = stage(extension(extension="12"))
    dial(world, Script(tone_hz=700, digits="99*12#", early_digits_at=0.6))
    world.finish()
    assert (world.record.cause, world.record.extension) == (Cause.NORMAL, "12")


def test_a_pause_ends_it_too() -> None:
    world = stage(extension(extension="12"))
    dial(world, Script(tone_hz=700, digits="12", early_digits_at=0.6))
    world.finish()
    assert world.record.extension == "12"
    assert world.record.forwarded is not None
    assert world.record.forwarded - world.record.started > 5.0


def test_a_wrong_extension_may_be_tried_again() -> None:
    world = stage()
    caller, _ = dial(world, Script(tone_hz=700, digits="9999", early_digits_at=0.6))
    world.until(lambda: heard_twice(caller)).after(0.0, lambda: caller._sender.dial("1234"))
    world.finish()
    assert (world.record.cause, world.record.extension) == (Cause.NORMAL, "1234")
    assert world.kinds == FULL


def heard_twice(phone: Phone) -> bool:
    return seconds_of(heard_between(phone, None, None), PROMPT) > 0.7


def test_three_wrong_ones_are_the_end() -> None:
    world = stage()
    caller, callee = dial(world, Script(tone_hz=700, digits="999988887777", early_digits_at=0.6))
    world.finish()
    record = world.record
    assert (record.cause, record.extension, record.direction) == (Cause.EXTENSION_UNKNOWN, "7777", 2)
    assert world.kinds == ["CallIn", "Collected", "Disconnected"]
    assert caller.status == 404
    assert heard(caller, WRONG) >= 0.3
    assert callee.traces == []


def test_an_expired_extension_is_a_wrong_one() -> None:
    owner = replace(OWNER, extension_tries=1)
    world = World(extension(expires_at=START), owner=owner)
    dial(world, Script(tone_hz=700, digits="1234", early_digits_at=0.6))
    world.finish()
    assert world.record.cause is Cause.EXTENSION_UNKNOWN


def test_nothing_dialled() -> None:
    world = stage()
    caller, _ = dial(world, Script(tone_hz=700))
    world.finish()
    assert world.record.cause is Cause.NO_DIGITS
    assert world.kinds == ["CallIn", "Disconnected"]
    assert heard(caller, PROMPT) >= 1.2, "it was played three times"
    assert world.record.ended is not None
    assert world.record.ended - world.record.started > 30


def test_the_caller_gives_up_before_he_has_dialled() -> None:
    world = stage()
    dial(world, Script(tone_hz=700, give_up_after=2.0))
    world.finish()
    assert world.record.cause is Cause.CALLER_GAVE_UP_BEFORE_FORWARD
    assert world.kinds == ["CallIn", "Disconnected"]


def test_the_customers_own_prompt() -> None:
    world = World(extension(), owner=replace(OWNER, tones={"enter_extension": "waiting.wav"}))
    caller, _ = dial(world, Script(tone_hz=700, digits="1234", early_digits_at=2.0))
    world.finish()
    assert heard(caller, 620) >= 0.5
    assert heard(caller, PROMPT) == 0


def test_a_lost_worker_ends_the_collecting() -> None:
    world = stage()
    dial(world, Script(tone_hz=700))
    world.run(2.0).kill_worker(0)
    world.finish()
    assert world.record.cause is Cause.OUT_OF_PORTS


def callback(world: World) -> None:
    caller = world.phone(CALLER, Script(tone_hz=1300))
    world.phone(CALLEE, Script(tone_hz=700, hang_up_after=2.0))
    world.dial(caller, caller=A)


def test_a_calls_back_who_called_him() -> None:
    world = stage(extension(callback=Callback(seconds=3600)))
    world.lookup.last_caller, world.lookup.last_called_at = C, START - timedelta(minutes=59)
    callback(world)
    world.finish()
    record = world.record
    assert (record.cause, record.direction, record.callee, record.shown) == (Cause.NORMAL, 1, C, X)
    assert "Collected" not in world.kinds


@pytest.mark.parametrize("last", [None, C])
def test_a_number_for_when_nobody_has_called(last: object) -> None:
    world = stage(extension(callback=Callback(number=B, seconds=3600)))
    world.lookup.last_caller = C if last else None
    world.lookup.last_called_at = START - timedelta(minutes=61)
    callback(world)
    world.finish()
    assert world.record.callee == B


def test_a_tone_for_when_nobody_has_called() -> None:
    world = stage(extension(callback=Callback(tone="waiting.wav")))
    callback(world)
    world.finish()
    assert world.record.cause is Cause.NO_CALLBACK_RECORD
    assert heard(world.phones[0], 620) >= 0.5
