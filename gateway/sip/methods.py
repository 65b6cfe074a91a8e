"""The methods: which are served, and what those get that aren't. Nothing here ends more than the request (RFC 5057): a
call in whose dialog it comes goes on.

    method      outside of a dialog    within one        why
    REGISTER    405                    405               no registrar, unless one has a door (RFC 3261 §8.2.1)
    REFER       405                    405               calls go where a binding says
    PUBLISH     489                    489               no event package (RFC 3903 §6)
    SUBSCRIBE   489                    489               no event package (RFC 6665 §4.2.1.2)
    NOTIFY      481                    489               no subscription (RFC 6665 §4.1.3); within a dialog a 481
                                                         could be taken for the end of the call
    BYE INFO    481                    served            no such dialog (RFC 3261 §12.2.2)
    UPDATE PRACK
    MESSAGE     served                 403               a text belongs to a number, not to a call
    others      501                    501               RFC 3261 §8.2.1

What is served outside of a dialog stands in ``Reception.doors``; in one, in ``InviteSession.receive_request``.
"""

from __future__ import annotations

ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK, MESSAGE"
SERVED = frozenset(ALLOW.split(", "))
KNOWN = SERVED | {"REGISTER", "PUBLISH", "REFER", "SUBSCRIBE", "NOTIFY"}

Refusal = tuple[int, str | None, list[tuple[str, str]]]
"""Status, reason phrase (None: the usual one) and headers of an answer."""

NOT_IMPLEMENTED: Refusal = (501, None, [("Allow", ALLOW)])
_NOT_ALLOWED: Refusal = (405, None, [("Allow", ALLOW)])
_BAD_EVENT: Refusal = (489, None, [("Allow-Events", "")])
_NO_DIALOG: Refusal = (481, None, [])

_OUTSIDE: dict[str, Refusal] = {
    "PUBLISH": _BAD_EVENT,
    "SUBSCRIBE": _BAD_EVENT,
    "NOTIFY": _NO_DIALOG,
    "BYE": _NO_DIALOG,
    "INFO": _NO_DIALOG,
    "UPDATE": _NO_DIALOG,
    "PRACK": _NO_DIALOG,
}
_WITHIN: dict[str, Refusal] = {
    "PUBLISH": _BAD_EVENT,
    "SUBSCRIBE": _BAD_EVENT,
    "NOTIFY": _BAD_EVENT,
    "MESSAGE": (403, None, []),
}


def refused_outside(method: str) -> Refusal:
    """The answer to a request outside of any dialog that has no door."""
    return _OUTSIDE.get(method, _NOT_ALLOWED)


def refused_within(method: str) -> Refusal:
    """The answer to a request within a dialog that a session doesn't serve."""
    return _WITHIN.get(method, _NOT_ALLOWED)
