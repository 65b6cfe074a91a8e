"""What a text comes to in MESSAGEs, as a trunk wants it.

text   one MESSAGE of text/plain, whatever its length: the carrier cuts it
3gpp   one MESSAGE of application/vnd.3gpp.sms for each part: RP-DATA with an SMS-DELIVER, from X by way of X
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gateway.sms.counting import cut
from gateway.sms.rpdu import CONTENT_TYPE, data_to_phone
from gateway.sms.tpdu import Piece, deliver

LONGEST = 255  # parts of one message: TP-UDH has an octet for it


@dataclass(frozen=True, slots=True)
class Body:
    """One MESSAGE's: ``parts`` is how many short messages it counts as."""

    content_type: str
    octets: bytes
    parts: int

    def __repr__(self) -> str:
        """Without what was written."""
        return f"<Body {self.content_type}>"


def bodies(text: str, x: str, *, as_3gpp: bool, reference: int, at: datetime) -> list[Body]:
    """The MESSAGEs for ``text`` of X (+digits). ``reference`` (any number) tells the parts of one message from those of
    another; what is longer than 255 parts goes without its end."""
    gsm, texts = cut(text)
    if not as_3gpp:
        return [Body("text/plain;charset=UTF-8", text.encode(), len(texts))]
    made, texts = [], texts[:LONGEST]
    for index, one in enumerate(texts, 1):
        piece = Piece(reference & 0xFF, len(texts), index) if len(texts) > 1 else None
        tpdu = deliver(x, one, gsm, at, piece)
        made.append(Body(CONTENT_TYPE, data_to_phone(reference + index & 0xFF, x, tpdu), 1))
    return made
