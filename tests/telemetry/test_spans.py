"""Steps as spans, by the SDK's exporter to a collector over HTTP."""

from __future__ import annotations

import asyncio

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from gateway.telemetry.journey import Journey, Step
from gateway.telemetry.spans import Spans, SpanSettings, ids
from tests.telemetry.collector import Collector

JOURNEY = Journey(
    "s1",
    [
        Step("call", 100.0, 110.0, {"cause": 0, "x": "+8617******01"}),
        Step("look-up", 100.0, 100.004),
        Step("callee", 100.1, 102.0, {"trunk": "carrier"}, "sip:+8613800000023@b says 486"),
    ],
)


async def test_a_call_and_what_comes_later_are_one_trace() -> None:
    collector = Collector()
    endpoint = await collector.start()
    here, there = (Spans(SpanSettings(endpoint=endpoint, node=node)) for node in ("gw-1", "gw-2"))
    here.journey(JOURNEY)
    there.step("s1", Step("event fee", 111.0, 111.5, {"http_status": 500}, "HTTP 500"))
    there.step("s1", Step("event fee", 171.0, 171.5, {"http_status": 200}))
    await asyncio.gather(asyncio.to_thread(here.close), asyncio.to_thread(there.close))
    await collector.stop()
    ((trace, spans),) = collector.traces.items()
    assert int(trace, 16) == ids("s1")[0]
    root = next(one for one in spans if not one["parent"])
    assert (root["name"], root["seconds"], root["ok"]) == ("call", 10.0, True)
    assert root["said"] == {"maskline.session": "s1", "maskline.cause": 0, "maskline.x": "+8617******01"}
    others = [one for one in spans if one is not root]
    assert {one["parent"] for one in others} == {root["id"]}
    assert len({one["id"] for one in spans}) == len(spans) == 5
    fees = [one for one in others if one["name"] == "event fee"]
    assert [(one["node"], one["ok"]) for one in fees] == [("gw-2", False), ("gw-2", True)]
    # What somebody else has said is masked on its way out.
    assert "138******23@b says 486" in collector.text
    assert "13800000023" not in collector.text


def kept(share: float) -> list[str]:
    exporter = InMemorySpanExporter()
    spans = Spans(SpanSettings(endpoint="", node="gw", share=share), exporter)
    for number in range(400):
        spans.journey(Journey(f"call {number}", [Step("call", 1.0, 2.0)]))
        spans.step(f"call {number}", Step("event fee", 2.0, 3.0))
    spans.close()
    return [str(span.attributes["maskline.session"]) for span in exporter.get_finished_spans() if span.attributes]


@pytest.mark.parametrize(("share", "few", "many"), [(0.0, 0, 0), (0.25, 60, 140), (1.0, 400, 400)])
def test_a_share_takes_the_same_calls_everywhere_and_whole(share: float, few: int, many: int) -> None:
    found = kept(share)
    assert found == kept(share)
    assert few <= len(set(found)) <= many
    assert len(found) == 2 * len(set(found))
