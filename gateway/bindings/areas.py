"""What the digits of a Chinese number say: mobile, fixed line (and of which city) or service number.

National numbers: mobile 1[3-9] and 9 digits; fixed 10 or 2x and 8 digits, or a three-digit city code from 3xx to 9xx
and 7 or 8 digits; service 400 and 800 with 7 digits, and whatever is shorter (95xxx, 10086). The city of a mobile
can't be told without a table of all prefixes: it is unknown here. Numbers of other countries are none of these.
"""

from __future__ import annotations

from gateway.numbers import CHINESE_FIXED_LINE, PhoneNumber


def area_code_of(number: PhoneNumber) -> str | None:
    """City code as dialled (``0755``) of a fixed line, None for any other number."""
    match = CHINESE_FIXED_LINE.match(number.e164)
    return "0" + (match[1] or match[2]) if match else None


def is_fixed_line(number: PhoneNumber) -> bool:
    """Fixed lines may be called through X but may not call it (privatenumber.md section 0)."""
    return CHINESE_FIXED_LINE.match(number.e164) is not None
