"""Whether a customer's address is worth a try: it is left alone after failures in a row, and asked again now and then.

| state   | until                          | rows of it                                                        |
|---------|--------------------------------|-------------------------------------------------------------------|
| closed  | ``FAILURES`` tries failed      | go                                                                |
| open    | the pause is over              | stay due, their retry plan doesn't go on                          |
| probing | the outcome of one try         | stay due but that one; success closes, failure opens for longer   |

So a server that is dead for an hour costs a try a minute, not a connection that waits for each of its messages; when it
is back all that waited goes at once. Addresses are an application's, by what is sent there: another customer who
names the same server is judged by his own tries.
"""

from __future__ import annotations

from dataclasses import dataclass

FAILURES = 10
PAUSES = (5.0, 10.0, 20.0, 40.0, 60.0)
LOOK_SECONDS = 1.0


@dataclass(slots=True)
class Breaker:
    """One address. ``now`` is wall time in seconds."""

    failures: int = 0
    pauses: int = 0
    until: float | None = None
    probing: bool = False

    def allows(self, now: float) -> bool:
        """Whether a try may begin."""
        return self.until is None or (now >= self.until and not self.probing)

    @property
    def open(self) -> bool:
        """Whether it is left alone, or probed."""
        return self.until is not None

    def begin(self) -> None:
        """A try that was allowed begins."""
        self.probing = self.until is not None

    def abandon(self) -> None:
        """The try under way was given up without an outcome."""
        self.probing = False

    def note(self, ok: bool, now: float) -> bool:
        """The outcome of a try; whether it changed from open to closed or the other way."""
        was_open, probed = self.until is not None, self.probing
        if ok:
            self.failures, self.pauses, self.until, self.probing = 0, 0, None, False
            return was_open
        self.failures += 1
        # Of tries that began before it opened only the probe's failure makes the pause longer.
        if self.failures >= FAILURES and (probed or not was_open):
            self.until = now + PAUSES[min(self.pauses, len(PAUSES) - 1)]
            self.pauses += 1
            self.probing = False
        return not was_open and self.until is not None


EVENTS = ("callin", "collectInfo", "callout", "alerting", "answer", "disconnect")


class Breakers:
    """Those of all customers. An address is (application, what is sent there)."""

    def __init__(self) -> None:
        self._all: dict[tuple[str, str], Breaker] = {}
        self._looked: dict[str, float] = {}

    def of(self, application: str, kind: str) -> Breaker:
        """The one that rows of a kind go by."""
        return self._all.setdefault((application, "events" if kind in EVENTS else kind), Breaker())

    def open_kinds(self, application: str) -> list[str]:
        """Kinds of rows whose address is left alone or probed."""
        found: list[str] = []
        for topic, kinds in _TOPICS.items():
            breaker = self._all.get((application, topic))
            if breaker is not None and breaker.open:
                found += kinds
        return found

    def resting_kinds(self, application: str, now: float) -> list[str]:
        """Kinds of rows that nobody is to look for now."""
        found: list[str] = []
        for topic, kinds in _TOPICS.items():
            breaker = self._all.get((application, topic))
            if breaker is not None and not breaker.allows(now):
                found += kinds
        # A CDR follows its call's events, so while those rest there are more and more that can't go.
        return [*found, "fee"] if EVENTS[0] in found and "fee" not in found else found

    def rests(self, application: str, now: float) -> bool:
        """Whether next to nothing can go to an application, and it has just been looked at: many such would cost."""
        if EVENTS[0] not in self.resting_kinds(application, now):
            return False
        recent = 0 <= now - self._looked.get(application, 0.0) < LOOK_SECONDS
        if not recent:
            self._looked[application] = now
        return recent


_TOPICS = {"events": EVENTS, "fee": ("fee",), "sms": ("sms",), "numStatus": ("numStatus",)}
