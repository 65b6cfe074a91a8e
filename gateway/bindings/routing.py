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

A call against the direction of the binding is WRONG_DIRECTION. privatenumber.md sections 2.5, 8 and 14. ``turnFlag``
off stops the calls of others only: A's own calls through X go on. ``show_caller`` lets A see the caller, who is no A.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gateway.bindings.areas import is_fixed_line
from gateway.bindings.models import Application, Binding, Direction, Mode, Number, TemporaryCallee
from gateway.causes import Cause
from gateway.numbers import PhoneNumber


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the database knows of one caller and one X. ``bindings``: candidates, for AX the one of X."""

    number: Number | None = None
    application: Application | None = None
    bindings: tuple[Binding, ...] = ()
    temporary: TemporaryCallee | None = None
    last_caller: PhoneNumber | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Connect:
    """Call ``callee`` and show ``shown``. ``direction`` is the CDR's: 1 A calls, 0 A is called.

    Tone names are "" for none; ``max_seconds`` counts from the answer, 0 for no limit. ``consumes_temporary`` and
    ``remember_caller``: what ``BindingStore.note_talked`` has to do once the call was answered. ``rule``: why, in one
    sentence without numbers.
    """

    binding: str
    application: str
    mode: Mode
    direction: int
    callee: PhoneNumber
    shown: PhoneNumber
    waiting_tone: str = ""
    notice: str = ""
    record: bool = False
    last_minute: str = ""
    max_seconds: int = 0
    user_data: str | None = None
    consumes_temporary: bool = False
    remember_caller: bool = False
    rule: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    """No second leg. ``tone``: "no_binding", "no_permission", "failed" or ""."""

    cause: Cause
    tone: str = ""
    application: str | None = None
    mode: Mode | None = None
    binding: str | None = None
    user_data: str | None = None
    rule: str = ""


def route(caller: PhoneNumber | None, called: PhoneNumber, found: Found, at: datetime) -> Connect | Reject:
    """What to do with a call of ``caller`` (None: withheld or no number) to ``called`` at ``at`` (aware UTC)."""
    application = found.application
    if found.number is None:
        return Reject(cause=Cause.NUMBER_UNKNOWN_HERE, tone="failed", rule="The called number is none of ours.")
    if application is None:
        return Reject(cause=Cause.NO_APPLICATION, tone="failed", rule="The called number has no application.")
    refused = _refused_beforehand(caller, found.number, application)
    if refused is not None:
        return refused
    assert caller is not None
    live = tuple(binding for binding in found.bindings if binding.x == called and binding.live(at))
    match application.mode:
        case Mode.AXB:
            return _route_axb(caller, application, live)
        case Mode.AX:
            return _route_ax(caller, application, live, found, at)
        case _:
            return _reject(application, Cause.WRONG_MODE, "failed", "The application's mode takes no such call.")


def _refused_beforehand(caller: PhoneNumber | None, number: Number, application: Application) -> Reject | None:
    if not application.enabled or application.frozen:
        return _reject(application, Cause.NO_PERMISSION, "no_permission", "The application is off.")
    if not number.status.carries_calls:
        return _reject(application, Cause.NO_PERMISSION, "no_permission", "The called number is suspended.")
    if caller is None:
        return _reject(application, Cause.NO_BINDING, "no_binding", "The caller gave no number.")
    if is_fixed_line(caller):
        return _reject(application, Cause.LANDLINE_CALLER, "failed", "A fixed line may not call.")
    return None


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
    shown = caller if binding.show_caller else binding.x
    rule = "Somebody calls X: A."
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
    return Connect(
        binding=binding.id,
        application=application.key,
        mode=binding.mode,
        direction=1 if from_a else 0,
        callee=callee,
        shown=binding.x if shown is None else shown,
        waiting_tone=(policy.tone_for_a if from_a else policy.tone_for_others) or application.waiting,
        notice=(policy.notice or application.notice) if record else "",
        record=record,
        last_minute=policy.last_minute if policy.max_minutes else "",
        max_seconds=policy.max_minutes * 60,
        user_data=binding.user_data if user_data is None else user_data,
        consumes_temporary=consumes,
        remember_caller=remember,
        rule=rule,
    )


def _against(application: Application, binding: Binding) -> Reject:
    return _reject(application, Cause.WRONG_DIRECTION, "failed", "The binding's direction forbids it.", binding)


def _reject(application: Application, cause: Cause, tone: str, rule: str, binding: Binding | None = None) -> Reject:
    return Reject(
        cause=cause,
        tone=tone,
        application=application.key,
        mode=application.mode,
        binding=binding.id if binding else None,
        user_data=binding.user_data if binding else None,
        rule=rule,
    )
