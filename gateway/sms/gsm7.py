"""The GSM 7-bit default alphabet with its extension table, and its packing into octets (3GPP TS 23.038 §6.1, §6.2).

Septet n of a packed text begins at bit 7n: the low bits of an octet belong to the earlier character. Behind a header
the text begins at the next septet's boundary, so up to six bits are left empty (``skip``, in bits from the front).
"""

from __future__ import annotations

ESCAPE = 0x1B
_TABLE = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = {0x0A: "\f", 0x14: "^", 0x28: "{", 0x29: "}", 0x2F: "\\", 0x3C: "[", 0x3D: "~", 0x3E: "]", 0x40: "|",
              0x65: "€"}  # fmt: skip
_SEPTETS = {character: bytes((code,)) for code, character in enumerate(_TABLE) if code != ESCAPE} | {
    character: bytes((ESCAPE, code)) for code, character in _EXTENSION.items()
}


def septets_of(character: str) -> bytes | None:
    """One septet, two behind an escape, or None for a character that the alphabet hasn't."""
    return _SEPTETS.get(character)


def text_of(septets: bytes) -> str:
    """The text; an escape before an unknown code is passed over, as §6.2.1.1 has it for receivers without the table."""
    text, escaped = [], False
    for septet in septets:
        if escaped:
            text.append(_EXTENSION.get(septet, _TABLE[septet] if septet != ESCAPE else " "))
            escaped = False
        elif septet == ESCAPE:
            escaped = True
        else:
            text.append(_TABLE[septet])
    return "".join(text)


def pack(septets: bytes, skip: int = 0) -> bytes:
    """Octets, the first ``skip`` bits of which are zero."""
    bits = 0
    for place, septet in enumerate(septets):
        bits |= septet << (7 * place + skip)
    return bits.to_bytes((7 * len(septets) + skip + 7) // 8, "little")


def unpack(octets: bytes, count: int, skip: int = 0) -> bytes:
    """``count`` septets behind the first ``skip`` bits; ValueError when there are not as many."""
    if 7 * count + skip > 8 * len(octets):
        raise ValueError("fewer septets than announced")
    bits = int.from_bytes(octets, "little") >> skip
    return bytes(bits >> 7 * place & 0x7F for place in range(count))
