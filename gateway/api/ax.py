"""AX: bind, unbind, modify and query A behind an X, and the temporary callee (privatenumber.md section 2)."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gateway.api import errors
from gateway.api.context import ApiContext, JsonReply, success
from gateway.api.errors import ApiError, invalid
from gateway.api.fields import Fields, read_body, read_delete, read_query
from gateway.api.gate import Gate
from gateway.api.policy import read_policy, read_policy_changes, shown_policy, without_none
from gateway.bindings.errors import (
    BindingError,
    BindingNotFound,
    BoundToAnother,
    NoFreeNumber,
    NoLimit,
    NotBound,
    NumberBlacklisted,
    NumberNotOwned,
    PairExists,
    SameNumber,
    TooManyNumbers,
)
from gateway.bindings.models import Binding, Direction, Mode
from gateway.bindings.requests import UNSET, AxChanges, NewAx

PATH = "/rest/provision/caas/privatenumber/v1.0"
CALLEE_PATH = "/rest/caas/privatenumber/calleenumber/v1.0"
CALLEE_LONGEST = 259200
CALLEE_DEFAULT = 60

_RESULTS = {
    NumberNotOwned: errors.AX_NUMBER_NOT_OWNED,
    NoFreeNumber: errors.AX_NO_FREE_NUMBER,
    TooManyNumbers: errors.AX_TOO_MANY_NUMBERS,
    BoundToAnother: errors.AX_BOUND_TO_ANOTHER,
    PairExists: errors.BINDING_EXISTS,
    NotBound: errors.AX_NOT_BOUND,
    BindingNotFound: errors.BINDING_NOT_FOUND,
    NumberBlacklisted: errors.NUMBER_BLACKLISTED,
}


def refused(error: BindingError) -> ApiError:
    """The result code of what the store says."""
    if isinstance(error, SameNumber):
        return invalid("origNum, privateNum and calleeNum must differ.")
    if isinstance(error, NoLimit):
        return invalid(errors.NO_LIMIT)
    return ApiError(_RESULTS.get(type(error), errors.INTERNAL_ERROR))


class AxApi:
    """The methods of both AX paths."""

    def __init__(self, context: ApiContext, gate: Gate) -> None:
        self._context = context
        self._gate = gate

    async def bind(self, request: Request) -> Response:
        """POST: bind A to an X, named or chosen by area."""
        application = await self._gate.admit(request, (Mode.AX,))
        fields = await read_body(request)
        x, area = fields.number("privateNum"), fields.text("areaCode", 32) or ""
        if x is None and not area:
            raise fields.missing("privateNum or areaCode")
        if x is None and fields.choice("privateNumType", "mobile-virtual") is None:
            raise fields.missing("privateNumType")
        policy = read_policy(self._context, application, fields)
        if policy.last_minute and not policy.max_minutes:
            raise invalid(errors.NO_LIMIT)
        switch, shown, sms = _switch(fields), _show_caller(fields), fields.flag("privateSms")
        wanted = NewAx(
            a=fields.required_number("origNum"),
            x=x,
            area_code=area,
            loose=fields.choice("areaMatchMode", "0", "1") == "1",
            direction=Direction(fields.integer("callDirection", 0, 2) or 0),
            policy=policy,
            sms=True if sms is None else sms,
            switched_on=True if switch is None else switch,
            show_caller=shown,
            user_data=fields.user_data(),
        )
        try:
            made = await self._context.store.bind_ax(application, wanted, self._context.clock())
        except BindingError as error:
            raise refused(error) from None
        return success(origNum=made.a.e164, privateNum=made.x.e164, subscriptionId=made.id, userData=made.user_data)

    async def unbind(self, request: Request) -> Response:
        """DELETE: by subscriptionId or privateNum."""
        application = await self._gate.admit(request, (Mode.AX,))
        where = _locator(await read_delete(request))
        where.pop("a", None)
        try:
            await self._context.store.unbind(application, **where, at=self._context.clock())
        except BindingError as error:
            raise refused(error) from None
        return success()

    async def modify(self, request: Request) -> Response:
        """PUT: change what is given; origNum must be the binding's A."""
        application = await self._gate.admit(request, (Mode.AX,))
        fields = await read_body(request)
        direction = fields.integer("callDirection", 0, 2)
        changes = AxChanges(
            direction=UNSET if direction is None else Direction(direction),
            policy=read_policy_changes(self._context, application, fields),
            sms=_or_unset(fields.flag("privateSms")),
            switched_on=_or_unset(_switch(fields)),
            show_caller=_or_unset(_show_caller(fields)),
            user_data=_or_unset(fields.user_data()),
        )
        try:
            await self._context.store.modify_ax(
                application, **_locator(fields), changes=changes, at=self._context.clock()
            )
        except BindingError as error:
            raise refused(error) from None
        return success()

    async def query(self, request: Request) -> Response:
        """GET: by subscriptionId, else origNum, else privateNum."""
        application = await self._gate.admit(request, (Mode.AX,))
        fields = read_query(request)
        name, a, x = fields.text("subscriptionId", 64), fields.number("origNum"), fields.number("privateNum")
        if name is None and a is None and x is None:
            raise fields.missing("subscriptionId, origNum or privateNum")
        found = await self._context.store.query_ax(application, binding=name, a=a, x=x)
        if not found:
            raise ApiError(errors.BINDING_NOT_FOUND)
        return JsonReply(
            {
                "resultcode": errors.SUCCESS.code,
                "resultdesc": errors.SUCCESS.text,
                "privateNumList": [_shown(binding) for binding in found],
            }
        )

    async def set_callee(self, request: Request) -> Response:
        """PUT: whom A's next call to X reaches."""
        application = await self._gate.admit(request, (Mode.AX,))
        fields = await read_body(request)
        seconds = fields.integer("duration", 0, CALLEE_LONGEST) or CALLEE_DEFAULT
        try:
            await self._context.store.set_temporary_callee(
                application,
                **_locator(fields),
                callee=fields.required_number("calleeNum"),
                seconds=seconds,
                user_data=fields.user_data(),
                at=self._context.clock(),
            )
        except BindingError as error:
            raise refused(error) from None
        return success()


def _locator(fields: Fields) -> dict[str, Any]:
    name, x = fields.text("subscriptionId", 64), fields.number("privateNum")
    if name is None and x is None:
        raise fields.missing("subscriptionId or privateNum")
    return {"binding": name, "x": None if name else x, "a": fields.number("origNum")}


def _switch(fields: Fields) -> bool | None:
    text = fields.choice("turnFlag", "on", "off")
    return None if text is None else text == "on"


def _show_caller(fields: Fields) -> bool | None:
    text = fields.choice("calleeNumDisplay", "0", "1")
    return None if text is None else text == "1"


def _shown(binding: Binding) -> dict[str, Any]:
    shown = None if binding.show_caller is None else str(int(binding.show_caller))
    return without_none(
        {
            "origNum": binding.a.e164,
            "privateNum": binding.x.e164,
            "privateNumType": "mobile-virtual",
            "subscriptionId": binding.id,
            "calleeNumDisplay": shown,
            "callDirection": int(binding.direction),
            "turnFlag": "on" if binding.switched_on else "off",
            **shown_policy(binding),
        }
    )


def _or_unset(value: Any) -> Any:
    return UNSET if value is None else value
