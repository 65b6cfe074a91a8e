"""How many short messages a text comes to (3GPP TS 23.038, 23.040).

GSM 7-bit alphabet: 160 characters in one, 153 in each of several; those of the extension table count twice. With any
other character all of it is UCS-2: 70 UTF-16 units in one, 67 in each of several. An escape pair or a surrogate pair is
never divided between two parts.
"""

from __future__ import annotations

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("\f^{}\\[~]|€")


def parts(text: str) -> int:
    """The number of parts, at least 1."""
    if all(character in _BASIC or character in _EXTENDED for character in text):
        return _packed([2 if character in _EXTENDED else 1 for character in text], 160, 153)
    return _packed([2 if ord(character) > 0xFFFF else 1 for character in text], 70, 67)


def _packed(units: list[int], single: int, each: int) -> int:
    if sum(units) <= single:
        return 1
    count, left = 1, each
    for size in units:
        if size > left:
            count, left = count + 1, each
        left -= size
    return count
