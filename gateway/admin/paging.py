"""Lists in pages: ``?limit=&after=``, and ``next`` in the answer, which is ``after`` of the next page or null.

A cursor holds the sort key of the last row seen, so a page costs the same however far down it is, and rows that come or
go meanwhile neither repeat nor hide others. Its text is opaque to clients.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel
from sqlalchemy import Column, ColumnElement, Select, and_, or_
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.admin.failures import Invalid

T = TypeVar("T")
Limit = Annotated[int, Query(ge=1, le=1000, description="Rows of one page.")]
After = Annotated[str, Query(max_length=512, description="`next` of the page before.")]


class Page(BaseModel, Generic[T]):
    """One page."""

    items: list[T]
    next: str | None = None


async def page(
    connection: AsyncConnection,
    query: Select[Any],
    order: Sequence[tuple[Column[Any], bool]],
    after: str,
    limit: int,
    read: Callable[[Any], T],
) -> Page[T]:
    """One page of ``query``, sorted by ``order``: columns, unique together, each with True for descending."""
    if after:
        query = query.where(_behind(order, after))
    query = query.order_by(*(column.desc() if down else column for column, down in order)).limit(limit + 1)
    rows = (await connection.execute(query)).all()
    more = len(rows) > limit
    last = [getattr(rows[limit - 1], column.name) for column, _ in order] if more else None
    return Page(items=[read(row) for row in rows[:limit]], next=None if last is None else _text(last))


def _behind(order: Sequence[tuple[Column[Any], bool]], after: str) -> ColumnElement[bool]:
    """(a, b) behind (x, y): a behind x, or a is x and b behind y."""
    values = _values(after, [column.type.python_type for column, _ in order])
    steps = []
    for place, ((column, down), value) in enumerate(zip(order, values, strict=True)):
        same = [other == values[before] for before, (other, _) in enumerate(order[:place])]
        steps.append(and_(*same, column < value if down else column > value))
    return or_(*steps)


def _text(values: Sequence[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(list(values)).encode()).decode("ascii").rstrip("=")


def _values(cursor: str, kinds: Sequence[type]) -> list[Any]:
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        values = None
    kept = [int | float if kind is float else kind for kind in kinds]
    if (
        not isinstance(values, list)
        or len(values) != len(kinds)
        or not all(
            isinstance(value, kind) and not isinstance(value, bool) for value, kind in zip(values, kept, strict=True)
        )
    ):
        raise Invalid("after is not a cursor of this list.", "after")
    return values
