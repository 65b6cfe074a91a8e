"""Download links of recordings: HMAC-SHA256 over method, path, application and expiry. Pure.

A link names its application and its last second, and is good for nothing else: another name, tenant or time makes
another signature.
"""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import quote

PATH = "/recordings/"


def sign(secret: bytes, name: str, application: str, expires: int) -> str:
    """The signature, 64 hexadecimal digits. ``expires`` is Unix time in seconds."""
    message = "\n".join(("GET", PATH + name, application, str(expires))).encode("utf-8", "replace")
    return hmac.new(secret, message, hashlib.sha256).hexdigest()


def link(secret: bytes, base: str, name: str, application: str, expires: int) -> str:
    """A complete link under ``base`` (scheme and authority, no slash at the end)."""
    signature = sign(secret, name, application, expires)
    return f"{base}{PATH}{quote(name)}?app={quote(application, safe='')}&expires={expires}&sig={signature}"


def holds(secret: bytes, name: str, application: str, expires: str, signature: str, now: float) -> bool:
    """Whether a link is ours and not over at ``now`` (Unix time); compared in constant time."""
    if not (expires.isascii() and expires.isdecimal() and len(expires) <= 12):
        return False
    right = sign(secret, name, application, int(expires))
    return hmac.compare_digest(right.encode(), signature.encode("utf-8", "replace")) and now <= int(expires)
