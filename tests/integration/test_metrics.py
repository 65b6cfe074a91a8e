"""The figures of a whole node: a call leaves its traces in all processes, and no number anywhere."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.lab.phone import Phase
from gateway.lab.script import Script
from gateway.metrics.catalog import BY_NAME
from tests.integration.test_node import A, B, Stand, X


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    made = Stand(tmp_path, Script(tone_hz=700), Script(tone_hz=1300, answer_after=0.5, hang_up_after=2.0))
    await made.up()
    yield made
    await made.stack.aclose()


async def scraped(stand: Stand) -> tuple[str, dict[str, float]]:
    async with stand.http.get(stand.node.plan.base_url + "/metrics") as response:
        assert response.status == 200
        text = await response.text()
    values = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            metric = BY_NAME.get(family.name) or BY_NAME.get(family.name + "_total")
            assert metric is not None
            values[" ".join([sample.name, *(sample.labels[name] for name in metric.labels)])] = sample.value
    return text, values


async def test_a_call_is_counted_in_every_process(stand: Stand) -> None:
    _, before = await scraped(stand)
    assert before["maskline_ready"] == before["maskline_database_up"] == before["maskline_media_workers"] == 1
    assert before["maskline_rtp_ports 0 in_use"] == before["maskline_calls_standing"] == 0
    await stand.bind()
    stand.dial()
    await stand.until(lambda: stand.caller.phone.phase is Phase.TALKING)
    _, during = await scraped(stand)
    assert (during["maskline_calls_standing"], during["maskline_rtp_ports 0 in_use"]) == (1, 2)
    assert await stand.receiver.wait_for("fee", 20) is not None
    text, after = await scraped(stand)
    assert after["maskline_calls_total AXB normal demo"] == 1
    for name in ("post_dial_delay", "answer", "call_duration"):
        assert after[f"maskline_{name}_seconds_count demo"] == 1
    assert after["maskline_call_duration_seconds_sum demo"] == pytest.approx(2.0, abs=1.0)
    assert after["maskline_lookup_seconds_count"] == 1
    for direction in ("in", "out"):
        assert after[f"maskline_sip_messages_total INVITE  demo {direction} udp"] >= 1
        assert after[f"maskline_sip_messages_total INVITE 200 demo {direction} udp"] >= 1
        assert after[f"maskline_sip_messages_total BYE  demo {direction} udp"] >= 1
    assert after["maskline_rtp_ports 0 resting"] == 2
    assert after["maskline_rtp_packets_total 0 received"] > 50
    assert after["maskline_rtp_packets_total 0 sent"] > 50
    assert after["maskline_rtp_jitter_seconds_count caller"] == 1
    for process in ("signalling", "web", "media-0"):
        assert after[f"maskline_loop_stall_seconds_count {process}"] > 0
    for number in (A, B, X):
        assert number[3:] not in text
