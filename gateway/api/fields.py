"""Reading of requests as tolerant as deployed clients need it (privatenumber.md section 15).

Clients send booleans as ``true``, ``"true"`` or ``1``, integers as ``0``, ``"0"`` or ``30.0``; an empty string and null
mean absent; PHP sends ``[]`` for an empty object; a hand-made query has a raw ``+`` (read as a blank) before a number;
Java's ``writeBytes`` mangles what isn't ASCII; the content type may be anything. DELETE may carry its parameters in a
JSON body, and the body of a GET is ignored. What can't be read is 1010002 with a hint that names the field only.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from starlette.requests import Request

from gateway.api import errors
from gateway.api.errors import ApiError, invalid
from gateway.numbers import PhoneNumber

BODY_LIMIT = 64 * 1024

_GLOBAL_NUMBER = re.compile(r"\+[0-9]{3,20}\Z")
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}(\.0*)?\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_TONE_NAME = re.compile(r"[A-Za-z0-9_@-][A-Za-z0-9_.@-]{0,127}\Z")
_TRUE = {"true", "1"}
_FALSE = {"false", "0"}


class Fields:
    """The parameters of one request, or of one object inside it. Every reader gives None for an absent field."""

    def __init__(self, values: Mapping[str, Any], prefix: str = "") -> None:
        self._values = values
        self._prefix = prefix

    def has(self, name: str) -> bool:
        """Whether the field was sent and isn't empty."""
        value = self._values.get(name)
        return value is not None and value != "" and value != [] and value != {}

    def text(self, name: str, longest: int = 128) -> str | None:
        """A string of at most ``longest`` characters; numbers and booleans are taken as their JSON text."""
        if not self.has(name):
            return None
        value = self._values[name]
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, int | float):
            value = str(value)
        if not isinstance(value, str) or len(value) > longest or _CONTROL.search(value):
            raise self.wrong(name)
        # A lone surrogate is legal JSON but no text that a database can store.
        return value.encode("utf-8", "replace").decode("utf-8").strip() or None

    def number(self, name: str) -> PhoneNumber | None:
        """A number in global form; a leading blank is the ``+`` that a query lost on its way."""
        if not self.has(name):
            return None
        value = self._values[name]
        if isinstance(value, str):
            value = value.rstrip()
            if value.startswith(" "):
                value = "+" + value.lstrip()
        if not isinstance(value, str) or not _GLOBAL_NUMBER.match(value):
            raise self.wrong(name)
        return PhoneNumber(value)

    def integer(self, name: str, low: int, high: int) -> int | None:
        """A whole number from ``low`` to ``high``."""
        if not self.has(name):
            return None
        value = self._values[name]
        whole: int | None = None
        if isinstance(value, str) and _INTEGER.match(value.strip()):
            whole = int(value.strip().partition(".")[0])
        elif isinstance(value, int) and not isinstance(value, bool):
            whole = value
        elif isinstance(value, float) and math.isfinite(value) and value.is_integer():
            whole = int(value)
        if whole is None or not low <= whole <= high:
            raise self.wrong(name)
        return whole

    def flag(self, name: str) -> bool | None:
        """A boolean in any of its spellings."""
        text = (self.text(name, 8) or "").lower()
        if not text:
            return None
        if text not in _TRUE | _FALSE:
            raise self.wrong(name)
        return text in _TRUE

    def choice(self, name: str, *allowed: str) -> str | None:
        """One of ``allowed``, compared without case."""
        text = self.text(name)
        if text is None:
            return None
        for value in allowed:
            if text.lower() == value.lower():
                return value
        raise self.wrong(name)

    def tone(self, name: str) -> str | None:
        """The name of a tone file (section 11): letters, digits and ``-_.@``, no leading dot."""
        text = self.text(name)
        if text is not None and not _TONE_NAME.match(text):
            raise self.wrong(name)
        return text

    def user_data(self, name: str = "userData") -> str | None:
        """The customer's own text of at most 256 characters, without braces."""
        text = self.text(name, 256)
        if text is not None and ("{" in text or "}" in text):
            raise self.wrong(name)
        return text

    def inner(self, name: str) -> Fields | None:
        """An object inside this one; the vendor's samples sometimes wrap it in an array of one."""
        if not self.has(name):
            return None
        value = self._values[name]
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if not isinstance(value, dict):
            raise self.wrong(name)
        return Fields(value, f"{self._prefix}{name}.")

    def wrong(self, name: str) -> ApiError:
        """The error that says this field can't be what it is."""
        return invalid(f"{self._prefix}{name} is invalid.")

    def missing(self, name: str) -> ApiError:
        """The error that says this field must be there."""
        return invalid(f"{self._prefix}{name} is required.")

    def required_number(self, name: str) -> PhoneNumber:
        """As :meth:`number`, but it must be there."""
        number = self.number(name)
        if number is None:
            raise self.missing(name)
        return number


def read_query(request: Request) -> Fields:
    """The query of a GET; of a parameter sent twice the first that isn't empty counts."""
    return Fields(_query(request))


async def read_body(request: Request) -> Fields:
    """The JSON object in the body of a POST or PUT. An empty body is an empty object."""
    return Fields(parse_object(await _raw_body(request)))


async def read_delete(request: Request) -> Fields:
    """Query and JSON body of a DELETE together; the query wins. A body that is no JSON is ignored beside a query."""
    query = _query(request)
    raw = await _raw_body(request)
    try:
        body = parse_object(raw)
    except ApiError:
        if not query:
            raise
        body = {}
    return Fields({**body, **query})


def parse_object(raw: bytes) -> dict[str, Any]:
    """Bytes to a JSON object; bytes that are no UTF-8 become U+FFFD. ApiError 1010002."""
    text = raw.decode("utf-8", "replace").removeprefix("\ufeff").strip(" \t\r\n\0")
    if not text:
        return {}
    try:
        value = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        raise invalid("The body is not JSON.") from None
    if not isinstance(value, dict):
        raise invalid("The body is not a JSON object.")
    return value


def _query(request: Request) -> dict[str, str]:
    values: dict[str, str] = {}
    for part in request.scope["query_string"].split(b"&"):
        name, _, value = part.partition(b"=")
        text = unquote_to_bytes(value.replace(b"+", b" ")).decode("utf-8", "replace")
        key = unquote_to_bytes(name).decode("utf-8", "replace")
        if text and not values.get(key):
            values[key] = text
    return values


async def _raw_body(request: Request) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > BODY_LIMIT:
            raise ApiError(errors.BODY_TOO_LARGE, "The body is too large.")
        chunks.append(chunk)
    return b"".join(chunks)
