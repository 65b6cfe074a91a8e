"""What a tone may be called (privatenumber.md section 11): digits, letters, ``-_.@``, no leading dot; never a path."""

from __future__ import annotations

import re

NAME = r"^[0-9A-Za-z@_-][0-9A-Za-z@_.-]{0,127}$"
_NAME = re.compile(NAME[:-1] + r"\Z")
_KEY = re.compile(r"[0-9A-Za-z_-][0-9A-Za-z_.-]{0,127}\Z")


def is_name(text: str) -> bool:
    """Whether it may be a tone's."""
    return _NAME.match(text) is not None


def is_key(text: str) -> bool:
    """Whether an application's key may be a folder's name."""
    return _KEY.match(text) is not None
