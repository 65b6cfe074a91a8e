"""Numbers starred in a SIP message, octet for octet: lengths stay, so Content-Length and frames stay true.

    the call's own numbers       wherever they stand, in any spelling
    anything like a number       in the start line, in headers that aren't structure, in bodies but SDP's own figures
    Identity                     the whole value: a token that holds numbers in base64 (RFC 8224)

Structure (Via, Call-ID, CSeq, tags ...) stays, so that messages can still be matched; it holds a number only when a
peer writes one into it, and then the first rule finds it. ``shown`` are numbers that nobody need hide: X.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache

_RUN = re.compile(
    rb"(?:(?<=%2B)|(?<=%2b)|(?<![0-9A-Za-z.]))(?<!tag=)(?<!branch=)(?<!expires=)\+?[0-9]{7,20}(?![0-9A-Za-z]|\.[0-9])"
)
_TEL = re.compile(rb"(?<=tel:)\+?[0-9().-]{7,30}", re.IGNORECASE)
_KEYS = re.compile(rb"(?<=inline:)[^|;\s]+|(?<=\nk=)[^\r\n]+|(?<=response=\")[0-9A-Fa-f]+")
_LONG = re.compile(rb"[0-9]{7}")
_DIGITS = re.compile(rb"[^0-9]")
_STRUCTURE = frozenset(
    name.encode()
    for name in (
        *("via", "v", "call-id", "i", "cseq", "max-forwards", "content-length", "l", "content-type", "c", "rseq"),
        *("rack", "session-expires", "x", "min-se", "expires", "date", "timestamp", "user-agent", "server", "allow"),
        *("supported", "k", "require", "accept", "www-authenticate", "proxy-authenticate"),
    )
)
_SDP_FIGURES = (b"v=", b"c=", b"t=", b"m=", b"a=", b"b=")


def mask_message(data: bytes, known: Collection[str] = (), shown: Collection[str] = ()) -> bytes:
    """The message with its numbers starred. ``known`` and ``shown`` are E.164 texts."""
    open_forms = {form for number in shown for form in _forms(number)}
    for number in known:
        if number not in shown:
            data = _spelling(number).sub(lambda found: _starred(found[0]), data)
    head, gap, body = data.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    masked = [_runs(lines[0], open_forms)]
    name = b""
    for line in lines[1:]:
        if line[:1] not in (b" ", b"\t"):
            name = line.partition(b":")[0].strip().lower()
        if name in (b"identity", b"y"):
            masked.append(re.sub(rb"(?<=.)[0-9A-Za-z_-]{12,}", lambda found: b"*" * len(found[0]), line))
        else:
            masked.append(line if name in _STRUCTURE else _runs(line, open_forms))
    return b"\r\n".join(masked) + gap + b"\r\n".join(_body_line(line, open_forms) for line in body.split(b"\r\n"))


def without_keys(data: bytes) -> bytes:
    """The message with the keys in its SDP (a=crypto, k=) and the digest of a password, which can be guessed from it,
    starred: no trace holds one, whoever may see it."""
    if b"crypto:" not in data and b"\nk=" not in data and b'response="' not in data:
        return data
    return _KEYS.sub(lambda found: b"*" * len(found[0]), data)


def _body_line(line: bytes, open_forms: set[bytes]) -> bytes:
    if line.startswith(_SDP_FIGURES):
        return line
    if line.startswith(b"o="):
        name, blank, rest = line.partition(b" ")
        return b"o=" + _runs(name[2:], open_forms) + blank + rest
    return _runs(line, open_forms)


def _runs(text: bytes, open_forms: set[bytes]) -> bytes:
    if b"tel:" in text.lower():
        text = _separated(text, open_forms)
    if _LONG.search(text) is None:
        return text
    return _RUN.sub(lambda found: found[0] if found[0].lstrip(b"+") in open_forms else _starred(found[0]), text)


def _separated(text: bytes, open_forms: set[bytes]) -> bytes:
    """tel: URIs may have visual separators in their numbers."""
    return _TEL.sub(lambda found: found[0] if _DIGITS.sub(b"", found[0]) in open_forms else _starred(found[0]), text)


@lru_cache(1024)
def _spelling(number: str) -> re.Pattern[bytes]:
    """Its digits, with or without visual separators (RFC 3966 §5.1.1)."""
    return re.compile(rb"[-. ()]{0,2}".join(bytes((digit,)) for digit in _significant(number)))


def _significant(number: str) -> bytes:
    """The part that stands in every spelling: without + and country code."""
    digits = number.lstrip("+")
    return (digits[2:] if digits.startswith("86") and len(digits) > 9 else digits).encode()


def _forms(number: str) -> set[bytes]:
    digits, short = number.lstrip("+").encode(), _significant(number)
    return {digits, short, b"00" + digits, b"0" + short}


def _starred(run: bytes) -> bytes:
    """At most five signs in front and two behind, as PhoneNumber prints itself."""
    front = next((len(code) + 2 for code in (b"+86", b"0086", b"86") if run.startswith(code) and len(run) > 9), 2)
    return run[:front] + re.sub(rb"[0-9]", b"*", run[front:-2]) + run[-2:]
