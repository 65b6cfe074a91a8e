from __future__ import annotations

import struct
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from gateway.lab.audio import tone
from gateway.lab.checks import Evidence, all_checks, forms_found, span_of_sound, talk_time
from gateway.lab.memory import Happening, Trace
from gateway.lab.phone import Phone
from gateway.lab.receiver import Event
from gateway.lab.rtp import Sender
from gateway.lab.script import Script
from gateway.numbers import PhoneNumber
from gateway.sip.hop import Hop

A, B, X = (PhoneNumber(text) for text in ("+8613800000021", "+8613800000023", "+8617000000001"))
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
GATEWAY = Hop("udp", "192.0.2.9", 5060)


@pytest.mark.parametrize(
    "text",
    [
        b"sip:+8613800000021@x", b"tel:8613800000021", b"008613800000021", b"13800000021",
        b"13800000021".hex().encode(),
        b"%31%33%38%30%30%30%30%30%30%32%31", b"138-0000-0021", b"(138) 0000 0021", b64encode(b"13800000021"),
        b64encode(b"+8613800000021"), b64encode(b"sip:13800000021"),
    ],
)  # fmt: skip
def test_a_number_is_found_in_every_form(text: bytes) -> None:
    assert forms_found(b"before " + text + b" after", A)


def test_other_numbers_are_not_taken_for_it() -> None:
    assert forms_found(b"+8613800000023 +8617000000001 138 0000 002 2 1x", A) == []


def phone(name: str, spans: list[tuple[int | None, float]], *, answered_at: float) -> Phone:
    """A phone that heard these tones, from 100.0 on, and saw X."""
    made = Phone(name, Script(), here=Hop("udp", "192.0.2.1", 5060), media_ports=(4000, 4002), seed=1)
    made.answered_at = answered_at
    made.traces.append(Trace(100.0, False, GATEWAY, b"INVITE sip:x SIP/2.0\r\nFrom: <sip:+8617000000001@x>\r\n\r\n"))
    sender, now = Sender(Random(3)), 100.0
    for hertz, seconds in spans:
        for tick in range(round(seconds * 50)):
            (data,) = sender.tick(8, tone(hertz)[tick * 160 % 8000 :][:160], 160, None)
            made.receive_rtp(4000, data, ("192.0.2.9", 20000), now)
            now += 0.02
    made.history.append(Happening(answered_at + 6.0, "ended by us (BYE)"))
    return made


def recording(left: bytes, right: bytes) -> bytes:
    data = bytes(code for frame in zip(left, right, strict=True) for code in frame)
    fmt = struct.pack("<HHIIHHH", 6, 2, 8000, 16000, 2, 8, 0)
    body = b"WAVEfmt " + struct.pack("<I", 18) + fmt + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def events(kinds: str, *, signed: bool = True) -> tuple[Event, ...]:
    fee = {"fwdAnswerTime": "2026-01-02 03:00:00", "callEndTime": "2026-01-02 03:00:06", "ulFailReason": 0}
    rows = {"fee": fee, "disconnect": {"stateCode": 0}}
    return tuple(Event(0.0, kind, {"sessionId": "s", **rows.get(kind, {})}, signed) for kind in kinds.split())


def evidence() -> Evidence:
    return Evidence(
        caller=phone("A", [(620, 2.0), (950, 1.0), (1300, 5.0)], answered_at=102.0),
        callee=phone("B", [(950, 1.0), (700, 5.0)], answered_at=100.0),
        a=A,
        b=B,
        x=X,
        events=events("callin callout alerting answer disconnect fee"),
        recording=recording(tone(700) * 6, tone(1300) * 6),
        erase_at=NOW + timedelta(days=7),
        looked_at=NOW,
    )


def failed(given: Evidence) -> list[str]:
    return [check.name for check in all_checks(given) if not check.passed]


def test_a_good_call_passes_everything() -> None:
    assert [check.measured for check in all_checks(evidence()) if not check.passed] == []
    assert len(all_checks(evidence())) == 18


def test_a_leaked_number_is_seen() -> None:
    given = evidence()
    given.callee.traces.append(Trace(101.0, False, GATEWAY, b"BYE sip:x SIP/2.0\r\nReason: 13800000021\r\n\r\n"))
    assert failed(given) == ["B saw only X"]


def test_a_number_in_the_audio_is_seen_too() -> None:
    given = evidence()
    given.caller.receive_rtp(4000, b"+8613800000023", ("192.0.2.9", 20000), 108.0)
    assert "A saw only X" in failed(given)


def test_missing_sounds_are_seen() -> None:
    given = replace(evidence(), caller=phone("A", [(450, 2.0), (1300, 6.0)], answered_at=102.0))
    assert failed(given) == ["A heard the waiting tone before the answer", "A heard the recording notice"]
    given = replace(evidence(), callee=phone("B", [(950, 1.0), (None, 5.0)], answered_at=100.0))
    assert failed(given) == ["B heard A"]


@pytest.mark.parametrize(
    ("wav", "names"),
    [
        (recording(tone(1300) * 6, tone(700) * 6), ["A on the first channel only", "B on the second channel only"]),
        (recording(tone(700) * 6, tone(700) * 6), ["A on the first channel only", "B on the second channel only"]),
        (recording(tone(700) * 8, tone(1300) * 8), ["the recording is as long as the talk"]),
        (
            recording(tone(700) * 6, tone(1300) * 5 + tone(None)),
            ["both channels are as long"],
        ),
        (b"RIFF", ["the recording is a WAV file"]),
        (
            recording(tone(700) * 6, tone(1300) * 6).replace(b"\x06\0\x02\0", b"\x07\0\x02\0", 1),
            ["the recording is A-law, 8000 Hz, two channels"],
        ),
    ],
)
def test_wrong_recordings_are_seen(wav: bytes, names: list[str]) -> None:
    assert failed(replace(evidence(), recording=wav)) == names


def test_wrong_dates_are_seen() -> None:
    for erase_at in (None, NOW + timedelta(days=8)):
        assert failed(replace(evidence(), erase_at=erase_at)) == ["the recording will be erased in 7 days"]


def test_wrong_reports_are_seen() -> None:
    order = "all events came, in order, once each"
    assert failed(replace(evidence(), events=events("callin alerting callout answer disconnect fee"))) == [order]
    twice = failed(replace(evidence(), events=events("callin callout alerting answer disconnect disconnect fee")))
    assert twice == [order, "one disconnect, one CDR, hung up normally"]
    unsigned = events("callin callout alerting answer disconnect fee", signed=False)
    assert failed(replace(evidence(), events=unsigned)) == ["events are signed and of one session"]


def test_the_span_of_sound_and_the_talk_time() -> None:
    assert span_of_sound(b"\xd5" * 80 + b"\x12" + b"\xd5" * 798 + b"\x34" + b"\xd5" * 50) == 0.1
    assert span_of_sound(b"\xd5\x55" * 80) == 0.0
    assert talk_time({"fwdAnswerTime": "2026-01-02 03:00:00", "callEndTime": "2026-01-02 03:01:02"}) == 62
    assert talk_time({"callEndTime": "x"}) is None
