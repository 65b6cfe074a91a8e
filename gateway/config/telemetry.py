"""The section [otel]: traces of calls for OpenTelemetry."""

from __future__ import annotations

from pydantic import Field

from gateway.config.forms import HttpUrl, Section


class Otel(Section):
    """``endpoint``: OTLP over HTTP, with its path (``/v1/traces``); needs the extra ``otel``. ``share`` of the calls,
    the same ones on every node. Headers that the collector wants are in OTEL_EXPORTER_OTLP_HEADERS."""

    endpoint: HttpUrl = ""
    share: float = Field(1.0, ge=0, le=1)
