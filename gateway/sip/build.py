"""Messages that we write: responses that echo what must be echoed, requests from their parts.

Via, Record-Route, From, To, Call-ID and CSeq of a response are the request's own text (RFC 3261 §8.2.6.2).
"""

from __future__ import annotations

from collections.abc import Iterable

from gateway.sip.grammar import split_commas
from gateway.sip.message import Headers, Request, Response

_ECHOED = frozenset({"via", "from", "to", "call-id", "cseq"})

REASONS: dict[int, str] = {
    100: "Trying", 180: "Ringing", 181: "Call Is Being Forwarded", 182: "Queued", 183: "Session Progress",
    200: "OK", 202: "Accepted",
    400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
    406: "Not Acceptable", 407: "Proxy Authentication Required", 408: "Request Timeout", 410: "Gone",
    413: "Request Entity Too Large", 415: "Unsupported Media Type", 416: "Unsupported URI Scheme",
    420: "Bad Extension", 421: "Extension Required", 422: "Session Interval Too Small", 423: "Interval Too Brief",
    480: "Temporarily Unavailable",
    469: "Bad Info Package", 481: "Call/Transaction Does Not Exist", 482: "Loop Detected", 483: "Too Many Hops",
    484: "Address Incomplete", 486: "Busy Here", 487: "Request Terminated", 488: "Not Acceptable Here",
    489: "Bad Event", 491: "Request Pending",
    500: "Server Internal Error", 501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable",
    504: "Server Time-out", 505: "Version Not Supported", 513: "Message Too Large", 580: "Precondition Failure",
    600: "Busy Everywhere", 603: "Decline", 604: "Does Not Exist Anywhere", 606: "Not Acceptable",
}  # fmt: skip


def response_to(
    request: Request,
    status: int,
    reason: str | None = None,
    *,
    to_tag: str | None = None,
    headers: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
    content_type: str | None = None,
) -> Response:
    """A response to ``request``. ``to_tag`` is added when its To has none. Never raises, whatever the request is."""
    record_route = 101 <= status < 300
    rows: list[tuple[str, str, str]] = []
    for name, value in request.headers:
        key = name.lower()
        if key in _ECHOED or (record_route and key == "record-route"):
            if key == "to" and to_tag and ";tag=" not in value.rpartition(">")[2].replace(" ", "").lower():
                value = f"{value};tag={to_tag}"
            rows.append((key, name, value))
    rows += [(name.lower(), name, value) for name, value in headers]
    if body and content_type:
        rows.append(("content-type", "Content-Type", content_type))
    return Response(
        status, REASONS.get(status, "Response") if reason is None else reason, Headers.from_lines(rows), body
    )


def request(
    method: str,
    uri_text: str,
    *,
    via: str,
    from_: str,
    to: str,
    call_id: str,
    cseq: int,
    routes: Iterable[str] = (),
    contact: str | None = None,
    headers: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
    content_type: str | None = None,
    max_forwards: int = 70,
) -> Request:
    """A request from its parts, in the order in which people like to read them."""
    lines = [("Via", via), ("Max-Forwards", str(max_forwards))]
    lines += [("Route", route) for route in routes]
    lines += [("From", from_), ("To", to), ("Call-ID", call_id), ("CSeq", f"{cseq} {method}")]
    if contact is not None:
        lines.append(("Contact", contact))
    lines += headers
    if body and content_type:
        lines.append(("Content-Type", content_type))
    return Request(method, uri_text, Headers(lines), body)


def renewed(old: Request, via: str, cseq: int, headers: Iterable[tuple[str, str]] = ()) -> Request:
    """A request once more, as a new transaction: ``headers`` take the place of those of their names."""
    made = old.headers.copy()
    for name, value in (("Via", via), ("CSeq", f"{cseq} {old.method}"), *headers):
        made.set(name, value)
    return Request(old.method, old.uri_text, made, old.body)


def _top_via(request: Request) -> str:
    return split_commas(request.headers.get("Via") or "", "Via")[0]


def _sibling(invite: Request, method: str, to: str) -> Request:
    """A request that belongs to an INVITE's transaction: same URI, top Via, Route, From, Call-ID and CSeq number."""
    lines = [("Via", _top_via(invite)), ("Max-Forwards", "70")]
    lines += [("Route", value) for value in invite.headers.get_all("Route")]
    lines += [
        ("From", invite.headers.get("From") or ""),
        ("To", to),
        ("Call-ID", invite.headers.get("Call-ID") or ""),
        ("CSeq", f"{invite.cseq.number} {method}"),
    ]
    return Request(method, invite.uri_text, Headers(lines))


def cancel_for(invite: Request) -> Request:
    """The CANCEL of an INVITE that we sent (RFC 3261 §9.1)."""
    return _sibling(invite, "CANCEL", invite.headers.get("To") or "")


def ack_for(invite: Request, response: Response) -> Request:
    """The ACK of a non-2xx final response (RFC 3261 §17.1.1.3): the To is the response's, with its tag."""
    return _sibling(invite, "ACK", response.headers.get("To") or "")
