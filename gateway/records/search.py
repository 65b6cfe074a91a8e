"""[IO] Which records somebody looks for, as conditions of a statement; and a record as it may be shown.

The rows are written by gateway.calls.journal in the transaction of the CDR's event.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, or_

from gateway.schema import cdr, sms_record


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """All that is given must hold. ``applications``: None for all; ``number``: either real party; times of the end of a
    call, or of a message."""

    applications: Collection[str] | None = None
    x: str = ""
    number: str = ""
    since: datetime | None = None
    before: datetime | None = None
    result: int | None = None
    answered: bool | None = None

    def of_calls(self) -> list[ColumnElement[bool]]:
        """For the table of CDRs."""
        where = self._where(cdr.c.application, cdr.c.x, cdr.c.ended_at, cdr.c.caller, cdr.c.callee)
        if self.result is not None:
            where.append(cdr.c.cause == self.result)
        if self.answered is not None:
            where.append(cdr.c.answered.is_(self.answered))
        return where

    def of_messages(self) -> list[ColumnElement[bool]]:
        """For the table of short messages."""
        table = sms_record.c
        where = self._where(table.application, table.x, table.at, table.sender, table.receiver)
        if self.result is not None:
            where.append(table.result == self.result)
        return where

    def _where(self, application: Any, x: Any, at: Any, one: Any, other: Any) -> list[ColumnElement[bool]]:
        where: list[ColumnElement[bool]] = []
        if self.applications is not None:
            where.append(application.in_(self.applications))
        if self.x:
            where.append(x == self.x)
        if self.number:
            where.append(or_(one == self.number, other == self.number))
        if self.since is not None:
            where.append(at >= self.since.timestamp())
        if self.before is not None:
            where.append(at < self.before.timestamp())
        return where
