"""[IO] Journeys, deliveries and recordings as spans of OpenTelemetry, sent as OTLP over HTTP by a thread.

All spans of a call are of one trace whose number is made of the call's session id, so whoever adds one later (a
delivery that is tried again in an hour, another node after a crash) need not be told which: nothing is carried about.

A span is made when it is over, put into the SDK's queue, and forgotten. A collector that is away costs what is in the
queue and a line in the log a minute, and no call.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass

import structlog
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.status import Status, StatusCode

from gateway.log import mask_numbers
from gateway.telemetry.journey import Journey, Step, Value

_log = structlog.get_logger()
NOTE_SECONDS = 60.0
FLUSH_MS = 2000
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_SCOPE = InstrumentationScope("maskline")
_KINDS = {"call": SpanKind.SERVER, "caller": SpanKind.SERVER, "callee": SpanKind.CLIENT, "event": SpanKind.CLIENT}


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanSettings:
    """``endpoint``: where traces go by OTLP over HTTP. ``share``: of calls, 0 to 1, the same ones on every node."""

    endpoint: str
    node: str
    share: float = 1.0


class Spans:
    """``exporter``: another way out, for tests."""

    def __init__(self, settings: SpanSettings, exporter: SpanExporter | None = None) -> None:
        self._limit = int(settings.share * (1 << 64))
        self._resource = Resource.create({"service.name": "maskline", "service.instance.id": settings.node})
        logging.getLogger("opentelemetry").addHandler(_Told())
        self._processor = BatchSpanProcessor(exporter or OTLPSpanExporter(endpoint=settings.endpoint))

    def journey(self, journey: Journey) -> None:
        """A call is over."""
        trace, root = ids(journey.session)
        if self._wanted(trace):
            first, *others = journey.steps
            self._put(journey.session, trace, first, number=root)
            for number, step in enumerate(others):
                self._put(journey.session, trace, step, parent=root, number=_number(journey.session, step.name, number))

    def step(self, session: str, step: Step) -> None:
        """Something that came of a call when it was over."""
        trace, root = ids(session)
        if self._wanted(trace):
            self._put(session, trace, step, parent=root, number=_number(session, step.name, step.begin))

    def close(self) -> None:
        """Send what is in the queue, for as long as a stop may take. Blocks."""
        self._processor.force_flush(FLUSH_MS)
        self._processor.shutdown()  # type: ignore[no-untyped-call]

    def _wanted(self, trace: int) -> bool:
        # As OpenTelemetry's TraceIdRatioBased decides, by the lower half.
        return (trace & 0xFFFFFFFFFFFFFFFF) < self._limit

    def _put(self, session: str, trace: int, step: Step, *, number: int, parent: int | None = None) -> None:
        said: Mapping[str, Value] = {
            f"maskline.{name}": mask_numbers(value) if isinstance(value, str) else value
            for name, value in step.said.items()
        }
        status = Status(StatusCode.ERROR, mask_numbers(step.failed)) if step.failed else Status(StatusCode.OK)
        span = ReadableSpan(
            name=step.name,
            context=SpanContext(trace, number, is_remote=False, trace_flags=_SAMPLED),
            parent=None if parent is None else SpanContext(trace, parent, is_remote=False, trace_flags=_SAMPLED),
            resource=self._resource,
            attributes={"maskline.session": session, **said},
            kind=_KINDS.get(step.name.partition(" ")[0], SpanKind.INTERNAL),
            status=status,
            start_time=int(step.begin * 1e9),
            end_time=int(step.end * 1e9),
            instrumentation_scope=_SCOPE,
        )
        self._processor.on_end(span)


def ids(session: str) -> tuple[int, int]:
    """The numbers of a call's trace and of its first span."""
    digest = hashlib.sha256(f"maskline trace {session}".encode()).digest()
    return int.from_bytes(digest[:16]) or 1, int.from_bytes(digest[16:24]) or 1


def _number(session: str, name: str, which: float) -> int:
    return int.from_bytes(hashlib.sha256(f"{session} {name} {which}".encode()).digest()[:8]) or 1


class _Told(logging.Handler):
    """What the SDK says of a collector that is away, once a minute."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._at = float("-inf")

    def emit(self, record: logging.LogRecord) -> None:
        now = time.monotonic()
        if now - self._at >= NOTE_SECONDS:
            self._at = now
            _log.warning("traces don't reach the collector", why=record.getMessage()[:300])
