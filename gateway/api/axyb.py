"""AXYB: an X for A, a Y for each B (privatenumber.md section 4.2). ``app_key`` is in every query, and the signer's."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gateway.api import errors
from gateway.api.context import ApiContext, JsonReply, success
from gateway.api.errors import ApiError, invalid
from gateway.api.fields import Fields, read_body, read_delete, read_query
from gateway.api.gate import Gate
from gateway.api.policy import known_tone, read_recording, without_none
from gateway.bindings.errors import BindingError, BindingNotFound, NoFreeNumber, SameNumber, TooManyNumbers
from gateway.bindings.models import Application, Binding, CallPolicy, Direction, Mode
from gateway.bindings.requests import NewAxyb, NewRelation, changed_policy

PATH = "/rest/omp/xyrelationnumber/v1.0"
SHORTEST, LONGEST, STANDARD = 60, 7776000, 7200

_RESULTS = {
    NoFreeNumber: errors.NO_FREE_NUMBER,
    TooManyNumbers: errors.AX_TOO_MANY_NUMBERS,
    BindingNotFound: errors.BINDING_NOT_FOUND,
}


def refused(error: BindingError) -> ApiError:
    """The result code of what the store says."""
    if isinstance(error, SameNumber):
        return invalid("origNum must be neither A nor X.")
    return ApiError(_RESULTS.get(type(error), errors.INTERNAL_ERROR))


class AxybApi:
    """The methods of the AXYB path."""

    def __init__(self, context: ApiContext, gate: Gate) -> None:
        self._context = context
        self._gate = gate

    async def bind(self, request: Request) -> Response:
        """POST: an X for A; with ``subscriptionId`` a Y for B."""
        application = await self._admit(request)
        fields = await read_body(request)
        parent = fields.text("subscriptionId", 64)
        try:
            if parent is None:
                made = await self._bind_ax(application, fields)
                number = made.x
            else:
                made = await self._bind_relation(application, parent, fields)
                number = made.y or made.x
        except BindingError as error:
            raise refused(error) from None
        return success(subscriptionId=made.parent or made.id, relationNumber=number.e164, userData=fields.user_data())

    async def _bind_ax(self, application: Application, fields: Fields) -> Binding:
        area = fields.text("areaCode", 32)
        if area is None:
            raise fields.missing("areaCode")
        seconds = _seconds(fields, "duration")
        seconds = STANDARD if seconds is None else seconds
        life = _seconds(fields, "ybDuration") or 0
        wanted = NewAxyb(
            a=fields.required_number("origNum"),
            area_code=area,
            loose=fields.choice("areaMatchMode", "0", "1") == "1",
            direction=Direction(fields.integer("callDirection", 0, 2) or 0),
            duration=seconds or None,
            policy=changed_policy(
                CallPolicy(tone_for_others=known_tone(self._context, application, fields, "preVoiceX")),
                read_recording(self._context, application, fields),
            ),
            extra={"ybDuration": min(life, seconds) if seconds else life},
            user_data=fields.user_data(),
        )
        return await self._context.store.bind_axyb(application, wanted, self._context.clock())

    async def _bind_relation(self, application: Application, parent: str, fields: Fields) -> Binding:
        wanted = NewRelation(
            parent=parent,
            b=fields.required_number("origNum"),
            area_code=fields.text("areaCode", 32) or "",
            loose=fields.choice("areaMatchMode", "0", "1") == "1",
            seconds=_seconds(fields, "ybDuration"),
            tone_for_a=known_tone(self._context, application, fields, "preVoiceY"),
            user_data=fields.user_data(),
        )
        return await self._context.store.bind_relation(application, wanted, self._context.clock())

    async def unbind(self, request: Request) -> Response:
        """DELETE: all of a subscriptionId, or its one relation of yNum (else of bNum)."""
        application = await self._admit(request)
        fields = await read_delete(request)
        name = fields.text("subscriptionId", 64)
        if name is None:
            raise fields.missing("subscriptionId")
        where = {"y": fields.number("yNum"), "b": fields.number("bNum")}
        try:
            await self._context.store.unbind_axyb(application, name, **where, at=self._context.clock())
        except BindingError as error:
            raise refused(error) from None
        return success()

    async def query(self, request: Request) -> Response:
        """GET: the relations of a subscriptionId, else of an X."""
        application = await self._admit(request)
        fields = read_query(request)
        name, x = fields.text("subscriptionId", 64), fields.number("relationNum")
        if name is None and x is None:
            raise fields.missing("subscriptionId or relationNum")
        try:
            ax, *relations = await self._context.store.query_axyb(
                application, binding=name, x=x, at=self._context.clock()
            )
        except BindingError as error:
            raise refused(error) from None
        rows = [_shown(ax, relation) for relation in relations] or [_shown(ax, None)]
        return JsonReply(
            {"resultcode": errors.SUCCESS.code, "resultdesc": errors.SUCCESS.text, "xyRelationNumList": rows}
        )

    async def _admit(self, request: Request) -> Application:
        application = await self._gate.admit(request, (Mode.AXYB,))
        fields = read_query(request)
        key = fields.text("app_key", 128)
        if key is None:
            raise fields.missing("app_key")
        if key != application.key:
            raise ApiError(errors.UNKNOWN_KEY)
        return application


def _seconds(fields: Fields, name: str) -> int | None:
    """0 or 60 to 7776000; None when it is not given."""
    value = fields.integer(name, 0, LONGEST)
    if value is not None and 0 < value < SHORTEST:
        raise fields.wrong(name)
    return value


def _shown(ax: Binding, relation: Binding | None) -> dict[str, Any]:
    policy = ax.policy
    row = {
        "bindId": ax.id,
        "numA": ax.a.e164,
        "numX": ax.x.e164,
        "numY": relation.y.e164 if relation and relation.y else None,
        "numB": relation.b.e164 if relation and relation.b else None,
        "recordFlag": "true" if policy.record else "false",
        "recordHintTone": policy.notice if policy.record and policy.notice else None,
        "subscribeTime": f"{(relation or ax).created_at:%Y-%m-%d %H:%M:%S}",
        "callDirection": int(ax.direction),
        "duration": str(ax.duration or 0),
        "ybDuration": str((relation.duration if relation else ax.extra.get("ybDuration")) or 0),
        "preVoiceX": policy.tone_for_others or None,
        "preVoiceY": (relation.policy.tone_for_a or None) if relation else None,
        "userData": (relation or ax).user_data,
    }
    return without_none(row)
