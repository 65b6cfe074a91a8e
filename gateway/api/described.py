"""The vendor's routes in OpenAPI's words: every field that a handler reads, what it answers, an accepted example.

The handlers read more tolerantly than this says (fields.py): here stands what a client should send. That no field is
missing or too many is held by tests/api/test_described.py, which compares with the handlers' source.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Schema = dict[str, Any]


def _text(description: str, longest: int = 128, **more: Any) -> Schema:
    return {"type": "string", "maxLength": longest, "description": description, **more}


def _number(description: str) -> Schema:
    return _text(description + ", in global form", 21, pattern=r"^\+[0-9]{3,20}$")


def _whole(description: str, low: int, high: int) -> Schema:
    return {"type": "integer", "minimum": low, "maximum": high, "description": description}


def _one(description: str, *values: str) -> Schema:
    return {"type": "string", "enum": list(values), "description": description}


def _tone(description: str) -> Schema:
    return _text(description + " (an approved tone's name)", pattern=r"^[A-Za-z0-9_@-][A-Za-z0-9_.@-]{0,127}$")


_FLAG: Schema = {"type": "string", "enum": ["true", "false"]}
FIELDS: dict[str, Schema] = {
    "subscriptionId": _text("the binding's id", 64),
    "callerNum": _number("A"),
    "calleeNum": _number("B; of AX, whom A's next call reaches"),
    "relationNum": _number("X"),
    "origNum": _number("A; AXYB with a subscriptionId: B"),
    "privateNum": _number("X"),
    "privateNumType": _one("what kind of X is chosen", "mobile-virtual"),
    "virtualNum": _number("X"),
    "bindNum": _number("A"),
    "extendNum": _text("E, one to four digits; chosen when absent", 4, pattern="^[0-9]{1,4}$"),
    "areaCode": _text("city of the X to choose, as it is dialled in China", 32),
    "areaMatchMode": _one("0: an X of that city only; 1: of another when there is none", "0", "1"),
    "callDirection": _whole("0: both ways; 1: only A may call; 2: only others may", 0, 2),
    "duration": _whole("seconds that it lives; 0: for ever (the temporary callee: 60, at most 259200)", 0, 7776000),
    "maxDuration": _whole("minutes that a call may last; 0: no limit", 0, 1440),
    "lastMinVoice": _tone("played a minute before the end; needs maxDuration"),
    "recordFlag": {**_FLAG, "description": "whether calls are recorded"},
    "recordHintTone": _tone("the notice before a recording"),
    "preVoice": {
        "type": "object",
        "description": "waiting tones",
        "properties": {
            "callerHintTone": _tone("for A as caller"),
            "calleeHintTone": _tone("for others as callers"),
        },
    },
    "preVoiceX": _tone("for who calls X"),
    "preVoiceY": _tone("for A, who calls Y"),
    "privateSms": {**_FLAG, "description": "whether short messages go through X"},
    "calleeNumDisplay": _one("what A sees: 0 X, 1 the caller", "0", "1"),
    "displayNumMode": _one("what A sees: 0 X, 1 the caller", "0", "1"),
    "turnFlag": _one("whether the binding carries calls", "on", "off"),
    "timeUnit": _one("of the two times: 0 hours, 1 minutes", "0", "1"),
    "bindExpiredTime": _whole("how long the binding lives; 0: for ever", 0, 129600),
    "callbackExpiredTime": _whole("how long A's callback reaches the last caller; 0: for ever", 0, 129600),
    "callbackTone": _tone("what A hears who calls X with nobody to reach; excludes callbackNum"),
    "callbackNum": _number("whom A reaches then"),
    "ybDuration": _whole("seconds that a relation (Y, B) lives; 0: as long as X's", 0, 7776000),
    "yNum": _number("Y of the relation to end"),
    "bNum": _number("B of the relation to end"),
    "app_key": _text("the application's key"),
    "userData": _text("the customer's own text, without braces", 256, pattern="^[^{}]*$"),
    "sessionid": _text("the call's, from its events (there: sessionId)", 256),
    "signal": _one("what to do", "call_stop"),
    "fileName": _text("recordObjectName of the CDR"),
    "recordDomain": _text("recordDomain of the CDR"),
    "form": _one("ours: stereo, caller left and callee right, or mono, both mixed", "stereo", "mono"),
    "pageIndex": _whole("the page, from 1", 1, 10**6),
    "pageSize": _whole("rows of a page; outside 10 to 100: 50", 10, 100),
}
_LOCATORS = ("subscriptionId", "privateNum")
_POLICY = ("recordFlag", "recordHintTone", "preVoice", "maxDuration", "lastMinVoice", "privateSms", "userData")
_CHOOSING = ("areaCode", "areaMatchMode")
_A, _B, _X = "+8613800000021", "+8613800000022", "+8617000000001"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """``needed`` fields, at least one of ``either``, and ``others``; ``answered`` beside resultcode and resultdesc."""

    section: str
    needed: tuple[str, ...] = ()
    either: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    answered: tuple[str, ...] = ()
    query: tuple[str, ...] = ()
    """Of a POST: those that stand in the query."""
    example: dict[str, Any] = field(default_factory=dict)

    @property
    def fields(self) -> tuple[str, ...]:
        """All of them, once each."""
        return tuple(dict.fromkeys((*self.query, *self.needed, *self.either, *self.others)))


_AXYB_NEW = ("areaCode", "areaMatchMode", "callDirection", "duration", "ybDuration", "recordFlag", "recordHintTone",
             "preVoiceX", "preVoiceY", "userData", "subscriptionId")  # fmt: skip
_AXE_LIFE = ("timeUnit", "bindExpiredTime", "callbackExpiredTime", "callbackTone", "callbackNum", "displayNumMode",
             "recordFlag", "recordHintTone", "userData")  # fmt: skip
ROUTES: dict[str, Route] = {
    "AXB POST": Route(
        section="3.1", needed=("callerNum", "calleeNum"),
        others=("relationNum", *_CHOOSING, "callDirection", "duration", *_POLICY),
        answered=("subscriptionId", "relationNum", "callDirection", "duration", "maxDuration", "userData"),
        example={"callerNum": _A, "calleeNum": _B, "relationNum": _X, "duration": 86400, "recordFlag": "true",
                 "maxDuration": 30, "userData": "order-7"},
    ),
    "AXB DELETE": Route(section="3.2", either=("subscriptionId", "relationNum"), example={"relationNum": _X}),
    "AXB PUT": Route(
        section="3.3", needed=("subscriptionId",),
        others=("callerNum", "calleeNum", "callDirection", "duration", *_POLICY),
        example={"subscriptionId": "", "maxDuration": 45},
    ),
    "AXB GET": Route(
        section="3.4", either=("subscriptionId", "relationNum"),
        others=("callerNum", "calleeNum", "pageIndex", "pageSize"), answered=("relationNumList", "pagedetail"),
        example={"relationNum": _X},
    ),
    "AX POST": Route(
        section="2.1", needed=("origNum",), either=("privateNum", "areaCode"),
        others=("privateNumType", "areaMatchMode", "callDirection", "calleeNumDisplay", "turnFlag", *_POLICY),
        answered=("origNum", "privateNum", "subscriptionId", "userData"),
        example={"origNum": _A, "privateNum": "+8617000000011", "calleeNumDisplay": "0", "privateSms": "true"},
    ),
    "AX DELETE": Route(section="2.2", either=_LOCATORS, others=("origNum",), example={"privateNum": "+8617000000011"}),
    "AX PUT": Route(
        section="2.3", either=_LOCATORS,
        others=("origNum", "callDirection", "calleeNumDisplay", "turnFlag", *_POLICY),
        example={"privateNum": "+8617000000011", "maxDuration": 30},
    ),
    "AX GET": Route(
        section="2.4", either=("subscriptionId", "origNum", "privateNum"), answered=("privateNumList",),
        example={"privateNum": "+8617000000011"},
    ),
    "CALLEE PUT": Route(
        section="2.5", needed=("calleeNum",), either=_LOCATORS, others=("origNum", "duration", "userData"),
        example={"privateNum": "+8617000000011", "calleeNum": _B, "duration": 600},
    ),
    "AXE POST": Route(
        section="4.1", needed=("bindNum",), either=("virtualNum", "areaCode"),
        others=("extendNum", "areaMatchMode", *_AXE_LIFE),
        answered=("subscriptionId", "virtualNum", "extendNum", "bindExpiredTime", "callbackExpiredTime", "userData"),
        example={"bindNum": _A, "virtualNum": "+8617000000021", "extendNum": "1234", "bindExpiredTime": 24},
    ),
    "AXE DELETE": Route(
        section="4.1", either=("subscriptionId", "virtualNum"), others=("extendNum",),
        example={"virtualNum": "+8617000000021", "extendNum": "1234"},
    ),
    "AXE PUT": Route(
        section="4.1", either=("subscriptionId", "virtualNum"), others=("extendNum", *_AXE_LIFE),
        example={"virtualNum": "+8617000000021", "extendNum": "1234", "userData": "order-8"},
    ),
    "AXE GET": Route(
        section="4.1", either=("subscriptionId", "virtualNum"), others=("extendNum",),
        answered=("subscriptionId", "virtualNum", "extendNum", "bindNum", "displayNumMode", "recordFlag",
                  "recordHintTone", "timeUnit", "bindExpiredTime", "callbackExpiredTime", "callbackTone",
                  "callbackNum", "userData"),
        example={"virtualNum": "+8617000000021", "extendNum": "1234"},
    ),
    "AXYB POST": Route(
        section="4.2", query=("app_key",), needed=("origNum",), others=_AXYB_NEW,
        answered=("subscriptionId", "relationNumber", "userData"),
        example={"origNum": _A, "areaCode": "0755", "duration": 86400},
    ),
    "AXYB DELETE": Route(
        section="4.2", needed=("app_key", "subscriptionId"), others=("yNum", "bNum"), example={"subscriptionId": ""}
    ),
    "AXYB GET": Route(
        section="4.2", needed=("app_key",), either=("subscriptionId", "relationNum"), answered=("xyRelationNumList",),
        example={"subscriptionId": ""},
    ),
    "STOP POST": Route(
        section="4.4", needed=("sessionid", "signal"), example={"sessionid": "live", "signal": "call_stop"}
    ),
    "RECORD GET": Route(
        section="5", needed=("fileName", "recordDomain"), others=("form",),
        example={"fileName": "a-recording.wav", "recordDomain": "ostor.example.com"},
    ),
}  # fmt: skip
SECURITY: dict[str, Schema] = {
    name: {
        "type": "apiKey", "in": "header", "name": f"X-{name}",
        "description": f'UsernameToken Username="key",PasswordDigest="{digest}",Nonce="...",Created="UTC time"; with '
                       f'Authorization: {name} realm="SDP",profile="UsernameToken",type="Appkey" (section 1.1)',
    }
    for name, digest in (("WSSE", "Base64(SHA256(Nonce+Created+secret))"),
                         ("AKSK", "Base64(HMAC-SHA256(secret, Nonce+Created))"))
}  # fmt: skip
_CODE: dict[str, Schema] = {
    "resultcode": _text('"0", or the code of what is wrong'),
    "resultdesc": _text("the same in words", 256),
}
_REFUSED = {
    "description": "refused; the code says why",
    "content": {
        "application/json": {
            "schema": {"type": "object", "properties": _CODE},
            "example": {"resultcode": "1010002", "resultdesc": "Invalid request parameter.callerNum is required."},
        }
    },
}


def operation(route: Route, method: str) -> Schema:
    """OpenAPI's extra words for a route."""
    in_query = route.query if method in ("POST", "PUT") else route.fields
    in_body = [name for name in route.fields if name not in in_query]
    made: Schema = {
        "description": f"privatenumber.md section {route.section}."
        + (f" At least one of {', '.join(route.either)}." if route.either else ""),
        "security": [{name: []} for name in SECURITY],
        "parameters": [
            {"name": name, "in": "query", "required": name in (*route.needed, *route.query), "schema": FIELDS[name],
             "description": FIELDS[name]["description"]}
            for name in in_query
        ],
        "responses": {"200": _answer(route), "400": _REFUSED, "403": _REFUSED},
    }  # fmt: skip
    if in_body:
        schema: Schema = {"type": "object", "properties": {name: FIELDS[name] for name in in_body},
                          "required": [name for name in route.needed if name in in_body]}  # fmt: skip
        if route.either:
            schema["anyOf"] = [{"required": [name]} for name in route.either]
        content = {"schema": schema, "example": route.example}
        made["requestBody"] = {"required": True, "content": {"application/json": content}}
    return made


def _answer(route: Route) -> Schema:
    answered = {
        name: FIELDS[name] if name in FIELDS else {"type": "array" if name.endswith("List") else "object"}
        if name[-4:] in ("List", "tail") else {"type": "string"}
        for name in route.answered
    }  # fmt: skip
    schema = {"type": "object", "properties": {**_CODE, **answered}}
    return {"description": "done", "content": {"application/json": {"schema": schema}}}
