"""A collector of traces on loopback: OTLP over HTTP, protobuf, as OpenTelemetry's own would take it."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


class Collector:
    """``traces``: the spans that came, by trace; ``text``: all of it, to look for what must not be there."""

    def __init__(self) -> None:
        self.traces: dict[str, list[dict[str, Any]]] = {}
        self.text = ""

    async def start(self) -> str:
        application = web.Application(client_max_size=1 << 26)
        application.router.add_post("/v1/traces", self._receive)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1/traces"

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _receive(self, request: web.Request) -> web.Response:
        message = ExportTraceServiceRequest.FromString(await request.read())
        self.text += str(message)
        for resource in message.resource_spans:
            about = {one.key: one.value.string_value for one in resource.resource.attributes}
            for span in (span for scope in resource.scope_spans for span in scope.spans):
                self.traces.setdefault(span.trace_id.hex(), []).append(
                    {
                        "node": about["service.instance.id"],
                        "name": span.name,
                        "id": span.span_id.hex(),
                        "parent": span.parent_span_id.hex(),
                        "seconds": (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
                        "ok": span.status.code == 1,
                        "said": {one.key: _plain(one.value) for one in span.attributes},
                    }
                )
        answer = ExportTraceServiceResponse().SerializeToString()
        return web.Response(body=answer, content_type="application/x-protobuf")


def _plain(value: Any) -> Any:
    return getattr(value, value.WhichOneof("value"))
