"""[IO] What the database knows of one call, in one statement: it stands in the call path, and each statement costs the
node more than everything that SIP does in the same call.

    number X - its application - what X is bound to for the caller - temporary callee, last caller

The member rows of all modes (schema) are such that ``number IN (caller, "")`` finds the candidates: at most two. An
extension of AXE is looked up as ``number IN ("#1234")``, once the caller has dialled it.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Select, Table, and_, bindparam, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.bindings.decisions import Found
from gateway.bindings.models import Application, Binding, Mode, TemporaryCallee
from gateway.bindings.rows import read_application, read_binding, read_number, when
from gateway.database import ask
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
    """Where the columns of one table are in a row of a statement that selects those of ``tables``."""

    def __init__(self, table: Table, tables: Sequence[Table] = _TABLES) -> None:
        before = tables[: tables.index(table)]
        self._start = sum(len(other.c) for other in before)
        self._end = self._start + len(table.c)
        columns: Any = namedtuple(table.name, [column.name for column in table.c])  # type: ignore[misc]
        self._make = columns._make

    def of(self, row: Sequence[Any]) -> Any:
        """What the statement's row has of it, as a row of its own."""
        return self._make(row[self._start : self._end])


_NUMBER, _APPLICATION, _BINDING, _TEMPORARY, _LAST = map(_Part, _TABLES)

_ONE: Select[Any] = select(application).where(application.c.key == bindparam("wanted"))
_ALONE = _Part(application, [application])


async def look_up_application(engine: AsyncEngine, key: str) -> Application | None:
    """One application by its key."""
    rows = await ask(engine, _ONE, {"wanted": key})
    return read_application(_ALONE.of(rows[0])) if rows else None


async def look_up(
    engine: AsyncEngine, caller: PhoneNumber | None, called: PhoneNumber, at: datetime, extension: str = ""
) -> Found:
    """All that routing needs to know of a call of ``caller`` (None: withheld) to ``called`` at ``at`` (aware).

    ``extension``: what the caller dialled behind X; then only its binding is a candidate.
    """
    member, other = caller.e164 if caller else "", ""
    if extension:
        member = other = "#" + extension
    values = {"called": called.e164, "caller": member, "other": other, "at": at.timestamp()}
    rows = await ask(engine, _CALL, values)
    if not rows:
        return Found()
    first = rows[0]
    owner = read_application(_APPLICATION.of(first))
    bindings = tuple(read_binding(bound) for bound in map(_BINDING.of, rows) if bound.id is not None)
    temporary, last, at_last = None, None, None
    if owner.mode in (Mode.AX, Mode.AXE) and bindings and bindings[0].a == caller:
        temporary = _temporary(_TEMPORARY.of(first), bindings[0])
        known = _LAST.of(first)
        last, at_last = (PhoneNumber(known.caller), when(known.at)) if known.caller else (None, None)
    return Found(
        number=read_number(_NUMBER.of(first)),
        application=owner,
        bindings=bindings,
        temporary=temporary,
        last_caller=last,
        last_called_at=at_last,
        has_lists=bool(first[-1]),
    )


def _temporary(row: Any, bound: Binding) -> TemporaryCallee | None:
    expires = when(row.expires_at)
    if expires is None:
        return None
    return TemporaryCallee(
        binding=bound.id, callee=PhoneNumber(row.callee), expires_at=expires, user_data=row.user_data
    )
