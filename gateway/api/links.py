"""Download links of recordings: HMAC-SHA256 over method, path, application, expiry and form. Pure.

A link names its application and its last second, and is good for nothing else: another name, tenant, time or form makes
another signature.
"""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import quote

PATH = "/recordings/"


def sign(secret: bytes, name: str, application: str, expires: int, form: str = "") -> str:
    """The signature, 64 hexadecimal digits. ``expires`` is Unix time in seconds; ``form`` "": the WAV as it is."""
    parts = ["GET", PATH + name, application, str(expires)]
    message = "\n".join([*parts, form] if form else parts)
    return hmac.new(secret, message.encode("utf-8", "replace"), hashlib.sha256).hexdigest()


def link(secret: bytes, base: str, name: str, application: str, expires: int, form: str = "") -> str:
    """A complete link under ``base`` (scheme and authority, no slash at the end)."""
    signature = sign(secret, name, application, expires, form)
    wanted = f"&form={quote(form, safe='')}" if form else ""
    return f"{base}{PATH}{quote(name)}?app={quote(application, safe='')}&expires={expires}{wanted}&sig={signature}"


def holds(secret: bytes, name: str, application: str, expires: str, signature: str, now: float, form: str = "") -> bool:
    """Whether a link is ours and not over at ``now`` (Unix time); compared in constant time."""
    if not (expires.isascii() and expires.isdecimal() and len(expires) <= 12):
        return False
    right = sign(secret, name, application, int(expires), form)
    return hmac.compare_digest(right.encode(), signature.encode("utf-8", "replace")) and now <= int(expires)
