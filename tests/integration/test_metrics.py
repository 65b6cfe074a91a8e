"""The figures of a whole node: a call leaves its traces in all processes, and no number anywhere."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.lab.phone import Phase
from gateway.lab.receiver import Event
from gateway.lab.rtp import STALL, check_stream
from gateway.lab.script import Script
from gateway.lab.sockets import PhoneLine
from gateway.metrics.catalog import BY_NAME
from tests.integration.test_node import A, B, Stand, X
from tests.integration.test_recordings import check_heard
from tests.media.test_worker_disk import mounted

ANSWER = Script(tone_hz=1300, answer_after=0.3)


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    """Its spool is a volume of three megabytes, and calls must be recorded."""
    made = Stand(tmp_path, Script(tone_hz=700), ANSWER)
    made.settings = {
        f"MASKLINE_{name}": value
        for name, value in (
            ("RECORDINGS__REQUIRED", "true"), ("RECORDINGS__LEAST_MB", "1"), ("CALLS__MIN_RECORDING_SECONDS", "1")
        )
    }  # fmt: skip
    with mounted(tmp_path / "spool", "3m"):
        async with made.stack:
            yield made


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


async def test_a_call_is_counted_in_every_process_and_so_is_one_that_a_full_disk_ends(stand: Stand) -> None:
    again = await stand.two_calls(replace(ANSWER, hang_up_after=2.0), ANSWER)
    await stand.up()
    _, before = await scraped(stand)
    assert before["maskline_ready"] == before["maskline_database_up"] == before["maskline_media_workers"] == 1
    assert before["maskline_rtp_ports 0 in_use"] == before["maskline_calls_standing"] == 0
    await stand.bind()
    stand.dial()
    await stand.until(lambda: stand.caller.phone.phase is Phase.TALKING)
    _, during = await scraped(stand)
    assert (during["maskline_calls_standing"], during["maskline_rtp_ports 0 in_use"]) == (1, 2)
    assert await stand.receiver.wait_for("fee", 60) is not None
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
    await fill_the_disk(stand, again)


async def fill_the_disk(stand: Stand, line: PhoneLine) -> None:
    """The volume is full in mid-call: the call, which must be recorded, ends with its cause, and what was heard until
    then is kept. Nobody looks after events and recordings meanwhile."""
    spool, before = stand.folder / "spool", {event.fields["sessionId"] for event in stand.receiver.events}

    def told(kind: str) -> list[Event]:
        # A web process that is killed may have told the call before, and will tell it again.
        return [one for one in stand.receiver.events if one.kind == kind and one.fields["sessionId"] not in before]

    await stand.until(lambda: list(spool.iterdir()) == [])
    stand.dial(line)
    # The web process dies too: the call doesn't notice, and another one takes its place.
    web = child(stand, "gateway.web")
    os.kill(web, signal.SIGKILL)
    await stand.until(lambda: sum(path.stat().st_size for path in spool.iterdir()) > 40_000)
    full = spool / "full"
    with contextlib.suppress(OSError), full.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1024))
    await stand.until(lambda: line.phone.phase is Phase.OVER)
    full.unlink()
    await stand.until(lambda: bool(told("disconnect") and told("fee")))
    disconnect, fee = told("disconnect")[0], told("fee")[0]
    assert (disconnect.fields["stateCode"], fee.fields["ulFailReason"], fee.fields["recordFlag"]) == (8015, 8015, 1)
    text, after = await scraped(stand)
    assert after["maskline_calls_total AXB recording_failed demo"] == 1
    assert after["maskline_recordings_cut_total full"] == 1
    async with stand.http.get(stand.node.plan.base_url + "/readyz") as response:
        assert "calls are not recorded: No space left on device" in await response.text()
    await stand.until(lambda: list(spool.iterdir()) == [])
    download = await stand.customer.recording(fee.fields["recordObjectName"], fee.fields["recordDomain"])
    check_heard(download.content, seconds=1.5)
    assert str(spool) not in text
    assert child(stand, "gateway.web") != web
    assert check_stream(line.phone.arrivals, stall=STALL).faults == ()


def child(stand: Stand, name: str) -> int:
    """The node's process that runs this module."""
    node = stand.node.pid
    children = Path(f"/proc/{node}/task/{node}/children").read_text().split()
    (found,) = [pid for pid in children if name.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()]
    return int(found)
