"""AXE: bind, unbind, modify and query an extension of an X (privatenumber.md section 4.1)."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gateway.api import errors
from gateway.api.context import ApiContext, success
from gateway.api.errors import ApiError, invalid
from gateway.api.fields import Fields, read_body, read_delete, read_query
from gateway.api.gate import Gate
from gateway.api.policy import known_tone, read_recording
from gateway.bindings.errors import (
    BindingError,
    BindingNotFound,
    NoFreeExtension,
    NoFreeNumber,
    NumberBlacklisted,
    NumberNotOwned,
    PairExists,
    SameNumber,
)
from gateway.bindings.models import Application, Binding, Callback, CallPolicy, Mode
from gateway.bindings.requests import UNSET, AxeChanges, NewAxe, changed_policy

PATH = "/rest/caas/extendnumber/v1.0"
# timeUnit: seconds of one, and how many there may be.
UNITS = {"0": (3600, 720), "1": (60, 43200)}

_RESULTS = {
    NumberNotOwned: errors.NUMBER_NOT_OWNED,
    NoFreeNumber: errors.NO_FREE_NUMBER,
    NoFreeExtension: errors.NO_FREE_EXTENSION,
    NumberBlacklisted: errors.NUMBER_BLACKLISTED,
    BindingNotFound: errors.BINDING_NOT_FOUND,
    PairExists: errors.BINDING_EXISTS,
}


def refused(error: BindingError) -> ApiError:
    """The result code of what the store says."""
    if isinstance(error, SameNumber):
        return invalid("bindNum and virtualNum must differ.")
    return ApiError(_RESULTS.get(type(error), errors.INTERNAL_ERROR))


class AxeApi:
    """The four methods of the AXE path."""

    def __init__(self, context: ApiContext, gate: Gate) -> None:
        self._context = context
        self._gate = gate

    async def bind(self, request: Request) -> Response:
        """POST: bind A to an extension, named or chosen."""
        application = await self._gate.admit(request, (Mode.AXE,))
        fields = await read_body(request)
        x, area = fields.number("virtualNum"), fields.text("areaCode", 32) or ""
        if x is None and not area:
            raise fields.missing("virtualNum or areaCode")
        life, callback_life = _lives(fields, application)
        callback = _callback(self._context, application, fields)
        wanted = NewAxe(
            a=fields.required_number("bindNum"),
            x=x,
            extension=_extension(fields) if x is not None else "",
            area_code=area,
            loose=fields.choice("areaMatchMode", "0", "1") == "1",
            duration=life or None,
            policy=changed_policy(CallPolicy(), read_recording(self._context, application, fields)),
            show_caller=_show_caller(fields),
            callback=Callback(tone=callback[0], number=callback[1], seconds=callback_life),
            extra=_asked(fields, application),
            user_data=fields.user_data(),
        )
        try:
            made = await self._context.store.bind_axe(application, wanted, self._context.clock())
        except BindingError as error:
            raise refused(error) from None
        return success(
            subscriptionId=made.id,
            virtualNum=made.x.e164,
            extendNum=made.extension,
            bindExpiredTime=made.extra["bindExpiredTime"],
            callbackExpiredTime=made.extra["callbackExpiredTime"],
            userData=made.user_data,
        )

    async def unbind(self, request: Request) -> Response:
        """DELETE: by subscriptionId, or virtualNum and extendNum."""
        application = await self._gate.admit(request, (Mode.AXE,))
        where = _locator(await read_delete(request))
        try:
            await self._context.store.unbind_axe(application, **where, at=self._context.clock())
        except BindingError as error:
            raise refused(error) from None
        return success()

    async def modify(self, request: Request) -> Response:
        """PUT: change what is given; a time given starts the clock again."""
        application = await self._gate.admit(request, (Mode.AXE,))
        fields = await read_body(request)
        where = _locator(fields)
        tone, number = _callback(self._context, application, fields)
        life, callback_life = fields.has("bindExpiredTime"), fields.has("callbackExpiredTime")
        seconds = _lives(fields, application, partly=True) if life or callback_life else (0, 0)
        changes = AxeChanges(
            duration=(seconds[0] or None) if life else UNSET,
            policy=read_recording(self._context, application, fields),
            show_caller=_or_unset(_show_caller(fields)),
            callback_tone=tone or UNSET,
            callback_number=_or_unset(number),
            callback_seconds=seconds[1] if callback_life else UNSET,
            user_data=_or_unset(fields.user_data()),
        )
        try:
            await self._context.store.modify_axe(application, **where, changes=changes, at=self._context.clock())
        except BindingError as error:
            raise refused(error) from None
        return success()

    async def query(self, request: Request) -> Response:
        """GET: one binding."""
        application = await self._gate.admit(request, (Mode.AXE,))
        where = _locator(read_query(request))
        try:
            found = await self._context.store.query_axe(application, **where, at=self._context.clock())
        except BindingError as error:
            raise refused(error) from None
        return success(**_shown(found))


def _locator(fields: Fields) -> dict[str, Any]:
    name = fields.text("subscriptionId", 64)
    if name is not None:
        return {"binding": name}
    x, extension = fields.number("virtualNum"), _extension(fields)
    if x is None or not extension:
        raise fields.missing("subscriptionId, or virtualNum and extendNum,")
    return {"x": x, "extension": extension}


def _extension(fields: Fields) -> str:
    text = fields.text("extendNum", 4) or ""
    if text and not (text.isascii() and text.isdigit()):
        raise fields.wrong("extendNum")
    return text


def _lives(fields: Fields, application: Application, *, partly: bool = False) -> tuple[int, int]:
    """Seconds that a binding and its callback records live; 0 for ever. ``partly``: one of both may be left out."""
    unit, most = UNITS[fields.choice("timeUnit", *UNITS) or "0"]
    bind = fields.integer("bindExpiredTime", 0, most)
    callback = fields.integer("callbackExpiredTime", 0, most)
    life = application.bind_hours * 3600 if bind is None and not partly else (bind or 0) * unit
    callback_life = life if callback is None and not partly else (callback or 0) * unit
    if life and callback_life > life:
        raise invalid("callbackExpiredTime must not be longer than bindExpiredTime.")
    return life, callback_life


def _asked(fields: Fields, application: Application) -> dict[str, Any]:
    """What a query shows as it was bound, even after a modify."""
    unit = fields.choice("timeUnit", *UNITS) or "0"
    standard = application.bind_hours if unit == "0" else application.bind_hours * 60
    bind = fields.integer("bindExpiredTime", 0, UNITS[unit][1])
    bind = standard if bind is None else bind
    callback = fields.integer("callbackExpiredTime", 0, UNITS[unit][1])
    return {"timeUnit": unit, "bindExpiredTime": bind, "callbackExpiredTime": bind if callback is None else callback}


def _callback(context: ApiContext, application: Application, fields: Fields) -> tuple[str, Any]:
    tone, number = known_tone(context, application, fields, "callbackTone"), fields.number("callbackNum")
    if tone and number is not None:
        raise invalid("callbackTone and callbackNum exclude each other.")
    return tone or "", number


def _show_caller(fields: Fields) -> bool | None:
    text = fields.choice("displayNumMode", "0", "1")
    return None if text is None else text == "1"


def _shown(binding: Binding) -> dict[str, Any]:
    callback, policy = binding.callback or Callback(), binding.policy
    return {
        "subscriptionId": binding.id,
        "virtualNum": binding.x.e164,
        "extendNum": binding.extension,
        "bindNum": binding.a.e164,
        "displayNumMode": str(int(binding.show_caller or False)),
        "recordFlag": "true" if policy.record else "false",
        "recordHintTone": policy.notice if policy.record and policy.notice else None,
        "callbackTone": callback.tone or None,
        "callbackNum": callback.number.e164 if callback.number else None,
        **{name: binding.extra.get(name) for name in ("timeUnit", "bindExpiredTime", "callbackExpiredTime")},
        "userData": binding.user_data,
    }


def _or_unset(value: Any) -> Any:
    return UNSET if value is None else value
