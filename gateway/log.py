"""Structured logs: one line an event, with the call's id, never with a person's number.

A number is masked three times over: PhoneNumber prints masked, call sites log ids, and the last processor here stars
whatever still looks like a number in any string value.
"""

from __future__ import annotations

import re
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO, cast

import structlog

_NUMBER = re.compile(
    r"(?<![0-9A-Za-z])(\+?(?:0086|86)?1[3-9][0-9]|\+[0-9]{4}|0[1-9][0-9]{2})[0-9]{4,9}([0-9]{2})(?![0-9A-Za-z])"
)


def mask_numbers(text: str) -> str:
    """``text`` with every run of digits that could be a phone number starred in the middle."""
    return _NUMBER.sub(r"\1******\2", text)


def _masking(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if isinstance(value, str):
            # Header text may carry control characters: a log line must stay one line (security.md "Logs").
            event[key] = mask_numbers(value).translate(_CONTROL)
    return event


class _StandardError:
    """Whatever ``sys.stderr`` is at the time: loggers are kept, and whoever runs us in his own process may turn it."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


_CONTROL = {code: f"\\x{code:02x}" for code in (*range(32), 127)}


def configure(form: str = "text") -> None:
    """Log to standard error: ``json`` for machines, ``text`` for people (in colour on a terminal)."""
    last: Any = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _masking,
            last,
        ],
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, _StandardError())),
        cache_logger_on_first_use=True,
    )
