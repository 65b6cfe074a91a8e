"""[IO] ``/v1/applications``: a customer's applications (privatenumber.md section 12, "Application").

Settings are those of ``[[application]]`` in the configuration file, under the same names and with the same checks. An
application that the file gives can only be changed there: the next start would undo what is changed here. Key and mode
are fixed; an application is never deleted but turned off. Callback addresses: addresses.py.

Who may change what: the operator everything, a tenant what is of his own service (``TENANTS``), not what is policy.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal, Optional

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, create_model
from sqlalchemy import Row, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from gateway.admin.audit import Change, changing
from gateway.admin.context import AdminContext, application_row, own_applications
from gateway.admin.door import Context, Manager, Operator, Reader
from gateway.admin.enterprises import Id
from gateway.admin.failures import Conflict, Forbidden, Invalid, NotFound
from gateway.admin.paging import After, Limit, Page, page
from gateway.admin.roles import Role
from gateway.admin.tables import enterprise
from gateway.bindings.models import Application, Mode
from gateway.bindings.rows import application_values, read_application
from gateway.config.tree import ApplicationEntry
from gateway.database import reading
from gateway.entries import application_of
from gateway.schema import application as table

router = APIRouter(tags=["applications"])
ADDRESSES = ("status_url", "fee_url", "callin_url", "sms_url", "sms_control_url", "number_status_url")
TENANTS = {
    "name", "notice", "waiting", "signature", "tones", "keywords_required", "keywords_forbidden", "memory_callback",
    "extension_length", "extension_tries", "bind_hours", "registered_only", "push_number_status", "hours", "time_zone",
}  # fmt: skip
_FIXED = {"key", "secret", "mode", *ADDRESSES}


class NewApplication(ApplicationEntry):
    """An application; ``key`` and ``secret`` are made when they are not given; changes of addresses have a route of
    their own."""

    key: str = Field("", pattern=r"^[A-Za-z0-9._-]{0,128}$")
    secret: SecretStr = SecretStr("")
    name: str = Field("", max_length=128)
    enterprise: Id | None = None


def _optional(annotation: Any) -> Any:
    return Optional[annotation], None  # noqa: UP045


# Every setting of the file, each of them optional; the whole is checked as the file is.
_CHANGEABLE: dict[str, Any] = {
    "name": _optional(Annotated[str, Field(max_length=128)]),
    "enterprise": _optional(Id),
    "enabled": _optional(bool),
    "frozen": _optional(bool),
    **{
        name: _optional(field.rebuild_annotation())
        for name, field in ApplicationEntry.model_fields.items()
        if name not in _FIXED
    },
}
ApplicationChanges = create_model(
    "ApplicationChanges", __config__=ConfigDict(extra="forbid"), __doc__="What is absent stays.", **_CHANGEABLE
)


class ApplicationView(BaseModel):
    """An application without its secret. ``origin``: file, api, or out (it was in the file)."""

    key: str
    name: str
    enterprise: str | None
    mode: Mode
    origin: Literal["file", "api", "out"]
    enabled: bool
    frozen: bool
    suspended: bool
    settings: dict[str, Any]


class WithSecret(ApplicationView):
    """The answer that holds the secret."""

    secret: str


def view(row: Any) -> ApplicationView:
    """A row as it is shown."""
    settings = json.loads(row.settings)
    states = {name: bool(settings.pop(name, name == "enabled")) for name in ("enabled", "frozen", "suspended")}
    del settings["secret"]
    return ApplicationView(
        key=row.key, name=row.name, enterprise=row.enterprise, mode=row.mode, origin=row.origin, settings=settings,
        **states,
    )  # fmt: skip


def changeable(row: Row[Any]) -> None:
    """Conflict for an application that is the file's."""
    if row.origin != "api":
        raise Conflict("This application is given by the configuration file; change it there.", "application")


def changed(row: Row[Any], values: dict[str, Any]) -> Application:
    """The application with other settings, checked as a whole. Invalid."""
    now = read_application(row)
    known = {name: value for name, value in json.loads(row.settings).items() if name in ApplicationEntry.model_fields}
    given = {name: value for name, value in values.items() if name in ApplicationEntry.model_fields}
    try:
        entry = ApplicationEntry.model_validate({**known, **given, "key": row.key, "mode": row.mode})
    except ValidationError as error:
        first = error.errors()[0]
        raise Invalid(str(first["msg"]), ".".join(str(part) for part in first["loc"])) from None
    states = {name: getattr(now, name) for name in ("enabled", "frozen")}
    states |= {name: values[name] for name in states if values.get(name) is not None}
    return replace(application_of(entry), suspended=now.suspended, **states)


def check_tones(context: AdminContext, key: str, settings: Mapping[str, Any]) -> None:
    """Only approved names may be named (privatenumber.md section 11). Invalid."""
    named = {field: settings.get(field) for field in ("notice", "waiting")}
    named |= {f"tones.{use}": name for use, name in (settings.get("tones") or {}).items()}
    for field, name in named.items():
        if name and not context.tone_exists(key, name):
            raise Invalid(f"{name} does not exist.", field)


async def store(change: Change, application: Application, **columns: Any) -> None:
    """Write an application that is there."""
    values = application_values(application) | columns
    await change.connection.execute(update(table).where(table.c.key == application.key).values(**values))


async def _room(change: Change, id: str) -> bool:
    """Whether the enterprise is approved; NotFound, or Conflict when it has all the applications that it may have."""
    row = (await change.connection.execute(select(enterprise).where(enterprise.c.id == id).with_for_update())).first()
    if row is None:
        raise NotFound("There is no such enterprise.", "enterprise")
    count = select(func.count()).select_from(table).where(table.c.enterprise == id)
    if (await change.connection.execute(count)).scalar_one() >= row.max_applications:
        raise Conflict(f"The enterprise has its {row.max_applications} applications already.", "enterprise")
    return bool(row.state == "approved")


@router.get("/applications", summary="List applications")
async def search(
    actor: Reader, context: Context, enterprise: str = "", mode: Mode | None = None, limit: Limit = 100,
    after: After = "",
) -> Page[ApplicationView]:  # fmt: skip
    """By key, without secrets; a tenant sees its own."""
    query = select(table).where(*own_applications(actor))
    if enterprise:
        query = query.where(table.c.enterprise == enterprise)
    if mode is not None:
        query = query.where(table.c.mode == mode.value)
    async with reading(context.engine) as connection:
        return await page(connection, query, ((table.c.key, False),), after, limit, view)


@router.post("/applications", status_code=201, summary="Make an application")
async def create(actor: Operator, context: Context, wanted: NewApplication) -> WithSecret:
    """The answer holds the secret; it can't be had again, only replaced."""
    secret = wanted.secret.get_secret_value() or secrets.token_hex(16)
    entry = wanted.model_copy(update={"key": wanted.key or secrets.token_hex(14), "secret": SecretStr(secret)})
    check_tones(context, entry.key, wanted.model_dump())
    application = application_of(ApplicationEntry.model_validate(entry.model_dump(exclude={"name", "enterprise"})))
    try:
        async with changing(context.engine, actor, context.clock()) as change:
            if wanted.enterprise is not None and not await _room(change, wanted.enterprise):
                application = replace(application, suspended=True)
            values = application_values(application)
            await change.connection.execute(
                insert(table).values(**values, name=wanted.name, enterprise=wanted.enterprise, origin="api")
            )
            detail = {"mode": entry.mode, "name": wanted.name}
            change.note("application.create", f"application/{entry.key}", detail, enterprise=wanted.enterprise)
            shown = view(await application_row(change.connection, actor, entry.key))
    except IntegrityError:
        raise Conflict("There is an application of this key.", "key") from None
    return WithSecret(**shown.model_dump(), secret=secret)


@router.get("/applications/{key}", summary="One application")
async def one(actor: Reader, context: Context, key: str) -> ApplicationView:
    """Without its secret."""
    async with reading(context.engine) as connection:
        return view(await application_row(connection, actor, key))


@router.patch("/applications/{key}", summary="Change an application's settings")
async def modify(
    actor: Manager, context: Context, key: str, wanted: ApplicationChanges
) -> ApplicationView:  # fmt: skip
    """What is absent stays; the next call and the next request find the new settings."""
    values: dict[str, Any] = wanted.model_dump(exclude_unset=True, mode="json")
    beyond = sorted(set(values) - TENANTS)
    if actor.role is Role.TENANT and beyond:
        raise Forbidden(f"{beyond[0]} is the operator's.", beyond[0])
    async with changing(context.engine, actor, context.clock()) as change:
        row = await application_row(change.connection, actor, key, lock=True)
        changeable(row)
        check_tones(context, key, values)
        application, columns = changed(row, values), {"name": values.get("name") or row.name}
        if values.get("enterprise", row.enterprise) != row.enterprise:
            columns["enterprise"] = values["enterprise"]
            approved = values["enterprise"] is None or await _room(change, values["enterprise"])
            application = replace(application, suspended=not approved)
        await store(change, application, **columns)
        change.note("application.modify", f"application/{key}", {"fields": sorted(values)}, enterprise=row.enterprise)
        return view(await application_row(change.connection, actor, key))


@router.post("/applications/{key}/secret", summary="Make a new secret")
async def new_secret(actor: Manager, context: Context, key: str) -> WithSecret:
    """The old one is refused from now on; pushes are signed with the new one. The answer holds it."""
    secret = secrets.token_hex(16)
    async with changing(context.engine, actor, context.clock()) as change:
        row = await application_row(change.connection, actor, key, lock=True)
        changeable(row)
        await store(change, replace(read_application(row), secret=secret))
        change.note("application.secret", f"application/{key}", enterprise=row.enterprise)
        shown = view(await application_row(change.connection, actor, key))
    return WithSecret(**shown.model_dump(), secret=secret)
