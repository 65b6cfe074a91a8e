"""The configuration as plain values. A secret prints itself starred."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from gateway.numbers import PhoneNumber


def plain(value: Any) -> Any:
    """Dictionaries, lists, numbers and text, ready for JSON."""
    match value:
        case BaseModel():
            return {
                field.alias or name: plain(getattr(value, name)) for name, field in type(value).model_fields.items()
            }
        case tuple() | list():
            return [plain(item) for item in value]
        case PhoneNumber():
            return value.e164
        case bool() | int() | float() | None:
            return value
        case _:
            return str(value)
