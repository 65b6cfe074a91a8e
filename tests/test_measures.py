"""What parts count, as metrics: the door, media workers."""

from __future__ import annotations

from gateway.measures import media_rows, watch_gate
from gateway.metrics.tally import Tally
from gateway.sip.gate import Gate, GateSettings
from media.control import STALLS, LegStats, Usage


def rows(tally: Tally) -> dict[str, float]:
    return {" ".join((name, *labels)): numbers[0] for name, labels, numbers in tally.rows()}


def test_the_door() -> None:
    gate = Gate(
        GateSettings(messages_per_second=1.0, burst_seconds=1.0), lambda host: host != "9.9.9.9", lambda host: None
    )
    tally = Tally()
    watch_gate(tally, gate, lambda: 10.0)
    gate.datagram("9.9.9.9", b"OPTIONS x SIP/2.0\r\n", 1.0)
    for _ in range(3):
        gate.datagram("8.8.8.8", b"OPTIONS x SIP/2.0\r\n", 1.0)
    gate.strike("8.8.8.8", "malformed", 1.0, at_once=True)
    found = rows(tally)
    assert found["maskline_sip_dropped_total stranger"] == 1
    assert found["maskline_shed_total a_source"] == 2
    assert found["maskline_bans_total malformed"] == found["maskline_banned"] == 1
    assert "8.8.8.8" not in str(found)


def test_a_worker() -> None:
    counted = LegStats(received=10, lost=1, refused=2, malformed=3, sent=9, unopened=4)
    usage = Usage(sessions=1, in_use=2, resting=4, free=6, counted=counted, stalls=(1.0,) * (len(STALLS) + 2))
    found = {" ".join((name, *labels)): numbers for name, labels, numbers in media_rows({1: usage})}
    assert found["maskline_rtp_ports 1 resting"] == [4.0]
    assert found["maskline_rtp_packets_total 1 sent"] == [9.0]
    counts = [found[f"maskline_rtp_{what}_total 1"] for what in ("lost", "refused", "malformed", "unopened")]
    assert counts == [[1.0], [2.0], [3.0], [4.0]]
    assert len(found["maskline_loop_stall_seconds media-1"]) == len(STALLS) + 2
