"""[IO] What the web process adds to the traces of calls: attempts to deliver events, and recordings that are stored.

Each of them is the customer's to wait for, and none of them a call's.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from sqlalchemy import Row

from gateway.api.callbacks import Outcome
from gateway.api.due import Event
from gateway.config.tree import Config
from gateway.telemetry.journey import Journey, Step, Value

if TYPE_CHECKING:
    from gateway.telemetry.spans import Spans


class Follower:
    """``closed`` for a call's journey, ``tried`` for an attempt of delivery, ``stored`` for a recording."""

    def __init__(self, spans: Spans) -> None:
        self._spans = spans

    def closed(self, journey: Journey) -> None:
        """A call is over."""
        self._spans.journey(journey)

    def tried(self, row: Event, outcome: Outcome, begin: float, end: float) -> None:
        """An event, a bill record or a message's notice was sent, or could not be."""
        said: dict[str, Value] = {"event": row.id, "application": row.application, "try": row.tries + 1}
        if outcome.status is not None:
            said["http_status"] = outcome.status
        failed = "" if outcome.ok else outcome.error or f"HTTP {outcome.status}"
        self._spans.step(row.session, Step(f"event {row.kind}", begin, end, said, failed))

    def stored(self, row: Row[Any]) -> None:
        """A recording can be had: since the end of its call."""
        now = time.time()
        said: dict[str, Value] = {"bytes": row.size or 0, "seconds": row.seconds or 0.0, "node": row.node}
        begin = now if row.ended_at is None else row.ended_at
        self._spans.step(row.session, Step("recording stored", begin, max(begin, now), said, row.trouble or ""))

    async def stop(self) -> None:
        """Send what is left, by a thread: the collector may be away."""
        await asyncio.to_thread(self._spans.close)


def follower(config: Config) -> Follower | None:
    """None where no traces are wanted; then nothing of OpenTelemetry is imported."""
    otel = config.otel
    if not otel.endpoint:
        return None
    # An extra: it need not be there, and takes a second to import.
    from gateway.telemetry.spans import Spans, SpanSettings

    return Follower(Spans(SpanSettings(endpoint=otel.endpoint, node=config.node.name, share=otel.share)))
