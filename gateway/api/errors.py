"""Every result code of the vendor interface with its HTTP status and text (privatenumber.md sections 1.3 and 13).

Two traps of the table: 1010010 means a wrong digest with HTTP 401 and flow control with HTTP 403, and the hint of a
1010002 follows the full stop without a blank. A hint names the field, never the number in it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Result:
    """One row: HTTP ``status``, ``code`` (sent as a string) and ``text``."""

    status: int
    code: str
    text: str


class ApiError(Exception):
    """An answer other than success. ``hint`` is put straight behind the row's text."""

    def __init__(self, result: Result, hint: str = "") -> None:
        super().__init__(f"{result.code} {result.text}{hint}")
        self.result = result
        self.hint = hint

    @property
    def body(self) -> dict[str, str]:
        """The two members of every failure's JSON."""
        return {"resultcode": self.result.code, "resultdesc": (self.result.text + self.hint)[:256]}


SUCCESS = Result(200, "0", "Success")

# Requests as such.
INTERNAL_ERROR = Result(500, "1010001", "Internal system error.")
INVALID_REQUEST = Result(403, "1010002", "Invalid request.")
PATH_UNKNOWN = Result(404, "1010002", "Invalid request.")
METHOD_NOT_ALLOWED = Result(405, "1010002", "Invalid request.")
BODY_TOO_LARGE = Result(413, "1010002", "Invalid request.")
NOT_HTTP = Result(400, "1010002", "Invalid request.")

# Headers of both generations, in the order in which they are checked.
NO_AUTHORIZATION = Result(400, "1023006", "Authorization not contained in the HTTP header.")
NO_REALM = Result(400, "1023007", "realm not contained in Authorization.")
NO_PROFILE = Result(400, "1023008", "profile not contained in Authorization.")
WRONG_REALM = Result(400, "1023009", "The value of realm in Authorization must be SDP.")
WRONG_PROFILE = Result(400, "1023010", "The value of profile in Authorization must be UsernameToken.")
WRONG_TYPE = Result(400, "1023011", "The value of type in Authorization must be app_key.")
NO_TYPE = Result(400, "1023012", "type not contained in Authorization.")
NO_WSSE = Result(400, "1023013", "WSSE not contained in Authorization.")
NO_X_WSSE = Result(400, "1023026", "X-WSSE not contained in the HTTP header.")
NO_WSSE_USERNAME = Result(400, "1023027", "Username not contained in X-WSSE.")
NO_WSSE_NONCE = Result(400, "1023028", "Nonce not contained in X-WSSE.")
NO_WSSE_CREATED = Result(400, "1023029", "Created not contained in X-WSSE.")
NO_WSSE_DIGEST = Result(400, "1023030", "PasswordDigest not contained in X-WSSE.")
WRONG_WSSE_CREATED = Result(400, "1023031", "The format of Created in X-WSSE is Incorrect.")
NO_AKSK = Result(400, "1023032", "AKSK not contained in Authorization.")
NO_X_AKSK = Result(400, "1023033", "Not found X-AKSK field.")
NO_AKSK_USERNAME = Result(400, "1023034", "UserName not contained in X-AKSK.")
NO_AKSK_NONCE = Result(400, "1023035", "Nonce not contained in X-AKSK.")
NO_AKSK_CREATED = Result(400, "1023036", "Created not contained in X-AKSK.")
NO_AKSK_DIGEST = Result(400, "1023037", "PasswordDigest not contained in X-AKSK.")
WRONG_AKSK_CREATED = Result(400, "1023038", "The format of Created in X-AKSK is Incorrect.")

# Who asks.
WRONG_DIGEST = Result(401, "1010010", "Invalid digest.")
CREATED_TOO_FAR = Result(401, "1010013", "Time out limit.")
UNKNOWN_KEY = Result(403, "1010003", "Invalid app_key.")
KEY_DISABLED = Result(403, "1010008", "The status of the app_key is unavailable.")
FLOW_CONTROL = Result(403, "1010010", "The flow control upper limit is reached on the platform.")
FROZEN = Result(403, "1010029", "The subscriber status is frozen.")
WRONG_API = Result(403, "1010040", "The app_key is not allowed to invoke the API.")
IP_NOT_ALLOWED = Result(403, "1020166", "The app client ip is not in ip white list.")
LOCKED_OUT = Result(403, "1020176", "Authentication failed, try again later")

# AX.
AX_NUMBER_NOT_OWNED = Result(403, "1011001", "Account does not exist.")
AX_NO_FREE_NUMBER = Result(403, "1011002", "Insufficient number of resources.")
AX_TOO_MANY_NUMBERS = Result(403, "1011003", "Exceeded the upper limit of resources that can be applied for.")
AX_NOT_BOUND = Result(403, "1011004", "The number is not applied for binding application.")
AX_BOUND_TO_ANOTHER = Result(403, "1011005", "Resources have been allocated.")

# AXB and what is common to the modes.
NUMBER_NOT_OWNED = Result(403, "1012001", "Resource of number is not to be applied.")
RECORD_NOT_FOUND = Result(403, "1012007", "The record does not exist.")
NO_FREE_NUMBER = Result(403, "1012008", "Insufficient number of resources")
NUMBER_BLACKLISTED = Result(403, "1012102", "The number is contained in the blacklist.")
BINDING_NOT_FOUND = Result(403, "1016001", "The record does not exist.")
NO_FREE_EXTENSION = Result(403, "1020167", "No idle extend Number.")
BINDING_EXISTS = Result(403, "1016002", "The record already exists.")


def already_bound(number: str) -> Result:
    """1012010, the one text that carries a number: the one which the client itself has just sent."""
    return Result(403, "1012010", f"The number {number} has been bound.")


NO_LIMIT = "lastMinVoice needs maxDuration."


def invalid(hint: str) -> ApiError:
    """1010002 with ``hint``, a sentence that names the field and holds no number."""
    return ApiError(INVALID_REQUEST, hint)
