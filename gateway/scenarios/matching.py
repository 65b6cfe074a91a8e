"""What a field of an event or a CDR must be: a value, or a table of one matcher. Pure.

ulFailReason = 0                          equal, and of the same kind: 0 is not "0"
recordObjectName = { matches = '\\.wav$' }  a regular expression that is found in the text
fwdAnswerTime = { present = false }       there, or not
direction = { one_of = [0, 1] }           one of several
talk_seconds = { min = 2.9, max = 3.1 }   a number within bounds, either of which may be left out
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

WORDS = ("matches", "present", "one_of", "min", "max")
ABSENT: Any = object()
"""What is not there."""


def faults(wanted: Any, path: str) -> Iterator[tuple[str, str]]:
    """What is wrong with a matcher as it is written, as (key path, words)."""
    if not isinstance(wanted, Mapping):
        return
    keys = set(wanted)
    for key in sorted(keys - set(WORDS)):
        yield f"{path}.{key}", f"is no matcher; there are {', '.join(WORDS)}"
    if keys <= set(WORDS) and not (len(keys) == 1 or keys == {"min", "max"}):
        yield path, "must be one matcher, or min and max" if keys else "must hold a matcher"
    if "matches" in wanted:
        try:
            re.compile(wanted["matches"])
        except (re.error, TypeError) as error:
            yield f"{path}.matches", f"is no regular expression: {error}"
    if "present" in wanted and not isinstance(wanted["present"], bool):
        yield f"{path}.present", "must be true or false"
    if "one_of" in wanted and not isinstance(wanted["one_of"], list):
        yield f"{path}.one_of", "must be a list"
    for key in keys & {"min", "max"}:
        if not _is_number(wanted[key]):
            yield f"{path}.{key}", "must be a number"


def matches(wanted: Any, got: Any) -> bool:
    """Whether ``got`` (ABSENT: nothing) is what is wanted."""
    if not isinstance(wanted, Mapping):
        return got is not ABSENT and isinstance(wanted, str) == isinstance(got, str) and bool(wanted == got)
    if "present" in wanted:
        return bool((got is not ABSENT) == wanted["present"])
    if got is ABSENT:
        return False
    if "matches" in wanted:
        return isinstance(got, str) and bool(re.search(wanted["matches"], got))
    if "one_of" in wanted:
        return any(matches(one, got) for one in wanted["one_of"])
    return _is_number(got) and bool(wanted.get("min", got) <= got <= wanted.get("max", got))


def in_words(wanted: Any) -> str:
    """What is wanted, for a person."""
    if not isinstance(wanted, Mapping):
        return repr(wanted)
    if "present" in wanted:
        return "something" if wanted["present"] else "nothing"
    if "matches" in wanted:
        return f"a text like {wanted['matches']}"
    if "one_of" in wanted:
        return "one of " + ", ".join(map(repr, wanted["one_of"]))
    bounds = (f"{word} {wanted[key]}" for key, word in (("min", "at least"), ("max", "at most")) if key in wanted)
    return " and ".join(bounds)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
