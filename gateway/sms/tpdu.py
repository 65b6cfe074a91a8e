"""Short messages as octets: SMS-DELIVER and SMS-SUBMIT (3GPP TS 23.040 §9.2.2.1, §9.2.2.2), one part each.

    DELIVER  flags | TP-OA | PID | DCS | SCTS 7 | UDL | UD          to a phone
    SUBMIT   flags | MR | TP-DA | PID | DCS | VP 0, 1 or 7 | UDL | UD   from a phone

flags: bits 0-1 the kind, 3-4 of SUBMIT the form of VP, 6 that UD begins with a header. Of the header's elements only
concatenation counts (0x00 with an 8-bit reference, 0x08 with one of 16 bits, §9.2.3.24). Alphabets (DCS, TS 23.038 §4):
GSM 7-bit and UCS-2, which is read as UTF-16; 8-bit data and compression are refused. ``parse`` gives a Tpdu or a
TpduError, whatever it is given.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gateway.sms.gsm7 import pack, septets_of, text_of, unpack

_DELIVER, _SUBMIT = 0, 1
_HEADER = 0x40
_MORE_COME = 0x04  # of DELIVER: no more messages are waiting
_INTERNATIONAL, _ALPHANUMERIC = 0x91, 0x50
_DIGITS = "0123456789*#abc"
_VALIDITY = {0: 0, 1: 7, 2: 1, 3: 7}
_GSM, _DATA, _UCS2 = range(3)


class TpduError(ValueError):
    """Not a short message that can be read."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Which part of a long message: ``index`` from 1 to ``total``, of those with one ``reference``."""

    reference: int
    total: int
    index: int


@dataclass(frozen=True, slots=True)
class Tpdu:
    """``address``: the originator's (DELIVER) or the destination's (SUBMIT) digits, with + when international; "" when
    it is a name. ``piece`` None: a message of one part."""

    submit: bool
    address: str
    text: str
    piece: Piece | None = None

    def __repr__(self) -> str:
        """Without who and what."""
        return f"<Tpdu {'SUBMIT' if self.submit else 'DELIVER'}>"


def deliver(originator: str, text: str, gsm: bool, at: datetime, piece: Piece | None) -> bytes:
    """One SMS-DELIVER of +digits, in the GSM alphabet or in UCS-2; ``at`` with its time zone."""
    header = b"" if piece is None else bytes((5, 0, 3, piece.reference & 0xFF, piece.total, piece.index))
    if gsm:
        septets = b"".join(septets_of(character) or b"" for character in text)
        ahead = -(-8 * len(header) // 7)
        length, data = ahead + len(septets), header + _behind(septets, len(header), ahead)
    else:
        data = header + text.encode("utf-16-be", "surrogatepass")
        length = len(data)
    flags = _DELIVER | _MORE_COME | (_HEADER if header else 0)
    coding = 0x00 if gsm else 0x08
    return bytes((flags,)) + _address(originator) + bytes((0, coding)) + _stamp(at) + bytes((length,)) + data


def parse(data: bytes, *, submit: bool) -> Tpdu:
    """A TPDU that comes from a phone (``submit``) or goes to one. TpduError."""
    reader = Reader(data)
    flags = reader.octet()
    if flags & 3 != (_SUBMIT if submit else _DELIVER):
        raise TpduError("neither SMS-DELIVER nor SMS-SUBMIT")
    if submit:
        reader.octet()
    address = _read_address(reader)
    reader.octet()
    alphabet = _alphabet(reader.octet())
    reader.take(_VALIDITY[flags >> 3 & 3] if submit else 7)
    text, piece = _user_data(reader.octet(), reader.rest(), alphabet, bool(flags & _HEADER))
    return Tpdu(submit, address, text, piece)


class Reader:
    """Octets, one after the other; TpduError behind the last."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    def take(self, count: int) -> bytes:
        """The next ``count``."""
        self._place += count
        if self._place > len(self._data):
            raise TpduError("cut short")
        return self._data[self._place - count : self._place]

    def octet(self) -> int:
        """The next one."""
        return self.take(1)[0]

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(len(self._data) - self._place)


def _behind(septets: bytes, header: int, ahead: int) -> bytes:
    return pack(septets, 7 * ahead - 8 * header)


def _address(number: str) -> bytes:
    """Of +digits (§9.1.2.5): how many digits, international E.164, two digits an octet."""
    return bytes((len(number) - 1, _INTERNATIONAL)) + swapped(number[1:])


def swapped(digits: str) -> bytes:
    """Two decimal digits an octet, the first in the low half; an odd last one beside 1111."""
    padded = digits + "f" * (len(digits) % 2)
    return bytes(int(padded[place + 1] + padded[place], 16) for place in range(0, len(padded), 2))


def _read_address(reader: Reader) -> str:
    count, kind = reader.octet(), reader.octet()
    octets = reader.take((count + 1) // 2)
    if kind & 0x70 == _ALPHANUMERIC:
        return ""
    halves = [half for octet in octets for half in (octet & 15, octet >> 4)][:count]
    if any(half > 14 for half in halves):
        raise TpduError("an address with a hole")
    digits = "".join(_DIGITS[half] for half in halves)
    return "+" + digits if kind & 0x70 == 0x10 else digits


def _stamp(at: datetime) -> bytes:
    """SCTS (§9.2.3.11): local time, and its distance from UTC in quarters of an hour."""
    offset = at.utcoffset()
    quarters = 0 if offset is None else round(offset.total_seconds() / 900)
    zone = swapped(f"{abs(quarters):02d}")[0] | (0x08 if quarters < 0 else 0)
    return swapped(f"{at:%y%m%d%H%M%S}") + bytes((zone,))


def _alphabet(coding: int) -> int:
    group = coding >> 4
    if group < 8:
        if coding & 0x20:
            raise TpduError("compressed text")
        alphabet = coding >> 2 & 3
        alphabet = _GSM if alphabet == 3 else alphabet
    elif group == 14:
        alphabet = _UCS2
    else:
        # What is reserved is to be taken for the default alphabet.
        alphabet = _DATA if group == 15 and coding & 4 else _GSM
    if alphabet == _DATA:
        raise TpduError("8-bit data, not text")
    return alphabet


def _user_data(length: int, data: bytes, alphabet: int, has_header: bool) -> tuple[str, Piece | None]:
    if alphabet == _UCS2:
        if length > len(data):
            raise TpduError("cut short")
        data = data[:length]
    header, piece = 0, None
    if has_header:
        reader = Reader(data)
        header = reader.octet() + 1
        piece = _piece(Reader(reader.take(header - 1)), header - 1)
    if alphabet == _UCS2:
        return data[header:].decode("utf-16-be", "replace"), piece
    ahead = -(-8 * header // 7)
    try:
        return text_of(unpack(data[header:], length - ahead, 7 * ahead - 8 * header)), piece
    except (ValueError, OverflowError):
        raise TpduError("fewer characters than announced") from None


def _piece(reader: Reader, left: int) -> Piece | None:
    found = None
    while left > 0:
        kind, size = reader.octet(), reader.octet()
        value = reader.take(size)
        left -= 2 + size
        if (kind, size) in ((0, 3), (8, 4)):
            *reference, total, index = value
            # Impossible numbers: the element is to be ignored (§9.2.3.24.1).
            if 1 <= index <= total:
                found = Piece(int.from_bytes(bytes(reference), "big"), total, index)
    return found
