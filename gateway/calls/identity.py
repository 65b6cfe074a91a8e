"""Who calls whom: the two numbers that are read from a carrier's INVITE. Nothing else of it reaches a call but its SDP.

    called X   the Request-URI: sip:, sips: (with or without user=phone) or tel:, phone-context applied; on trunks that
               say so the To or P-Called-Party-ID, where the Request-URI names our registration
    caller     the first P-Asserted-Identity that is a number (RFC 3325 §9.1: at most one sip: and one tel:), else
               P-Preferred-Identity, else From; or in the order that the trunk says (policy.py)

Of a ported number (rn, npdi: RFC 4694) the number counts, not the routing number.
A caller is None when it is withheld (``anonymous@anonymous.invalid``, RFC 3323 §4.1) or no number. An asserted identity
counts although ``Privacy: id`` hides it from users: it finds the binding, and nobody is shown it.
"""

from __future__ import annotations

from gateway.calls.settings import TrunkSettings
from gateway.errors import ParseError
from gateway.numbers import NumberError, NumberRules, PhoneNumber
from gateway.sip.headers import NameAddr
from gateway.sip.message import Request
from gateway.sip.uri import Uri, number_text


def called_number(request: Request, trunk: TrunkSettings) -> PhoneNumber | None:
    """The X that was dialled, or None when there is no number where it should stand."""
    where = trunk.identity.called
    if where != "Request-URI" and (found := _named(request, where, trunk.rules)) is not None:
        return found
    try:
        return _number(request.uri, trunk.rules)
    except ParseError:
        return None


def caller_number(request: Request, trunk: TrunkSettings) -> PhoneNumber | None:
    """The number of the person who calls, or None when it is withheld."""
    for header in trunk.identity.caller:
        found = _named(request, header, trunk.rules)
        if found is not None:
            return found
    return None


def caller_of(request: Request, user: str, trunk: TrunkSettings) -> PhoneNumber | None:
    """Likewise; of a phone that has proved who it is (``user``) it is its own number, whatever it says (phones.py)."""
    return PhoneNumber("+" + user) if user else caller_number(request, trunk)


_CHARSETS = {"utf-8": "utf-8", "us-ascii": "utf-8", "gbk": "gb18030", "gb2312": "gb18030", "gb18030": "gb18030",
             "iso-8859-1": "iso-8859-1"}  # fmt: skip


def plain_text(request: Request) -> str | None:
    """What a MESSAGE says: UTF-8 unless its type names another charset (RFC 3428 §4); None for one unknown to us."""
    parameters = (request.headers.get("Content-Type") or "").lower().split(";")[1:]
    named = [one.partition("=")[2].strip().strip('"') for one in parameters if one.strip().startswith("charset")]
    codec = _CHARSETS.get(named[0] if named else "utf-8")
    return None if codec is None else request.body.decode(codec, "replace").replace("\0", "")


def _named(request: Request, header: str, rules: NumberRules) -> PhoneNumber | None:
    """The first address in a header that is a number."""
    try:
        if header in ("From", "To"):
            return _number((request.from_ if header == "From" else request.to).uri, rules)
        if request.headers.get(header) is None:
            return None
        values = request.headers.values(header)
    except ParseError:
        return None
    for value in values:
        try:
            number = _number(NameAddr.parse(value).uri, rules)
        except ParseError:
            continue
        if number is not None:
            return number
    return None


def _number(uri: Uri, rules: NumberRules) -> PhoneNumber | None:
    text = number_text(uri)
    if not text:
        return None
    try:
        return rules.read(text)
    except NumberError:
        return None
