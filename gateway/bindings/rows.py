"""Between the tables and the values of models.py. Times are epoch seconds in a row, aware UTC datetimes in a value."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any

from gateway.bindings.models import (
    Application,
    Binding,
    Callback,
    CallPolicy,
    Direction,
    Mode,
    Number,
    NumberStatus,
)
from gateway.numbers import PhoneNumber


def when(seconds: float | None) -> datetime | None:
    """Epoch seconds as a datetime."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def binding_values(binding: Binding) -> dict[str, Any]:
    """A binding as a row."""
    return {
        "id": binding.id,
        "application": binding.application,
        "mode": binding.mode.value,
        "x": binding.x.e164,
        "a": binding.a.e164,
        "b": binding.b.e164 if binding.b else None,
        "direction": int(binding.direction),
        "created_at": binding.created_at.timestamp(),
        "duration": binding.duration,
        "expires_at": binding.expires_at.timestamp() if binding.expires_at else None,
        "policy": json.dumps(asdict(binding.policy)),
        "sms": binding.sms,
        "switched_on": binding.switched_on,
        "show_caller": binding.show_caller,
        "user_data": binding.user_data,
        "extension": binding.extension or None,
        "y": binding.y.e164 if binding.y else None,
        "parent": binding.parent,
        "callback": _callback_text(binding.callback),
        "extra": json.dumps(dict(binding.extra)) if binding.extra else None,
    }


def _callback_text(callback: Callback | None) -> str | None:
    if callback is None:
        return None
    number = callback.number.e164 if callback.number else None
    return json.dumps({"tone": callback.tone, "number": number, "seconds": callback.seconds})


def _read_callback(text: str | None) -> Callback | None:
    if text is None:
        return None
    values = json.loads(text)
    number = PhoneNumber(values["number"]) if values["number"] else None
    return Callback(tone=values["tone"], number=number, seconds=values["seconds"])


def read_binding(row: Any) -> Binding:
    """A row as a binding."""
    return Binding(
        id=row.id,
        application=row.application,
        mode=Mode(row.mode),
        x=PhoneNumber(row.x),
        a=PhoneNumber(row.a),
        b=PhoneNumber(row.b) if row.b else None,
        direction=Direction(row.direction),
        created_at=datetime.fromtimestamp(row.created_at, UTC),
        duration=row.duration,
        expires_at=when(row.expires_at),
        policy=CallPolicy(**json.loads(row.policy)),
        sms=bool(row.sms),
        switched_on=bool(row.switched_on),
        show_caller=row.show_caller,
        user_data=row.user_data,
        extension=row.extension or "",
        y=PhoneNumber(row.y) if row.y else None,
        parent=row.parent,
        callback=_read_callback(row.callback),
        extra=json.loads(row.extra) if row.extra else {},
    )


def application_values(application: Application) -> dict[str, Any]:
    """An application as a row: everything but key and mode is in ``settings``."""
    settings = {field.name: getattr(application, field.name) for field in fields(application)}
    del settings["key"], settings["mode"]
    settings["tones"] = dict(application.tones)
    return {"key": application.key, "mode": application.mode.value, "settings": json.dumps(settings)}


def read_application(row: Any) -> Application:
    """A row as an application."""
    settings = json.loads(row.settings)
    for name in ("allowed_ips", "keywords_required", "keywords_forbidden"):
        settings[name] = tuple(settings.get(name, ()))
    return Application(key=row.key, mode=Mode(row.mode), **settings)


def number_values(number: Number) -> dict[str, Any]:
    """An X number as a row."""
    return {
        "x": number.x.e164,
        "application": number.application,
        "area_code": number.area_code,
        "province": number.province,
        "status": int(number.status),
        "sms": number.sms,
    }


def read_number(row: Any) -> Number:
    """A row as an X number."""
    return Number(
        x=PhoneNumber(row.x),
        application=row.application,
        area_code=row.area_code,
        province=row.province,
        status=NumberStatus(row.status),
        sms=bool(row.sms),
    )
