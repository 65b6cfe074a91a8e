"""Who is called when somebody dials X: a pure function of what the store found.

| mode | who dials          | reaches                                                    | else                       |
|------|--------------------|------------------------------------------------------------|----------------------------|
| any  | no usable number   |                                                            | NO_BINDING                 |
| any  | a fixed line       |                                                            | LANDLINE_CALLER            |
| AXB  | A                  | B                                                          | NO_BINDING, no pair on X   |
| AXB  | B                  | A                                                          | likewise                   |
| AX   | A                  | temporary callee; else, with memory callback, last caller  | NO_TEMPORARY_CALLEE, or    |
|      |                    |                                                            | NO_CALLBACK_RECORD         |
| AX   | anybody else       | A                                                          | SWITCHED_OFF (turnFlag)    |
| AX   | X has no binding   |                                                            | NO_PERMISSION              |
| AXE  | A                  | last caller; else the number given for that                | NO_CALLBACK_RECORD         |
| AXE  | anybody else       | Collect, then the A of the extension                       | EXTENSION_UNKNOWN          |
| AXYB | B calls X          | A, who sees Y; a new B gets a Y first (NeedsRelation)      | RELATION_MISSING           |
| AXYB | A calls Y          | B, who sees X                                              | RELATION_MISSING           |
| AXYB | A calls his own X  |                                                            | OWN_NUMBER                 |
| X    | anybody            | Ask: the customer's server says                            |                            |

A call against the direction of the binding is WRONG_DIRECTION. privatenumber.md sections 2.5, 4, 8 and 14. ``turnFlag``
off stops the calls of others only: A's own calls through X go on. ``show_caller`` lets A see the caller, who is no A.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from gateway.bindings.areas import is_fixed_line
from gateway.bindings.decisions import (
    Ask,
    Collect,
    Connect,
    Decision,
    Found,
    NeedsRelation,
    Reject,
    limits_of,
    rules_of,
)
from gateway.bindings.models import Application, Binding, Direction, Mode, Number, NumberStatus
from gateway.causes import Cause
from gateway.numbers import PhoneNumber


def route(
    caller: PhoneNumber | None, called: PhoneNumber, found: Found, at: datetime, extension: str = ""
) -> Decision | NeedsRelation:
    """What to do with a call of ``caller`` (None: withheld or no number) to ``called`` at ``at`` (aware UTC).

    ``extension``: the digits that a Collect has brought, with which ``found`` was looked up.
    """
    application = found.application
    if found.number is None:
        return Reject(cause=Cause.NUMBER_UNKNOWN_HERE, tone="failed", rule="The called number is none of ours.")
    if application is None:
        return Reject(cause=Cause.NO_APPLICATION, tone="failed", rule="The called number has no application.")
    refused = _refused_beforehand(caller, found.number, application, at)
    if refused is not None:
        return refused
    assert caller is not None
    live = tuple(one for one in found.bindings if called in (one.x, one.y) and one.live(at))
    match application.mode:
        case Mode.AXB:
            return _route_axb(caller, application, live)
        case Mode.AX:
            return _route_ax(caller, application, live, found, at)
        case Mode.AXE:
            return _route_axe(caller, application, live, found, at, extension)
        case Mode.AXYB:
            return _route_axyb(caller, called, application, live)
        case Mode.X:
            return Ask(
                application=application.key, mode=Mode.X, limits=limits_of(application), recording=rules_of(application)
            )


def _refused_beforehand(
    caller: PhoneNumber | None, number: Number, application: Application, at: datetime
) -> Reject | None:
    if application.suspended:
        return _reject(application, Cause.ENTERPRISE_SUSPENDED, "no_permission", "The enterprise is suspended.")
    if application.frozen:
        return _reject(application, Cause.SUBSCRIBER_FROZEN, "no_permission", "The subscriber is frozen.")
    if not application.enabled:
        return _reject(application, Cause.NO_PERMISSION, "no_permission", "The application is off.")
    if not number.status.carries_calls:
        state = "suspended" if number.status is NumberStatus.SUSPENDED else "out of use"
        return _reject(application, Cause.NUMBER_SUSPENDED, "no_permission", f"The called number is {state}.")
    if caller is None:
        return _reject(application, Cause.NO_BINDING, "no_binding", "The caller gave no number.")
    if is_fixed_line(caller):
        return _reject(application, Cause.LANDLINE_CALLER, "failed", "A fixed line may not call.")
    if application.hours and not within(application.hours, application.time_zone, at):
        return _reject(application, Cause.OUTSIDE_HOURS, "failed", "The application takes no calls at this hour.")
    return None


def within(hours: str, zone: str, at: datetime) -> bool:
    """Whether ``at`` lies in ``hours`` ("22:00-06:00" runs over midnight; the end is no more in it)."""
    first, _, last = hours.partition("-")
    clock = at.astimezone(ZoneInfo(zone)).time()
    begins, ends = time.fromisoformat(first), time.fromisoformat(last)
    return begins <= clock < ends if begins < ends else clock >= begins or clock < ends


def _route_axb(caller: PhoneNumber, application: Application, live: tuple[Binding, ...]) -> Connect | Reject:
    for binding in live:
        if binding.b is None:
            continue
        if caller == binding.a:
            if binding.direction is Direction.TO_A:
                return _against(application, binding)
            return _connect(application, binding, binding.b, from_a=True, rule="A calls X: B.")
        if caller == binding.b:
            if binding.direction is Direction.FROM_A:
                return _against(application, binding)
            return _connect(application, binding, binding.a, from_a=False, rule="B calls X: A.")
    return _reject(application, Cause.NO_BINDING, "no_binding", "No live pair on this number has the caller.")


def _route_ax(
    caller: PhoneNumber, application: Application, live: tuple[Binding, ...], found: Found, at: datetime
) -> Connect | Reject:
    if not live:
        return _reject(application, Cause.NO_PERMISSION, "no_permission", "The called number is not bound.")
    binding = live[0]
    if caller == binding.a:
        return _route_from_a(application, binding, found, at)
    if binding.direction is Direction.FROM_A:
        return _against(application, binding)
    if not binding.switched_on:
        return _reject(application, Cause.SWITCHED_OFF, "failed", "A has switched the number off.", binding)
    return _to_a(caller, application, binding, "Somebody calls X: A.")


def _to_a(caller: PhoneNumber, application: Application, binding: Binding, rule: str) -> Connect | Reject:
    """A stranger reaches A, who may be shown his number."""
    if binding.show_caller and not application.may_show_caller:
        return _reject(application, Cause.SHOWING_CALLER_BARRED, "failed", "The caller may not be shown.", binding)
    shown = caller if binding.show_caller else binding.x
    return _connect(application, binding, binding.a, from_a=False, rule=rule, shown=shown, remember=True)


def _route_from_a(application: Application, binding: Binding, found: Found, at: datetime) -> Connect | Reject:
    if binding.direction is Direction.TO_A:
        return _against(application, binding)
    temporary = found.temporary
    if temporary is not None and temporary.binding == binding.id and at < temporary.expires_at:
        return _connect(
            application,
            binding,
            temporary.callee,
            from_a=True,
            rule="A calls X: the temporary callee.",
            consumes=True,
            user_data=temporary.user_data,
        )
    if not application.memory_callback:
        return _reject(application, Cause.NO_TEMPORARY_CALLEE, "no_binding", "No temporary callee is set.", binding)
    if found.last_caller is None:
        return _reject(application, Cause.NO_CALLBACK_RECORD, "no_binding", "Nobody has called A through X.", binding)
    return _connect(application, binding, found.last_caller, from_a=True, rule="A calls X: the last caller.")


def _route_axe(
    caller: PhoneNumber,
    application: Application,
    live: tuple[Binding, ...],
    found: Found,
    at: datetime,
    extension: str,
) -> Decision:
    if extension:
        for binding in live:
            if binding.extension == extension and binding.a != caller:
                return _to_a(caller, application, binding, "Somebody calls X with an extension: its A.")
        return _reject(application, Cause.EXTENSION_UNKNOWN, "wrong_goodbye", "The extension is not bound.")
    for binding in live:
        if binding.a == caller:
            return _call_back(application, binding, found, at)
    return Collect(
        application=application.key,
        mode=Mode.AXE,
        length=application.extension_length,
        tries=application.extension_tries,
        tones=application.tones,
        limits=limits_of(application),
    )


def _call_back(application: Application, binding: Binding, found: Found, at: datetime) -> Connect | Reject:
    callback, last = binding.callback, found.last_caller
    life = callback.seconds if callback is not None else 0
    alive = not life or (found.last_called_at is not None and at < found.last_called_at + timedelta(seconds=life))
    if last is not None and alive:
        return _connect(application, binding, last, from_a=True, rule="A calls X: the last caller.")
    if callback is not None and callback.number is not None:
        return _connect(application, binding, callback.number, from_a=True, rule="A calls X: the number given for it.")
    refusal = _reject(application, Cause.NO_CALLBACK_RECORD, "no_binding", "Nobody has called A through X.", binding)
    return refusal if callback is None or not callback.tone else replace(refusal, file=callback.tone)


def _route_axyb(
    caller: PhoneNumber, called: PhoneNumber, application: Application, live: tuple[Binding, ...]
) -> Decision | NeedsRelation:
    for one in live:
        if one.b is None or one.y is None:
            continue
        if called == one.y and caller == one.a:
            if one.direction is Direction.TO_A:
                return _against(application, one)
            return _connect(application, one, one.b, from_a=True, rule="A calls Y: B.")
        if called == one.x and caller == one.b:
            if one.direction is Direction.FROM_A:
                return _against(application, one)
            return _connect(application, one, one.a, from_a=False, rule="B calls X: A, who sees Y.", shown=one.y)
    for ax in live:
        if ax.parent is None and ax.x == called:
            if caller == ax.a:
                return _reject(application, Cause.OWN_NUMBER, "failed", "A calls his own X.", ax)
            if ax.direction is Direction.FROM_A:
                return _against(application, ax)
            return NeedsRelation(application=application, ax=ax, caller=caller)
    return _reject(application, Cause.RELATION_MISSING, "no_binding", "The caller has no relation with this number.")


def relation_not_made(needed: NeedsRelation) -> Reject:
    """No Y is to be had for a new B."""
    return _reject(needed.application, Cause.RELATION_NOT_MADE, "failed", "No Y could be allocated.", needed.ax)


def _connect(
    application: Application,
    binding: Binding,
    callee: PhoneNumber,
    *,
    from_a: bool,
    rule: str,
    shown: PhoneNumber | None = None,
    consumes: bool = False,
    remember: bool = False,
    user_data: str | None = None,
) -> Connect:
    policy = binding.policy
    record = application.recording and policy.record
    ringing = "" if from_a else application.tones.get("ringing", "")
    return Connect(
        binding=binding.id,
        application=application.key,
        mode=binding.mode,
        direction=1 if from_a else 0,
        callee=callee,
        shown=binding.x if shown is None else shown,
        waiting_tone=(policy.tone_for_a if from_a else policy.tone_for_others) or ringing or application.waiting,
        notice=(policy.notice or application.notice) if record else "",
        record=record,
        last_minute=policy.last_minute if policy.max_minutes else "",
        max_seconds=policy.max_minutes * 60,
        user_data=binding.user_data if user_data is None else user_data,
        consumes_temporary=consumes,
        remember_caller=remember,
        limits=limits_of(application),
        recording=rules_of(application),
        rule=rule,
    )


def _against(application: Application, binding: Binding) -> Reject:
    return _reject(application, Cause.WRONG_DIRECTION, "failed", "The binding's direction forbids it.", binding)


def _reject(application: Application, cause: Cause, tone: str, rule: str, binding: Binding | None = None) -> Reject:
    return Reject(
        cause=cause,
        tone=tone,
        file=application.tones.get(tone, ""),
        application=application.key,
        mode=application.mode,
        binding=binding.id if binding else None,
        user_data=binding.user_data if binding else None,
        rule=rule,
    )
