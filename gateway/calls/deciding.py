"""What a decision does to a call: the next phase, unless a bar or a limit stands against it (barring.py, quota.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.bindings.decisions import Ask, Collect, Connect, Decision, Reject, barred_by
from gateway.calls.asking import Asking
from gateway.calls.barring import barred
from gateway.calls.collecting import Collecting
from gateway.calls.opening import Opening
from gateway.calls.recordable import unrecordable
from gateway.calls.refusing import Refusing, refusal_tone
from gateway.calls.ringing import Ringing

_HOUR = 3600

if TYPE_CHECKING:
    from gateway.calls.call import Call


def decide(call: Call, decision: Decision, now: float) -> Decision:
    """Note what routing has decided, or what bars the call in spite of it; what is to be done."""
    decision = call.decision = _barred(call, decision, now)
    known: dict[str, Any] = {}
    if isinstance(decision, Connect):
        known = {"direction": decision.direction, "shown": decision.shown, "callee": decision.callee}
    # Once its application is known a call stays its: whoever was told of the call is told of its end.
    call.change(
        application=decision.application or call.record.application,
        mode=str(decision.mode or call.record.mode),
        binding=decision.binding,
        user_data=decision.user_data,
        rule=decision.rule,
        tones=_tones(decision),
        **known,
    )
    return decision


def _tones(decision: Decision) -> str:
    """The tones that belong to it, for who asks afterwards."""
    match decision:
        case Connect():
            named = {"waiting": decision.waiting_tone, "notice": decision.notice if decision.record else "",
                     "callee": decision.callee_tone, "last minute": decision.last_minute}  # fmt: skip
        case Reject():
            named = {"refusal": decision.file or decision.tone}
        case _:
            named = {}
    return ", ".join(f"{use}: {name}" for use, name in named.items() if name)


def _barred(call: Call, decision: Decision, now: float) -> Decision:
    if isinstance(decision, Reject):
        return decision
    record, quota, settings = call.record, call.plant.quota, call.settings
    cause = barred(settings, record.caller, decision)
    if cause is None and isinstance(decision, Connect):
        cause = unrecordable(call, decision, now)
    if cause is None and not call.admitted:
        limits, application = decision.limits, decision.application
        day = "" if limits.minutes_per_day is None else settings.wall(now).astimezone(settings.zone).date().isoformat()
        cause = quota.admit(limits, application, record.x, record.caller, now, day)
        call.admitted = cause is None
        if call.admitted:
            surge = call.plant.usual.count(application, int(settings.wall(now).timestamp()) // _HOUR)
            if surge is not None:
                call.out.append(surge)
    if cause is None and isinstance(decision, Connect):
        cause = quota.admit_callee(decision.limits, decision.application, decision.callee, now)
    return decision if cause is None else barred_by(cause, decision)


def follow(call: Call, decision: Decision, now: float) -> None:
    """Do what was decided, as soon as there is media for it; a refusal without a tone needs none."""
    if isinstance(decision, Ask):
        call.enter(Asking(call), now)
        return
    tone = refusal_tone(call, decision) if isinstance(decision, Reject) else None
    if isinstance(decision, Reject) and (tone is None or not call.caller.early_media):
        call.end(decision.cause, now)
    elif not call.media.is_open:
        call.enter(Opening(call), now)
    elif isinstance(decision, Reject):
        call.enter(Refusing(call, decision.cause, tone or ""), now)
    elif isinstance(decision, Collect):
        call.enter(Collecting(call, decision), now)
    else:
        call.enter(Ringing(call), now)
