"""One line of the doctor's report."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How it is."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Finding:
    """``check``: what was looked at; ``said``: what was seen; ``hint``: what to do, "" when nothing is to be done."""

    check: str
    state: State
    said: str
    hint: str = ""


def ok(check: str, said: str) -> Finding:
    """All is well."""
    return Finding(check, State.OK, said)


def warning(check: str, said: str, hint: str) -> Finding:
    """It may go well."""
    return Finding(check, State.WARNING, said, hint)


def failure(check: str, said: str, hint: str) -> Finding:
    """It won't."""
    return Finding(check, State.FAILURE, said, hint)
