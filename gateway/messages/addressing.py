"""Who an A of AX writes to, and who has written to him: both stand in the text (privatenumber.md section 9).

A -> X    ``see you@13812345678``     half-width @ before the number at the very end, a blank allowed on its either
                                      side, ``+86`` or ``86`` before its 11 digits; the part is taken off
B -> X    ``see you[From +86...]``    the number is put behind
"""

from __future__ import annotations

import re

from gateway.numbers import PhoneNumber

_ADDRESS = re.compile(r" ?@ ?(?:\+?86)?(1[3-9][0-9]{9})\s*\Z")


def addressed(text: str) -> tuple[str, PhoneNumber] | None:
    """The text without its address, and the number; None when it has none that can be read."""
    found = _ADDRESS.search(text)
    return None if found is None else (text[: found.start()], PhoneNumber("+86" + found[1]))


def signed(text: str, sender: PhoneNumber) -> str:
    """The text as A gets it: the vendor's product can't hide this number, and says so."""
    return f"{text}[From {sender.e164}]"
