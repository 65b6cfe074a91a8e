"""[IO] ``/v1/audit``: the audit log, for operators and auditors."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel
from sqlalchemy import ColumnElement, select

from gateway.admin.door import Auditor, Context
from gateway.admin.paging import After, Limit, Page, page
from gateway.admin.tables import audit_entry
from gateway.database import reading

router = APIRouter(tags=["audit"])


class AuditRow(BaseModel):
    """One change."""

    id: int
    at: datetime
    token: str
    actor: str
    role: str
    source: str
    action: str
    subject: str
    enterprise: str | None
    detail: dict[str, Any]


@router.get("/audit", summary="Search the audit log")
async def search(
    actor: Auditor,
    context: Context,
    action: Annotated[str, Query(description="The whole action, or a topic: `number`.")] = "",
    subject: str = "",
    token: str = "",
    enterprise: str = "",
    since: AwareDatetime | None = None,
    before: AwareDatetime | None = None,
    limit: Limit = 100,
    after: After = "",
) -> Page[AuditRow]:
    """The newest first."""
    where: list[ColumnElement[bool]] = []
    if action:
        where.append(audit_entry.c.action.startswith(f"{action}.", autoescape=True) | (audit_entry.c.action == action))
    wanted = ((audit_entry.c.subject, subject), (audit_entry.c.token, token), (audit_entry.c.enterprise, enterprise))
    where += [column == text for column, text in wanted if text]
    if since is not None:
        where.append(audit_entry.c.at >= since.timestamp())
    if before is not None:
        where.append(audit_entry.c.at < before.timestamp())
    async with reading(context.engine) as connection:
        query = select(audit_entry).where(*where)
        return await page(connection, query, ((audit_entry.c.id, True),), after, limit, _read)


def _read(row: Any) -> AuditRow:
    return AuditRow(
        id=row.id, at=datetime.fromtimestamp(row.at, UTC), token=row.token, actor=row.actor, role=row.role,
        source=row.source, action=row.action, subject=row.subject, enterprise=row.enterprise,
        detail=json.loads(row.detail),
    )  # fmt: skip
