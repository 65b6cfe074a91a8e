"""Session timers (RFC 4028) of one session: who refreshes, how often, and when a call that nobody refreshes is over.

    our request     Session-Expires, Min-SE; refresher as it is, or (first) left to the other side
    its 2xx         what the Session-Expires says; without one we refresh alone, for our own benefit (§7.2)
    their request   422 when it asks for less than 90 s and knows timers (§9); else agreed: no more than it asked
    our 2xx         Session-Expires with the refresher: whom it names, else us; Require: timer when it knows timers

    we refresh      at half the interval (§10); refused, again at half of what is left
    the end         min(32 s, a third) before the interval has passed without a refresh: BYE (§10)

A refusal of a refresh shows that the other side lives, so it never ends a call; no answer, 408 and 481 do (§10). Alone,
there is no end: the other side has agreed to nothing.
"""

from __future__ import annotations

from gateway.errors import ParseError
from gateway.sip.grammar import unsigned
from gateway.sip.message import Request, Response
from gateway.sip.methods import Refusal
from gateway.sip.policy import MIN_SE, TIMER, options

_LEAST = 10
"""An interval that a broken peer sets below is taken for this."""
_MOST = 2**31 - 1
_RAISES = 3
"""How often a 422 is followed."""


def read_seconds(message: Request | Response, name: str) -> tuple[int | None, str]:
    """Seconds and refresher ("uac", "uas" or "") of a Session-Expires or Min-SE; None when absent or unreadable."""
    text = message.headers.get(name)
    if text is None:
        return None, ""
    first, *params = (part.strip().lower() for part in text.split(";"))
    try:
        seconds = unsigned(first, name, _MOST)
    except ParseError:
        return None, ""
    named = [param.partition("=")[2].strip() for param in params if param.partition("=")[0].strip() == "refresher"]
    return seconds, named[0] if named and named[0] in ("uac", "uas") else ""


class SessionTimer:
    """``wanted``: our interval. ``interval`` 0: nothing agreed yet; ``ours``: we refresh; ``alone``: nobody else would.

    ``refresh_at`` and ``end_at`` are monotonic times, None when there is none.
    """

    __slots__ = ("_floor", "_raises", "_wanted", "alone", "end_at", "interval", "ours", "refresh_at")

    def __init__(self, wanted: int) -> None:
        self._wanted = max(wanted, MIN_SE)
        self._floor = MIN_SE
        self._raises = 0
        self.interval = 0
        self.ours = True
        self.alone = False
        self.refresh_at: float | None = None
        self.end_at: float | None = None

    # --- requests of ours ---------------------------------------------------------------------------------------------

    def ask(self) -> list[tuple[str, str]]:
        """The lines of an INVITE or UPDATE of ours."""
        role = "" if not self.interval else ";refresher=uac" if self.ours else ";refresher=uas"
        return [("Session-Expires", f"{self._asked}{role}"), ("Min-SE", str(self._floor))]

    def raised(self, refusal: Response) -> bool:
        """A 422: whether asking for more, as it says, is worth a try (§7.3)."""
        least, _ = read_seconds(refusal, "Min-SE")
        if least is None or least <= self._floor or self._raises >= _RAISES:
            return False
        self._raises += 1
        self._floor = least
        self.interval = max(self.interval, least) if self.interval else 0
        return True

    def answered(self, response: Response, now: float) -> None:
        """The 2xx to our request."""
        seconds, refresher = read_seconds(response, "Session-Expires")
        self.alone = seconds is None
        self.ours = seconds is None or refresher != "uas"
        self._start(self._asked if seconds is None else seconds, now)

    # --- requests of theirs -------------------------------------------------------------------------------------------

    @staticmethod
    def refusal(request: Request) -> Refusal | None:
        """422, or None."""
        seconds, _ = read_seconds(request, "Session-Expires")
        if seconds is None or seconds >= MIN_SE or TIMER not in options(request, "Supported"):
            return None
        return 422, None, [("Min-SE", str(MIN_SE))]

    def answer(self, request: Request, now: float) -> list[tuple[str, str]]:
        """Agree to their INVITE or UPDATE; the lines of our 2xx."""
        seconds, refresher = read_seconds(request, "Session-Expires")
        least, _ = read_seconds(request, "Min-SE")
        interval = max(self._wanted, self._floor, least or 0)
        if seconds is not None:
            interval = min(interval, seconds)
        knows = TIMER in options(request, "Supported")
        self.alone = not knows and seconds is None
        if not knows:
            self.ours = True
        elif refresher:
            self.ours = refresher == "uas"
        self._start(interval, now)
        lines = [("Session-Expires", f"{interval};refresher={'uas' if self.ours else 'uac'}")]
        return [*lines, ("Require", TIMER)] if knows else lines

    # --- time ---------------------------------------------------------------------------------------------------------

    def postponed(self, now: float) -> None:
        """A refresh was refused: when it is tried again."""
        left = self.interval if self.end_at is None else self.end_at - now
        self.refresh_at = now + max(left / 2, 1.0)

    def stop(self) -> None:
        """The session is over."""
        self.refresh_at = self.end_at = None

    @property
    def _asked(self) -> int:
        return max(self.interval or self._wanted, self._floor)

    def _start(self, interval: int, now: float) -> None:
        self.interval = max(interval, _LEAST)
        self.refresh_at = now + self.interval / 2 if self.ours else None
        self.end_at = None if self.alone else now + self.interval - min(32.0, self.interval / 3)
