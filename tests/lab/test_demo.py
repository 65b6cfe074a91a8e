from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from gateway.lab import demo as demo_module
from gateway.lab.audio import tone
from gateway.lab.demo import Stage, demo
from gateway.lab.ladder import Ladder
from gateway.lab.memory import Trace
from gateway.lab.phone import Phone
from gateway.lab.receiver import Event
from gateway.lab.rtp import Packet
from gateway.lab.script import Script
from gateway.sip.hop import Hop

HOP = Hop("udp", "192.0.2.1", 5060)


def phone(name: str) -> Phone:
    return Phone(name, Script(), here=HOP, media_ports=(4000, 4002), seed=1)


def hear(listener: Phone, hertz: int, start: float) -> float:
    """Half a second of a tone; gives the time of its end."""
    for tick in range(25):
        packet = Packet(8, tick, tick * 160, 1, False, tone(hertz)[tick * 160 :][:160])
        listener.receive_rtp(4000, bytes(packet), ("192.0.2.9", 20000), start + tick * 0.02)
    return start + 0.5


async def test_the_stage_shows_messages_tones_the_bridge_and_events() -> None:
    out = io.StringIO()
    stage = Stage(Ladder(Console(file=out, width=120), 0.0))
    a, b = phone("A"), phone("B")
    a.traces.append(Trace(0.0, True, HOP, b"INVITE sip:x SIP/2.0\r\n\r\n"))
    stage.look(a, 0.0)
    stage.look(a, 0.0)
    now = hear(a, 620, 0.1)
    now = hear(a, 1300, now)
    stage.look(a, now)
    assert not stage.bridged
    now = hear(b, 700, now)
    stage.look(b, now)
    assert stage.bridged
    assert await stage.until(lambda: stage.bridged, 0.0)
    assert not await stage.until(lambda: False, 0.0)
    stage.event(Event(now, "callin", {"caller": "+8613800000021", "called": "+8617000000001", "sessionId": "s"}, True))
    stage.event(Event(now, "fee", {"callerNum": "+8613800000021", "recordObjectName": "r.wav"}, True))
    text = out.getvalue()
    assert text.count("INVITE") == 1
    parts = [
        "A hears the waiting tone (620 Hz)", "A no longer hears the waiting tone", "A hears B's voice (1300 Hz)",
        "B hears A's voice (700 Hz)", "the bridge stands", "event callin: caller +8613800000021, called +8617000000001",
        "event fee: callerNum +8613800000021, recordObjectName r.wav",
    ]  # fmt: skip
    places = [text.index(part) for part in parts]
    assert places == sorted(places)


def test_a_node_that_does_not_start_ends_the_demo_with_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo_module, "SECRET", "")  # a configuration that is refused
    assert demo(keep=tmp_path, plain=True) == 1
    text = capsys.readouterr().out
    assert "The demo failed: the node ended with 2" in text
    assert "secret" in text
