"""One shape for every failure of ``/v1``: ``{"error": {"code", "message", "field"}}`` with the right HTTP status.

| status | code             | when                                                          |
|--------|------------------|---------------------------------------------------------------|
| 400    | invalid          | a field or parameter can't be what it is; ``field`` names it  |
| 401    | unauthenticated  | no token, or one that is unknown, expired or revoked          |
| 403    | forbidden        | the role may not                                              |
| 404    | not_found        | there is none, or it is another enterprise's                  |
| 405    | not_allowed      | the path has no such method                                   |
| 409    | conflict         | the thing's state does not allow it                           |
| 413    | too_large        | the body                                                      |
| 429    | locked_out       | too many wrong tokens from this source                        |
| 500    | internal         | a fault of ours                                               |
| 503    | unavailable      | the signalling process does not answer                        |

Messages name fields, ids and states, never a real number.
"""

from __future__ import annotations

from pydantic import BaseModel


class Fault(BaseModel):
    """What is wrong."""

    code: str
    message: str
    field: str | None = None


class Failure(BaseModel):
    """The body of every answer that is no success."""

    error: Fault


class AdminError(Exception):
    """An answer other than success."""

    status = 400
    code = "invalid"

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field

    @property
    def body(self) -> dict[str, object]:
        """The JSON."""
        return Failure(error=Fault(code=self.code, message=self.message, field=self.field)).model_dump()


class Invalid(AdminError):
    """400."""


class Unauthenticated(AdminError):
    """401."""

    status, code = 401, "unauthenticated"


class Forbidden(AdminError):
    """403."""

    status, code = 403, "forbidden"


class NotFound(AdminError):
    """404."""

    status, code = 404, "not_found"


class Conflict(AdminError):
    """409."""

    status, code = 409, "conflict"


class TooLarge(AdminError):
    """413."""

    status, code = 413, "too_large"


class LockedOut(AdminError):
    """429."""

    status, code = 429, "locked_out"


class Unavailable(AdminError):
    """503."""

    status, code = 503, "unavailable"
