"""The vendor's request signature, read and written: both header generations (privatenumber.md section 1).

========== ==================== =================================================
generation headers              digest
========== ==================== =================================================
WSSE       Authorization,X-WSSE Base64(SHA256(Nonce + Created + secret))
hex form   as WSSE              Base64(hex(SHA256(Nonce + Created + secret)))
AKSK       Authorization,X-AKSK Base64(HMAC-SHA256(key=secret, Nonce + Created))
========== ==================== =================================================

``Created`` is compared within a window of a day by default, because deployed clients write local time with a ``Z``.
Clients in the field send ``dsl`` for ``type``, a blank after the commas, and any case of names and constants. A nonce
may come again: nothing is known of the vendor refusing it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from gateway.api import errors
from gateway.api.errors import ApiError, Result

Generation = Literal["WSSE", "AKSK"]

_PARAMETER = re.compile(r'([A-Za-z_]+)\s*=\s*(?:"([^"]*)"|([^\s,"]+))')
_CREATED = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z\Z")
_CREATED_FORM = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class _Faults:
    """The codes of one generation's second header."""

    header: Result
    username: Result
    nonce: Result
    created: Result
    digest: Result
    format: Result


_FAULTS: dict[Generation, _Faults] = {
    "WSSE": _Faults(
        errors.NO_X_WSSE,
        errors.NO_WSSE_USERNAME,
        errors.NO_WSSE_NONCE,
        errors.NO_WSSE_CREATED,
        errors.NO_WSSE_DIGEST,
        errors.WRONG_WSSE_CREATED,
    ),
    "AKSK": _Faults(
        errors.NO_X_AKSK,
        errors.NO_AKSK_USERNAME,
        errors.NO_AKSK_NONCE,
        errors.NO_AKSK_CREATED,
        errors.NO_AKSK_DIGEST,
        errors.WRONG_AKSK_CREATED,
    ),
}


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request says of its sender; nothing is verified yet. ``created_text`` is what was signed."""

    generation: Generation
    key: str
    digest: str
    nonce: str
    created_text: str
    created: datetime


def read_credentials(headers: Mapping[str, str]) -> Credentials:
    """Read the two headers. ``headers`` finds names in any case. ApiError with the first fault in the table's order."""
    authorization = headers.get("authorization", "").strip()
    if not authorization:
        raise ApiError(errors.NO_AUTHORIZATION)
    parameters = _parameters(authorization)
    kind = parameters.get("type") or parameters.get("dsl")
    for fault, holds in (
        (errors.NO_REALM, bool(parameters.get("realm"))),
        (errors.NO_PROFILE, bool(parameters.get("profile"))),
        (errors.WRONG_REALM, parameters.get("realm", "").lower() == "sdp"),
        (errors.WRONG_PROFILE, parameters.get("profile", "").lower() == "usernametoken"),
        (errors.WRONG_TYPE, kind is None or kind.lower() in ("appkey", "app_key")),
        (errors.NO_TYPE, kind is not None),
    ):
        if not holds:
            raise ApiError(fault)
    return _read_token(_generation(authorization, headers), headers)


def _generation(authorization: str, headers: Mapping[str, str]) -> Generation:
    match authorization.split(None, 1)[0].upper():
        case "WSSE":
            return "WSSE"
        case "AKSK":
            return "AKSK"
        case _:
            raise ApiError(errors.NO_AKSK if "x-aksk" in headers and "x-wsse" not in headers else errors.NO_WSSE)


def _read_token(generation: Generation, headers: Mapping[str, str]) -> Credentials:
    faults = _FAULTS[generation]
    value = headers.get(f"x-{generation.lower()}", "").strip()
    if not value:
        raise ApiError(faults.header)
    token = _parameters(value)
    for name, fault in (
        ("username", faults.username),
        ("nonce", faults.nonce),
        ("created", faults.created),
        ("passworddigest", faults.digest),
    ):
        if not token.get(name):
            raise ApiError(fault)
    text = token["created"]
    try:
        if not _CREATED.match(text):
            raise ValueError
        created = datetime.strptime(text, _CREATED_FORM).replace(tzinfo=UTC)
    except ValueError:
        raise ApiError(faults.format) from None
    return Credentials(generation, token["username"], token["passworddigest"], token["nonce"], text, created)


def _parameters(value: str) -> dict[str, str]:
    return {name.lower(): (quoted or bare).strip() for name, quoted, bare in _PARAMETER.findall(value)}


def check_digest(credentials: Credentials, secret: str) -> None:
    """401 when the digest isn't that of ``secret``; compared in constant time."""
    right = {
        "WSSE": (wsse_digest, hex_digest),
        "AKSK": (aksk_digest,),
    }[credentials.generation]
    # Header bytes come as latin-1; whatever bytes the client put there are what it signed.
    given = credentials.digest.encode("latin-1", "replace")
    matches = [
        hmac.compare_digest(form(credentials.nonce, credentials.created_text, secret).encode("ascii"), given)
        for form in right
    ]
    if not any(matches):
        raise ApiError(errors.WRONG_DIGEST)


def check_created(credentials: Credentials, now: datetime, window: float) -> None:
    """401 when ``Created`` is more than ``window`` seconds away from ``now`` (aware)."""
    if abs(credentials.created - now) > timedelta(seconds=window):
        raise ApiError(errors.CREATED_TOO_FAR)


def wsse_digest(nonce: str, created: str, secret: str) -> str:
    """The digest of the old generation."""
    return base64.b64encode(_sha256(nonce, created, secret).digest()).decode("ascii")


def hex_digest(nonce: str, created: str, secret: str) -> str:
    """The form that some integrators take over from the vendor's SMS samples: Base64 of the hexadecimal text."""
    return base64.b64encode(_sha256(nonce, created, secret).hexdigest().encode("ascii")).decode("ascii")


def aksk_digest(nonce: str, created: str, secret: str) -> str:
    """The digest of the new generation."""
    message = (nonce + created).encode("latin-1", "replace")
    return base64.b64encode(hmac.digest(secret.encode(), message, "sha256")).decode("ascii")


def _sha256(nonce: str, created: str, secret: str) -> hashlib._Hash:
    return hashlib.sha256((nonce + created).encode("latin-1", "replace") + secret.encode())


def signature_headers(
    signature: Literal["WSSE", "AKSK", "both"], key: str, secret: str, nonce: str, now: datetime
) -> list[tuple[str, str]]:
    """The headers with which we sign a push as the vendor does, ``now`` in UTC.

    One deployed receiver cuts the token at its commas and relies on the order Username, PasswordDigest, Nonce,
    Created. With ``both`` the Authorization header is that of the old generation, for which most receivers are written.
    """
    created = now.astimezone(UTC).strftime(_CREATED_FORM)
    forms = [("WSSE", wsse_digest), ("AKSK", aksk_digest)]
    chosen = [(name, form) for name, form in forms if signature in (name, "both")]
    headers = [("Authorization", f'{chosen[0][0]} realm="SDP",profile="UsernameToken",type="Appkey"')]
    for name, form in chosen:
        digest = form(nonce, created, secret)
        headers.append(
            (
                f"X-{name}",
                f'UsernameToken Username="{key}",PasswordDigest="{digest}",Nonce="{nonce}",Created="{created}"',
            )
        )
    return headers
