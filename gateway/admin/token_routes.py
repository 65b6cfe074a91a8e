"""[IO] ``/v1/tokens``: who may use this API. The secret is in the answer that makes a token and nowhere else."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import select

from gateway.admin.audit import changing
from gateway.admin.door import Anybody, Context, TokenKeeper
from gateway.admin.failures import Invalid, NotFound
from gateway.admin.paging import After, Limit, Page, page
from gateway.admin.roles import Permission, Role
from gateway.admin.tables import admin_token
from gateway.admin.tokens import TokenError, make_token, read_token, revoke_token
from gateway.database import reading

router = APIRouter(tags=["tokens"])


class NewToken(BaseModel):
    """What a token is for."""

    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, Field(min_length=1, max_length=128, description="Who or what uses it.")]
    role: Role
    enterprise: Annotated[str | None, Field(max_length=64, description="A tenant's enterprise.")] = None
    expires_at: AwareDatetime | None = None


class TokenRow(BaseModel):
    """A token without its secret."""

    model_config = ConfigDict(from_attributes=True)
    id: str
    name: str
    role: Role
    enterprise: str | None
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None


class MadeToken(BaseModel):
    """The only answer that holds the token."""

    id: str
    token: str


class Me(BaseModel):
    """Whose token it is that asks."""

    name: str
    role: Role
    enterprise: str | None
    permissions: list[str]


@router.get("/me", summary="Whose token this is")
async def me(actor: Anybody) -> Me:
    """The caller's own role and permissions."""
    held = [permission.name.lower() for permission in Permission if actor.may(permission)]
    return Me(name=actor.name, role=actor.role, enterprise=actor.enterprise, permissions=held)


@router.get("/tokens", summary="List tokens")
async def tokens(actor: TokenKeeper, context: Context, limit: Limit = 100, after: After = "") -> Page[TokenRow]:
    """The newest first."""
    order = ((admin_token.c.created_at, True), (admin_token.c.id, True))
    async with reading(context.engine) as connection:
        return await page(connection, select(admin_token), order, after, limit,
                          lambda row: TokenRow.model_validate(read_token(row)))  # fmt: skip


@router.post("/tokens", status_code=201, summary="Make a token")
async def create(actor: TokenKeeper, context: Context, wanted: NewToken) -> MadeToken:
    """The answer holds the token; it can't be had again."""
    async with changing(context.engine, actor, context.clock()) as change:
        try:
            id, text = await make_token(
                change.connection, name=wanted.name, role=wanted.role, enterprise_id=wanted.enterprise, by=actor.name,
                at=change.at, expires_at=wanted.expires_at,
            )  # fmt: skip
        except TokenError as error:
            raise Invalid(f"{error}.".capitalize(), "enterprise") from None
        change.note("token.create", f"token/{id}", wanted.model_dump(), enterprise=wanted.enterprise)
    return MadeToken(id=id, token=text)


@router.delete("/tokens/{id}", status_code=204, summary="Revoke a token")
async def revoke(actor: TokenKeeper, context: Context, id: str) -> None:
    """It is refused from now on; its row stays."""
    async with changing(context.engine, actor, context.clock()) as change:
        if not await revoke_token(change.connection, id, change.at):
            raise NotFound("There is no such token, or it is revoked already.", "id")
        change.note("token.revoke", f"token/{id}")
