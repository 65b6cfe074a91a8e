"""Phone numbers: one canonical form (E.164 with ``+``), masked wherever they are printed.

Every number that Maskline handles becomes a :class:`PhoneNumber` where it enters (SIP per trunk, REST, configuration)
and a string again only where it must leave (:attr:`PhoneNumber.e164`). ``str()`` and ``repr()`` are masked, so a log
line, a traceback or an assertion message can't show a person's number by accident.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_DIGITS = re.compile(r"[0-9]{3,20}\Z")
# Area code, then the number in the city; what is mobile, service or short is none of these (bindings/areas.py).
CHINESE_FIXED_LINE = re.compile(r"\+86(?:(10|2[0-9])[2-9][0-9]{7}|(?!400|800)([3-9][0-9]{2})[2-9][0-9]{6,7})\Z")
_SEPARATORS = str.maketrans("", "", " -.()")


class NumberError(ValueError):
    """A text that is no phone number. The text itself is not repeated: it may be a person's."""


@dataclass(frozen=True, slots=True, repr=False, order=True)
class PhoneNumber:
    """A number in global form. ``e164`` starts with ``+`` and holds 3 to 20 digits."""

    e164: str

    @classmethod
    def parse(cls, text: str, country: str = "86") -> PhoneNumber:
        """Read a number as dialled or as written in an API body.

        Accepts ``+86138...``, ``0086138...``, ``86138...`` (11 digits behind the country code), a national number with
        its trunk prefix (``0755...``), a bare national number and a service number (``400...``, ``95...``).
        Visual separators (RFC 3966 §5.1.1) are dropped. Raises NumberError.
        """
        digits = text.strip().translate(_SEPARATORS)
        if digits.startswith("+"):
            digits = digits[1:]
        elif digits.startswith("00"):
            digits = digits[2:]
        elif digits.startswith("0"):
            digits = country + digits[1:]
        elif not (digits.startswith(country) and len(digits) >= len(country) + 10):
            digits = country + digits
        if not _DIGITS.match(digits):
            raise NumberError("not a phone number")
        return cls("+" + digits)

    def national(self, country: str = "86") -> str:
        """The number without ``+`` and country code when it belongs to ``country``, else with the ``00`` prefix."""
        digits = self.e164[1:]
        return digits[len(country) :] if digits.startswith(country) else "00" + digits

    @property
    def masked(self) -> str:
        """At most country code, two digits, stars, two digits: ``+8613*******21``."""
        shown = self.e164
        if len(shown) <= 8:
            return shown[:2] + "*" * (len(shown) - 2)
        return shown[:5] + "*" * (len(shown) - 7) + shown[-2:]

    def __str__(self) -> str:
        return self.masked

    def __repr__(self) -> str:
        return f"<{self.masked}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberRules:
    """How one trunk writes numbers. ``strip`` and ``add`` are the trunk's access prefix on calls *to* it.

    =============  ==============  ==============  ===========  ================
    ``form``       mobile          fixed line      service      abroad
    =============  ==============  ==============  ===========  ================
    e164           +8613800000021  +8675526000000  +86400...    +1202...
    digits         8613800000021   8675526000000   86400...     1202...
    international  008613800000021 008675526000000 0086400...   001202...
    national       13800000021     75526000000     400...       001202...
    dialled        13800000021     075526000000    400...       001202...
    trunk_prefix   013800000021    075526000000    0400...      001202...
    =============  ==============  ==============  ===========  ================

    Numbers coming in are read in any form after the first of ``strip_in`` that fits has been taken off.
    """

    form: str = "e164"
    country: str = "86"
    add: str = ""
    strip: str = ""
    strip_in: tuple[str, ...] = ()

    def read(self, text: str) -> PhoneNumber:
        """A number as this trunk wrote it. Raises NumberError."""
        for prefix in self.strip_in:
            if text.startswith(prefix):
                text = text[len(prefix) :]
                break
        return PhoneNumber.parse(text, self.country)

    def write(self, number: PhoneNumber) -> str:
        """``number`` as this trunk wants to see it: ``strip`` taken off, then ``add`` put before."""
        match self.form:
            case "national":
                text = number.national(self.country)
            case "digits":
                text = number.e164[1:]
            case "international":
                text = "00" + number.e164[1:]
            case "dialled" | "trunk_prefix":
                text = number.national(self.country)
                if not text.startswith("00") and (self.form == "trunk_prefix" or _is_fixed(number)):
                    text = "0" + text
            case _:
                text = number.e164
        if self.strip and text.startswith(self.strip):
            text = text[len(self.strip) :]
        return self.add + text


def _is_fixed(number: PhoneNumber) -> bool:
    """A Chinese fixed line; in other countries mobiles are dialled with a trunk prefix as well."""
    return not number.e164.startswith("+86") or CHINESE_FIXED_LINE.match(number.e164) is not None
