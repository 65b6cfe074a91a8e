"""P-Early-Media (RFC 5009): whether early media is to be heard, as the side that would send it says.

    INVITE     supported              we understand what comes back
    18x        sendrecv, sendonly     the callee's network lets its early media through
               recvonly, inactive     it sends none, whatever its SDP says: the caller's side plays ring-back
    ours       sendrecv               in the 18x whose SDP lets the caller hear us, to one who said ``supported``

The values stand for the media lines in order; ours is one. ``gated`` says that the network itself holds the media to
the direction beside it, so that direction counts; alone it means that nothing comes.
"""

from __future__ import annotations

from gateway.sip.message import Request, Response

NAME = "P-Early-Media"
SUPPORTED = (NAME, "supported")
SENDS = (NAME, "sendrecv")


def _values(message: Request | Response) -> list[str]:
    return [value.strip().lower() for line in message.headers.get_all(NAME) for value in line.split(",")]


def understood(invite: Request) -> bool:
    """Whether a caller understands the header."""
    return "supported" in _values(invite)


def sends(response: Response) -> bool | None:
    """Whether the callee's network sends early media; None: it doesn't say."""
    values = _values(response)
    for value in values:
        if value in ("sendrecv", "sendonly"):
            return True
        if value in ("recvonly", "inactive"):
            return False
    return False if "gated" in values else None
