"""What an incoming request must get before anybody looks at what it wants (RFC 3261 §8.2, §16.3; RFC 4475).

order  check                                             answer
1      SIP version                                       505
2      mandatory headers: there, once, readable          400
3      CSeq method, method known, served                 400, 501, see methods.py
4      Request-URI: readable, without headers, scheme    400, 416
5      Max-Forwards of an INVITE (we are a B2BUA)        483
6      Require (not for ACK and CANCEL)                  420 + Unsupported
7      body type, Accept of an INVITE                    415 + Accept, 406
"""

from __future__ import annotations

from collections.abc import Container

from gateway.errors import ParseError
from gateway.sip.message import Request, Response
from gateway.sip.methods import KNOWN, NOT_IMPLEMENTED, SERVED, Refusal, refused_outside, refused_within
from gateway.sip.policy import EXTENSIONS
from gateway.sip.uri import OtherUri, SipUri, TelUri

SDP = "application/sdp"
INFO_TYPES = ("application/dtmf-relay", "application/dtmf")
SMS = "application/vnd.3gpp.sms"
_ONCE = frozenset({"from", "to", "call-id", "cseq", "max-forwards"})


def screen(request: Request, doors: Container[str] = ()) -> Refusal | None:
    """None when the request may go on, else its answer. ``doors``: methods that are served besides the usual ones."""
    if request.version != "SIP/2.0":
        return 505, None, []
    try:
        _mandatory(request)
    except ParseError as error:
        return 400, f"Bad Request ({error.field})", []
    method = request.method
    if method not in KNOWN:
        return NOT_IMPLEMENTED
    if request.cseq.method != method:
        return 400, "Bad Request (CSeq)", []
    if method not in SERVED and method not in doors:
        return refused_within(method) if request.to.tag else refused_outside(method)
    return _target(request) or _extensions(request) or _body(request)


def _mandatory(request: Request) -> None:
    twice = request.headers.repeated(_ONCE)
    if twice is not None:
        raise ParseError(twice, "given twice")
    if not request.vias:
        raise ParseError("Via", "missing")
    _ = request.from_, request.to, request.call_id, request.cseq, request.max_forwards
    if request.method in ("INVITE", "UPDATE"):
        _ = request.contact, request.record_routes


def _target(request: Request) -> Refusal | None:
    try:
        uri = request.uri
    except ParseError:
        return 400, "Bad Request (Request-URI)", []
    match uri:
        case OtherUri():
            return 416, None, []
        case SipUri(headers=headers) if headers:
            return 400, "Bad Request (headers in the Request-URI)", []
        case TelUri() | SipUri():
            pass
    if request.method == "INVITE" and request.max_forwards == 0:
        return 483, None, []
    return None


def _extensions(request: Request) -> Refusal | None:
    if request.method in ("ACK", "CANCEL"):
        return None
    wanted = [*request.headers.values("Require"), *request.headers.values("Proxy-Require")]
    unknown = [option for option in wanted if option.lower() not in EXTENSIONS]
    return (420, None, [("Unsupported", ", ".join(unknown))]) if unknown else None


def _body(request: Request) -> Refusal | None:
    if request.method == "MESSAGE" and request.content_type not in ("text/plain", SMS, ""):
        return 415, None, [("Accept", f"text/plain, {SMS}")]
    if request.method not in ("INVITE", "UPDATE"):
        return None
    if request.body and request.content_type not in (SDP, ""):
        return 415, None, [("Accept", SDP)]
    if request.headers.get("Content-Encoding") not in (None, "identity"):
        return 415, None, [("Accept-Encoding", "identity")]
    accepted = [value.partition(";")[0].strip().lower() for value in request.headers.values("Accept")]
    if accepted and not {SDP, "application/*", "*/*"}.intersection(accepted):
        return 406, None, []
    return None


def screen_response(response: Response) -> bool:
    """Whether a response can be matched and used; one that can't is dropped (RFC 3261 §8.1.3)."""
    try:
        _ = response.via, response.from_, response.to, response.call_id, response.cseq
        return len(response.vias) == 1
    except ParseError:
        return False
