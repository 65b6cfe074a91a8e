"""Who gets a short message that was sent to X: a pure function of what the store found.

| mode | who writes | gets it                              | else                                |
|------|------------|--------------------------------------|-------------------------------------|
| AXB  | A or B     | the other                            | NO_BINDING                          |
| AX   | A          | the number behind the text's last @  | Question: the customer decides      |
| AX   | others     | A, with the sender's number appended | NO_BINDING                          |
| X    | anybody    | Question                             |                                     |
| AXE, AXYB |       | nobody                               | NO_SMS                              |
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from gateway.bindings.decisions import Found
from gateway.bindings.models import Application, Binding, Mode, NumberStatus
from gateway.messages.addressing import addressed, signed
from gateway.numbers import PhoneNumber

_MOBILE = re.compile(r"\+861[3-9][0-9]{9}\Z")


class SendResult(IntEnum):
    """sendResult of the notice (privatenumber.md section 9)."""

    SENT = 0
    FROZEN = 1
    NO_BINDING = 2
    NUMBER_SUSPENDED = 3
    NOT_COMMERCIAL = 4
    INTERNAL = 5
    DISCARDED = 6
    NO_ANSWER = 7
    BLACKLISTED = 8
    PARTLY_SENT = 9
    FAILED = 10
    NO_SMS = 11
    KEYWORD_MISSING = 12
    KEYWORD_FORBIDDEN = 13


class Direction(IntEnum):
    """0 others to A (AXB: B to A), 1 A to others, 2 abnormal."""

    TO_A = 0
    FROM_A = 1
    ABNORMAL = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    """Send ``text`` to ``receiver``, from X."""

    receiver: PhoneNumber
    text: str
    direction: Direction
    binding: Binding | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Ask the customer's server (Block)."""

    direction: Direction
    binding: Binding | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Discard:
    """Nobody gets it."""

    result: SendResult
    direction: Direction = Direction.ABNORMAL
    binding: Binding | None = None


MessageDecision = Forward | Question | Discard


def route_message(sender: PhoneNumber | None, x: PhoneNumber, text: str, found: Found, at: datetime) -> MessageDecision:
    """What to do with ``text`` of ``sender`` (None: withheld) to ``x``; ``found.application`` is set."""
    application, number = found.application, found.number
    assert application is not None
    assert number is not None
    if application.frozen or application.suspended:
        return Discard(result=SendResult.FROZEN)
    if not application.enabled:
        return Discard(result=SendResult.NOT_COMMERCIAL)
    if not number.status.carries_calls:
        suspended = number.status is NumberStatus.SUSPENDED
        return Discard(result=SendResult.NUMBER_SUSPENDED if suspended else SendResult.NO_BINDING)
    if not (application.sms and number.sms) or application.mode in (Mode.AXE, Mode.AXYB):
        return Discard(result=SendResult.NO_SMS)
    if sender is None or not _MOBILE.match(sender.e164):
        return Discard(result=SendResult.NO_BINDING)
    decision = _by_mode(sender, application, _live(found, x, at), text)
    if decision.binding is not None and not decision.binding.sms:
        return Discard(result=SendResult.NO_SMS, direction=decision.direction, binding=decision.binding)
    wrong = keywords(application, text)
    if wrong is not None and not isinstance(decision, Discard):
        return Discard(result=wrong, direction=decision.direction, binding=decision.binding)
    return decision


def _live(found: Found, x: PhoneNumber, at: datetime) -> tuple[Binding, ...]:
    return tuple(one for one in found.bindings if one.x == x and one.live(at))


def _by_mode(sender: PhoneNumber, application: Application, live: tuple[Binding, ...], text: str) -> MessageDecision:
    if application.mode is Mode.X:
        return Question(direction=Direction.ABNORMAL)
    if not live:
        return Discard(result=SendResult.NO_BINDING)
    binding = live[0]
    if application.mode is Mode.AXB:
        if binding.b is None or sender not in (binding.a, binding.b):
            return Discard(result=SendResult.NO_BINDING)
        from_a = sender == binding.a
        direction = Direction.FROM_A if from_a else Direction.TO_A
        return _forward(binding.b if from_a else binding.a, text, direction, binding)
    if sender != binding.a:
        return _forward(binding.a, signed(text, sender), Direction.TO_A, binding)
    read = addressed(text)
    if read is None or read[1] in (binding.a, binding.x):
        return Question(direction=Direction.FROM_A, binding=binding)
    return _forward(read[1], read[0], Direction.FROM_A, binding)


def _forward(receiver: PhoneNumber, text: str, direction: Direction, binding: Binding) -> MessageDecision:
    if not _MOBILE.match(receiver.e164):
        return Discard(result=SendResult.NO_BINDING, direction=direction, binding=binding)
    return Forward(receiver=receiver, text=text, direction=direction, binding=binding)


def keywords(application: Application, text: str) -> SendResult | None:
    """What the application's word lists have against a text: a forbidden word, or none of the required ones."""
    folded = text.casefold()
    if any(word and word.casefold() in folded for word in application.keywords_forbidden):
        return SendResult.KEYWORD_FORBIDDEN
    required = [word.casefold() for word in application.keywords_required if word]
    if required and not any(word in folded for word in required):
        return SendResult.KEYWORD_MISSING
    return None
