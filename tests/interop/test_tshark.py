"""Wireshark's tshark reads what we write: a trace's pcap; sngrep our HEPv3; promtool the rules."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from gateway.lab.ports import free_tcp_and_udp_port
from gateway.metrics.page import page
from gateway.metrics.tally import Tally
from gateway.sip.hop import Hop
from gateway.tracing.collector import Collector
from gateway.tracing.hep import hep3
from gateway.tracing.masking import mask_message
from gateway.tracing.messages import Seen
from gateway.tracing.pcap import pcap
from tests.interop.conftest import program
from tests.interop.stand import HOST, until
from tests.tracing.messages import CALL, A, B, X

pytestmark = pytest.mark.interop
ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def tshark() -> str:
    return program("tshark", "tshark")


@pytest.fixture(scope="module")
def sngrep() -> str:
    return program("sngrep", "sngrep")


@pytest.fixture(scope="module")
def promtool() -> str:
    return program("promtool", "prometheus")


def fields(tshark: str, file: Path, *wanted: str, more: tuple[str, ...] = ()) -> list[list[str]]:
    command = [tshark, "-n", "-r", str(file), *more, "-T", "fields", "-E", "separator=|"]
    for name in wanted:
        command += ["-e", name]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    return [line.split("|") for line in done.stdout.splitlines()]


def test_a_trace_is_sip_with_addresses_and_sound_checksums(tshark: str, tmp_path: Path) -> None:
    file = tmp_path / "call.pcap"
    masked = [Seen(one.at, one.sent, one.peer, one.here, mask_message(one.data, (A, B), (X,))) for _, one in CALL]
    file.write_bytes(pcap(masked))
    checked = ("-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE")
    rows = fields(
        tshark, file, "frame.time_epoch", "ip.src", "ip.dst", "udp.dstport", "sip.Method", "sip.Status-Code",
        "sip.Call-ID", "ip.checksum.status", "udp.checksum.status", more=checked,
    )  # fmt: skip
    assert [row[1:7] for row in rows] == [
        ["192.0.2.10", "198.51.100.1", "5060", "INVITE", "", "one@192.0.2.10"],
        ["198.51.100.1", "192.0.2.10", "5060", "", "100", "one@192.0.2.10"],
        ["198.51.100.1", "192.0.2.20", "5080", "INVITE", "", "two"],
        ["192.0.2.20", "198.51.100.1", "5060", "", "180", "two"],
    ]
    assert [float(row[0]) for row in rows] == [1000.0, 1000.25, 1000.5, 1001.0]
    assert {status for row in rows for status in row[7:]} == {"1"}
    assert fields(tshark, file, "sdp.owner.sessionid", "sdp.media.port")[0] == ["2890844526", "30000"]
    assert fields(tshark, file, "_ws.malformed") == [[""]] * 4


async def test_a_collector_takes_our_hep(tshark: str, sngrep: str, tmp_path: Path) -> None:
    """sngrep stands for Homer: what it heard as HEPv3 it writes as packets of the messages' own addresses and times."""
    file, port = tmp_path / "heard.pcap", free_tcp_and_udp_port(HOST)
    process = await asyncio.create_subprocess_exec(
        sngrep, "-F", "-N", "-q", "-L", f"udp:{HOST}:{port}", "-O", str(file), stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL, env={"TERM": "xterm"},
    )  # fmt: skip
    try:
        await until(lambda: f":{port:04X} " in Path("/proc/net/udp").read_text(), 20)
        with closing(Collector(Hop("udp", HOST, port))) as collector:
            for _, one in CALL:
                collector.send(hep3(one, one.data, agent=2001, correlation="call-1"))
        wanted = ("frame.time_epoch", "ip.src", "ip.dst", "udp.dstport", "sip.Method", "sip.Status-Code")
        await until(lambda: file.exists() and file.stat().st_size > sum(len(one.data) for _, one in CALL), 20)
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()
    assert [[float(row[0]), *row[1:]] for row in fields(tshark, file, *wanted)] == [
        [1000.0, "192.0.2.10", "198.51.100.1", "5060", "INVITE", ""],
        [1000.25, "198.51.100.1", "192.0.2.10", "5060", "", "100"],
        [1000.5, "198.51.100.1", "192.0.2.20", "5080", "INVITE", ""],
        [1001.0, "192.0.2.20", "198.51.100.1", "5060", "", "180"],
    ]


def test_promtool_reads_the_rules_and_the_page(promtool: str) -> None:
    rules = [promtool, "check", "rules", str(ROOT / "configs" / "prometheus" / "alerts.yml")]
    assert "SUCCESS" in subprocess.run(rules, check=True, capture_output=True, text=True, timeout=60).stdout
    tests = [promtool, "test", "rules", str(ROOT / "tests" / "interop" / "alerts_test.yml")]
    done = subprocess.run(tests, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    tally = Tally()
    tally.add("maskline_calls_total", "AXB", "normal", "carrier")
    tally.observe("maskline_lookup_seconds", 0.01)
    subprocess.run([promtool, "check", "metrics"], input=page(tally.rows()), check=True, timeout=60)
