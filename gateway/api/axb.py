"""AXB: bind, unbind, modify and query pairs on an X (privatenumber.md section 3)."""

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
    AlreadyBound,
    BindingError,
    BindingNotFound,
    NoFreeNumber,
    NoLimit,
    NotBound,
    NumberBlacklisted,
    NumberNotOwned,
    SameNumber,
)
from gateway.bindings.models import Binding, Direction, Mode
from gateway.bindings.requests import UNSET, AxbChanges, NewAxb

PATH = "/rest/caas/relationnumber/partners/v1.0"
LONGEST = 7776000


def refused(error: BindingError) -> ApiError:
    """The result code of what the store says."""
    match error:
        case AlreadyBound(number=number):
            return ApiError(errors.already_bound(number.e164))
        case SameNumber():
            return invalid("callerNum, calleeNum and relationNum must differ.")
        case NoLimit():
            return invalid(errors.NO_LIMIT)
        case _:
            return ApiError(_RESULTS.get(type(error), errors.INTERNAL_ERROR))


_RESULTS = {
    NumberNotOwned: errors.NUMBER_NOT_OWNED,
    NoFreeNumber: errors.NO_FREE_NUMBER,
    NumberBlacklisted: errors.NUMBER_BLACKLISTED,
    BindingNotFound: errors.BINDING_NOT_FOUND,
    NotBound: errors.RECORD_NOT_FOUND,
}


class AxbApi:
    """The four methods of the AXB path."""

    def __init__(self, context: ApiContext, gate: Gate) -> None:
        self._context = context
        self._gate = gate

    async def bind(self, request: Request) -> Response:
        """POST: bind A and B on X."""
        application = await self._gate.admit(request, (Mode.AXB,))
        fields = await read_body(request)
        wanted = NewAxb(
            a=fields.required_number("callerNum"),
            b=fields.required_number("calleeNum"),
            x=fields.number("relationNum"),
            area_code=fields.text("areaCode", 32) or "",
            loose=fields.choice("areaMatchMode", "0", "1") == "1",
            direction=Direction(fields.integer("callDirection", 0, 2) or 0),
            duration=fields.integer("duration", 0, LONGEST) or None,
            policy=read_policy(self._context, application, fields),
            sms=_default(fields.flag("privateSms"), True),
            user_data=fields.user_data(),
        )
        _check_last_minute(fields, wanted.policy.max_minutes)
        try:
            made = await self._context.store.bind_axb(application, wanted, self._context.clock())
        except BindingError as error:
            raise refused(error) from None
        return success(
            subscriptionId=made.id,
            relationNum=made.x.e164,
            callDirection=int(made.direction),
            duration=made.duration or 0,
            maxDuration=made.policy.max_minutes,
            userData=made.user_data,
        )

    async def unbind(self, request: Request) -> Response:
        """DELETE: one binding by subscriptionId, or all of relationNum."""
        application = await self._gate.admit(request, (Mode.AXB,))
        fields = await read_delete(request)
        name, x = fields.text("subscriptionId", 64), fields.number("relationNum")
        if name is None and x is None:
            raise fields.missing("subscriptionId or relationNum")
        try:
            await self._context.store.unbind(application, binding=name, x=None if name else x, at=self._context.clock())
        except BindingError as error:
            raise refused(error) from None
        return success()

    async def modify(self, request: Request) -> Response:
        """PUT: change a binding; a duration given starts the clock again."""
        application = await self._gate.admit(request, (Mode.AXB,))
        fields = await read_body(request)
        name = fields.text("subscriptionId", 64)
        if name is None:
            raise fields.missing("subscriptionId")
        direction = fields.integer("callDirection", 0, 2)
        duration = fields.integer("duration", 0, LONGEST)
        changes = AxbChanges(
            a=_or_unset(fields.number("callerNum")),
            b=_or_unset(fields.number("calleeNum")),
            direction=UNSET if direction is None else Direction(direction),
            duration=UNSET if duration is None else duration or None,
            policy=read_policy_changes(self._context, application, fields),
            sms=_or_unset(fields.flag("privateSms")),
            user_data=_or_unset(fields.user_data()),
        )
        try:
            await self._context.store.modify_axb(application, name, changes, self._context.clock())
        except BindingError as error:
            raise refused(error) from None
        return success()

    async def query(self, request: Request) -> Response:
        """GET: one binding, or the bindings of an X page by page."""
        application = await self._gate.admit(request, (Mode.AXB,))
        fields = read_query(request)
        name, x = fields.text("subscriptionId", 64), fields.number("relationNum")
        if name is None and x is None:
            raise fields.missing("subscriptionId or relationNum")
        page, size = _page(fields)
        where: dict[str, Any] = {"binding": name} if name else {"x": x}
        if name is None:
            where |= {"a": fields.number("callerNum"), "b": fields.number("calleeNum")}
        at = self._context.clock()
        found = await self._context.store.query_axb(application, **where, page=page, size=size, at=at)
        if not found:
            raise ApiError(errors.BINDING_NOT_FOUND if name else errors.RECORD_NOT_FOUND)
        total = await self._context.store.count_axb(application, **where, at=at)
        return JsonReply(
            {
                "resultcode": errors.SUCCESS.code,
                "resultdesc": errors.SUCCESS.text,
                "relationNumList": [_shown(binding) for binding in found],
                "pagedetail": {"totalRows": total, "currentPage": page, "pageSize": size},
            }
        )


def _shown(binding: Binding) -> dict[str, Any]:
    return without_none(
        {
            "subscriptionId": binding.id,
            "callerNum": binding.a.e164,
            "relationNum": binding.x.e164,
            "calleeNum": binding.b.e164 if binding.b else None,
            "callDirection": int(binding.direction),
            "duration": binding.duration or 0,
            **shown_policy(binding),
        }
    )


def _page(fields: Fields) -> tuple[int, int]:
    """pageIndex from 1; a pageSize outside 10..100 means 50 (section 3.4)."""
    index = fields.integer("pageIndex", 1, 10**6) or 1
    size = fields.integer("pageSize", -(10**9), 10**9) or 50
    return index, size if 10 <= size <= 100 else 50


def _check_last_minute(fields: Fields, minutes: int) -> None:
    if fields.has("lastMinVoice") and not minutes:
        raise invalid(errors.NO_LIMIT)


def _default(value: bool | None, default: bool) -> bool:
    return default if value is None else value


def _or_unset(value: Any) -> Any:
    return UNSET if value is None else value
