"""[IO] What the database knows of one call, in one statement: it stands in the call path, and each statement costs the
node more than everything that SIP does in the same call.

    number X - its application - what X is bound to for the caller - temporary callee, last caller

The member rows of all modes (schema) are such that ``number IN (caller, "")`` finds the candidates: at most two. An
extension of AXE is looked up as ``number IN ("#1234")``, once the caller has dialled it.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Row, Select, Table, and_, bindparam, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.bindings.decisions import Found
from gateway.bindings.models import Binding, Mode, TemporaryCallee
from gateway.bindings.rows import read_application, read_binding, read_number, when
from gateway.numbers import PhoneNumber
from gateway.schema import (
    application,
    binding,
    binding_member,
    last_caller,
    number,
    number_list,
    temporary_callee,
)

_TABLES = (number, application, binding, temporary_callee, last_caller)


def _labelled(tables: Iterable[Table]) -> list[Any]:
    return [column.label(f"{table.name}_{column.name}") for table in tables for column in table.c]


def _live(column: Column[Any]) -> Any:
    return or_(column.is_(None), column > bindparam("at"))


def _member(name: str) -> Any:
    # IN, unlike =, does not give its values the column's type, which may seal them.
    return bindparam(name, type_=binding_member.c.number.type)


# Built once: SQLAlchemy keeps what it has compiled with the statement.
_CALL: Select[Any] = (
    select(
        *_labelled(_TABLES),
        exists().where(number_list.c.application.in_(("", application.c.key))).label("has_lists"),
    )
    .select_from(number)
    .join(application, application.c.key == number.c.application)
    .outerjoin(
        binding_member,
        and_(binding_member.c.x == number.c.x, binding_member.c.number.in_((_member("caller"), _member("other")))),
    )
    .outerjoin(
        binding,
        and_(
            binding.c.id == binding_member.c.binding, binding.c.mode == application.c.mode, _live(binding.c.expires_at)
        ),
    )
    .outerjoin(temporary_callee, temporary_callee.c.binding == binding.c.id)
    .outerjoin(last_caller, last_caller.c.binding == binding.c.id)
    .where(number.c.x == bindparam("called"))
)


class _Part:
    """Where the columns of one table are in a row of the joined statement."""

    def __init__(self, table: Table) -> None:
        before = _TABLES[: _TABLES.index(table)]
        self._start = sum(len(other.c) for other in before)
        self._end = self._start + len(table.c)
        columns: Any = namedtuple(table.name, [column.name for column in table.c])  # type: ignore[misc]
        self._make = columns._make

    def of(self, row: Row[Any]) -> Any:
        """What the statement's row has of it, as a row of its own."""
        return self._make(row[self._start : self._end])


_NUMBER, _APPLICATION, _BINDING = _Part(number), _Part(application), _Part(binding)


async def look_up(
    connection: AsyncConnection, caller: PhoneNumber | None, called: PhoneNumber, at: datetime, extension: str = ""
) -> Found:
    """All that routing needs to know of a call of ``caller`` (None: withheld) to ``called`` at ``at`` (aware).

    ``extension``: what the caller dialled behind X; then only its binding is a candidate.
    """
    member, other = caller.e164 if caller else "", ""
    if extension:
        member = other = "#" + extension
    values = {"called": called.e164, "caller": member, "other": other, "at": at.timestamp()}
    rows = (await connection.execute(_CALL, values)).all()
    if not rows:
        return Found()
    first = rows[0]
    owner = read_application(_APPLICATION.of(first))
    bindings = tuple(read_binding(_BINDING.of(row)) for row in rows if row.binding_id is not None)
    temporary, last = None, None
    if owner.mode in (Mode.AX, Mode.AXE) and bindings and bindings[0].a == caller:
        temporary, last = _whom_a_reaches(first, bindings[0])
    return Found(
        number=read_number(_NUMBER.of(first)),
        application=owner,
        bindings=bindings,
        temporary=temporary,
        last_caller=last,
        last_called_at=when(first.last_caller_at) if last else None,
        has_lists=bool(first.has_lists),
    )


def _whom_a_reaches(row: Row[Any], bound: Binding) -> tuple[TemporaryCallee | None, PhoneNumber | None]:
    last = PhoneNumber(row.last_caller_caller) if row.last_caller_caller else None
    expires = when(row.temporary_callee_expires_at)
    if expires is None:
        return None, last
    callee = PhoneNumber(row.temporary_callee_callee)
    return (
        TemporaryCallee(binding=bound.id, callee=callee, expires_at=expires, user_data=row.temporary_callee_user_data),
        last,
    )
