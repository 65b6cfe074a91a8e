"""Parts of long messages until all have come (3GPP TS 23.040 §9.2.3.24.1): in any order, some twice, some never."""

from __future__ import annotations

from collections.abc import Hashable

from gateway.sms.tpdu import Piece

MOST = 1000


class Pieces:
    """``add`` each part; the first of a message is told so, and must ``take`` what has come when it has waited enough.

    ``key`` says whose they are (sender, X). At most a thousand messages wait: what comes then is taken for whole.
    """

    def __init__(self) -> None:
        self._waiting: dict[tuple[Hashable, int, int], dict[int, str]] = {}

    def add(self, key: Hashable, piece: Piece, text: str) -> bool | None:
        """True: the first of a message that waits for more. None: it is all there now. False: there is more to come."""
        name = (key, piece.reference, piece.total)
        found = self._waiting.get(name)
        if found is None:
            if piece.total == 1 or len(self._waiting) >= MOST:
                self._waiting[name] = {piece.index: text}
                return None
            self._waiting[name] = {piece.index: text}
            return True
        found.setdefault(piece.index, text)
        return None if len(found) == piece.total else False

    def take(self, key: Hashable, piece: Piece) -> str | None:
        """What has come of the message, in order; None when somebody took it."""
        found = self._waiting.pop((key, piece.reference, piece.total), None)
        return None if found is None else "".join(found[index] for index in sorted(found))
