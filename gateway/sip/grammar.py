"""The lexical ground of RFC 3261 §25: tokens, quoted strings, comma lists, parameters.

Liberal in what is read (white space where the grammar lets a header fold, any UTF-8 in quoted strings), strict in what
can be mistaken: an unbalanced quote, an empty parameter or a control character is a ParseError.
"""

from __future__ import annotations

import re

from gateway.errors import ParseError

Params = tuple[tuple[str, str | None], ...]

TOKEN = re.compile(r"[A-Za-z0-9.!%*_+`'~-]+\Z")
HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_.])?)\Z")
_BARE = re.compile(r'[^,;="<>\s]+\Z')
_PLAIN_PARAM = r"[A-Za-z0-9.!%*_+`'~-]+(?:=[^,;=\"<>\s]+)?"
_PLAIN_PARAMS = re.compile(rf"{_PLAIN_PARAM}(?:;{_PLAIN_PARAM})*\Z")
_UNSIGNED = re.compile(r"[0-9]{1,10}\Z")
_RETRY = re.compile(r"\s*([0-9]{1,9})(?![0-9])")


def is_token(text: str) -> bool:
    """RFC 3261 §25.1 ``token``."""
    return TOKEN.match(text) is not None


def unsigned(text: str, field: str, limit: int) -> int:
    """A bounded run of ASCII digits; anything else, or more than ``limit``, is a ParseError."""
    text = text.strip()
    if not _UNSIGNED.match(text) or int(text) > limit:
        raise ParseError(field, f"not a number in 0..{limit}")
    return int(text)


def retry_seconds(text: str | None) -> int | None:
    """The seconds of a Retry-After value (RFC 3261 §20.33), whatever stands behind them; None when there are none."""
    match = _RETRY.match(text or "")
    return int(match[1]) if match else None


def split_outside(text: str, separator: str, field: str) -> list[str]:
    """Split at ``separator`` where it stands outside quotes and angle brackets. Items are stripped."""
    if '"' not in text and "<" not in text:
        return [item.strip() for item in text.split(separator)]
    items, start, quoted, angle, position = [], 0, False, False, 0
    length = len(text)
    while position < length:
        char = text[position]
        if quoted:
            if char == "\\":
                position += 1
            elif char == '"':
                quoted = False
        elif char == '"':
            quoted = True
        elif char == "<":
            angle = True
        elif char == ">":
            angle = False
        elif char == separator and not angle:
            items.append(text[start:position].strip())
            start = position + 1
        position += 1
    if quoted:
        raise ParseError(field, "unbalanced quote")
    items.append(text[start:].strip())
    return items


def split_commas(text: str, field: str = "header") -> list[str]:
    """The values of a comma-separated header line."""
    return [text.strip()] if "," not in text else split_outside(text, ",", field)


def parse_params(text: str, field: str) -> Params:
    """``;name=value;flag``: the text behind the first semicolon. Names in lower case, values as written.

    A value is a token, a host (IPv6 with or without brackets) or a quoted string. Raises ParseError for empty ones.
    """
    if not text:
        return ()
    if _PLAIN_PARAMS.match(text):
        # Nearly all: nothing quoted, no blanks. One look at the whole in place of two at each.
        pairs = [item.partition("=") for item in text.split(";")]
        return tuple([(name.lower(), value if equals else None) for name, equals, value in pairs])
    found: list[tuple[str, str | None]] = []
    for item in split_outside(text, ";", field):
        name, equals, value = item.partition("=")
        name, value = name.strip(), value.strip()
        if not is_token(name):
            raise ParseError(field, "a parameter has no name")
        if not equals:
            found.append((name.lower(), None))
            continue
        quoted = len(value) >= 2 and value[0] == '"' and value[-1] == '"'
        if not quoted and not _BARE.match(value):
            raise ParseError(field, "a parameter has no value")
        found.append((name.lower(), value))
    return tuple(found)


def format_params(params: Params) -> str:
    """The inverse of :func:`parse_params`, with the leading semicolon."""
    return "".join(f";{name}" if value is None else f";{name}={value}" for name, value in params)


def param(params: Params, name: str) -> str | None:
    """The value of a parameter; "" for a flag; None when absent."""
    for key, value in params:
        if key == name:
            return "" if value is None else value
    return None
