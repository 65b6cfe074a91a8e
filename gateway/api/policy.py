"""The fields that AX and AXB bodies share: recording, tones, durations. And how a binding shows them again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gateway.api.context import ApiContext
from gateway.api.errors import invalid
from gateway.api.fields import Fields
from gateway.bindings.models import Application, Binding, CallPolicy
from gateway.bindings.requests import UNSET, PolicyChanges

MINUTES = 1440


def read_policy(context: ApiContext, application: Application, fields: Fields) -> CallPolicy:
    """What a new binding wants. Tones must be known: 1010002 "... does not exist."."""
    changes = read_policy_changes(context, application, fields)
    values = {name: getattr(changes, name) for name in changes.__slots__ if getattr(changes, name) is not UNSET}
    return CallPolicy(**values)


def read_recording(context: ApiContext, application: Application, fields: Fields) -> PolicyChanges:
    """Only recording and its notice: all that AXE and AXYB have of a policy besides their own tones."""
    record = fields.flag("recordFlag")
    return PolicyChanges(
        record=UNSET if record is None else record,
        notice=known_tone(context, application, fields, "recordHintTone") or UNSET,
    )


def read_policy_changes(context: ApiContext, application: Application, fields: Fields) -> PolicyChanges:
    """What a change wants; an absent field stays UNSET."""

    def tone(place: Fields, name: str) -> Any:
        return known_tone(context, application, place, name) or UNSET

    def given(value: Any) -> Any:
        return UNSET if value is None else value

    waiting = fields.inner("preVoice") or Fields({})
    return replace(
        read_recording(context, application, fields),
        tone_for_a=tone(waiting, "callerHintTone"),
        tone_for_others=tone(waiting, "calleeHintTone"),
        last_minute=tone(fields, "lastMinVoice"),
        max_minutes=given(fields.integer("maxDuration", 0, MINUTES)),
    )


def known_tone(context: ApiContext, application: Application, fields: Fields, name: str) -> str:
    """A tone that is there, or "" when none is named. 1010002 "... does not exist."."""
    found = fields.tone(name) or ""
    if found and not context.tone_exists(application.key, found):
        raise invalid(f"{found} does not exist.")
    return found


def shown_policy(binding: Binding) -> dict[str, Any]:
    """The same fields in a query's reply; what was never set is left out."""
    policy = binding.policy
    tones = {"callerHintTone": policy.tone_for_a, "calleeHintTone": policy.tone_for_others}
    voices = {name: value for name, value in tones.items() if value}
    return {
        "recordFlag": "true" if policy.record else "false",
        "recordHintTone": policy.notice if policy.record and policy.notice else None,
        "privateSms": "true" if binding.sms else "false",
        "preVoice": voices or None,
        "maxDuration": policy.max_minutes,
        "lastMinVoice": policy.last_minute or None,
        "subscribeTime": f"{binding.created_at:%Y-%m-%d %H:%M:%S}",
        "userData": binding.user_data,
    }


def without_none(values: dict[str, Any]) -> dict[str, Any]:
    """Absent rather than null."""
    return {name: value for name, value in values.items() if value is not None}
