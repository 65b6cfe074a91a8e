"""What calls and short messages ask the customer's server, in neutral words (privatenumber.md sections 4.3 and 9).

The signalling process puts the Question to the web process (``gateway.channel``), which speaks HTTP and the customer's
dialect and gives the Verdict. Numbers are E.164 text; a verdict's tone names are those of files that exist.
"""

from __future__ import annotations

import msgspec


class Question(msgspec.Struct, frozen=True, tag=True):
    """Who is to be reached? ``at``: epoch seconds when the call came in; ``caller`` "" when it is withheld."""

    id: int
    application: str
    session: str
    caller: str
    called: str
    at: float


class TextQuestion(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Who is to get a short message? ``at``: epoch seconds; ``binding`` "" where there is none."""

    id: int
    application: str
    message: str
    sender: str
    called: str
    text: str
    at: float
    binding: str
    direction: int


class TextVerdict(msgspec.Struct, frozen=True, tag=True):
    """The answer to a TextQuestion: nobody when ``receiver`` is ""; not ``answered``: no usable answer in time."""

    id: int
    answered: bool
    receiver: str = ""


class Verdict(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """The answer to the question ``id``: connect to ``callee``, else refuse for ``cause`` with ``close_tone``."""

    id: int
    callee: str = ""
    shown: str = ""
    cause: int = 0
    close_tone: str = ""
    waiting_tone: str = ""
    callee_tone: str = ""
    record: bool = False
    notice: str = ""
    last_minute: str = ""
    max_minutes: int = 0
    user_data: str | None = None
