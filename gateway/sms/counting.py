"""How a text is cut into short messages, and how many they are (3GPP TS 23.038, 23.040).

GSM 7-bit alphabet: 160 characters in one, 153 in each of several; those of the extension table count twice. With any
other character all of it is UCS-2: 70 UTF-16 units in one, 67 in each of several. An escape pair or a surrogate pair is
never divided between two parts.
"""

from __future__ import annotations

from gateway.sms.gsm7 import septets_of


def parts(text: str) -> int:
    """The number of parts, at least 1."""
    return len(cut(text)[1])


def cut(text: str) -> tuple[bool, list[str]]:
    """Whether the GSM alphabet has all of it, and the text of each part (at least one)."""
    septets = [septets_of(character) for character in text]
    if None not in septets:
        return True, _packed(text, [len(one or b"") for one in septets], 160, 153)
    return False, _packed(text, [2 if ord(character) > 0xFFFF else 1 for character in text], 70, 67)


def _packed(text: str, units: list[int], single: int, each: int) -> list[str]:
    if sum(units) <= single:
        return [text]
    made, start, left = [], 0, each
    for place, size in enumerate(units):
        if size > left:
            made.append(text[start:place])
            start, left = place, each
        left -= size
    return [*made, text[start:]]
