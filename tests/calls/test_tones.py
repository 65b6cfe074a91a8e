"""What was played to whom, as the record tells afterwards."""

from __future__ import annotations

from gateway.calls.tones import Tone, Tones
from gateway.causes import Cause
from media.control import CALLEE, CALLER, Played
from tests.calls.fakes import Bench, refuse

TONED = {"waiting_tone": "waiting.wav", "record": True, "notice": "notice.wav"}


def test_a_call_tells_what_both_heard_in_order() -> None:
    bench = Bench()
    bench.ring(**TONED)
    bench.progress(180)
    bench.pass_time(6)
    bench.played("waiting")
    bench.pass_time(4)
    bench.answer()
    bench.confirm()
    bench.played("ringback", completed=False)
    bench.pass_time(3)
    bench.played("notice", CALLEE)
    bench.played("notice", CALLER)
    bench.end("caller")
    bench.pass_time(3)
    assert bench.closed.record.heard == (
        Tone(CALLER, "waiting", "waiting.wav", 105.0, 106.0), Tone(CALLER, "ringback", "ringback.wav", 109.0, 110.0),
        Tone(CALLEE, "notice", "notice.wav", 112.0, 113.0), Tone(CALLER, "notice", "notice.wav", 112.0, 113.0),
    )  # fmt: skip


def test_a_caller_who_hangs_up_in_a_tone_has_heard_it_until_then() -> None:
    bench = Bench()
    bench.ring(**TONED)
    bench.pass_time(4)
    bench.end("caller", "CANCEL")
    assert bench.closed.record.heard == (Tone(CALLER, "waiting", "waiting.wav", 100.0, 104.0),)


def test_a_refusal_has_the_name_of_its_file() -> None:
    bench = Bench()
    bench.dial()
    bench.route(refuse(Cause.NO_BINDING))
    bench.open_media()
    bench.pass_time(2)
    bench.played("refusal")
    assert bench.closed.record.heard == (Tone(CALLER, "refusal", "none.wav", 101.0, 102.0),)


def test_what_nobody_heard_is_not_told() -> None:
    tones = Tones()
    tones.begin(CALLEE, "notice", ("/tones/shop/hello.wav", "/tones/notice.wav"), 5.0)
    tones.begin(CALLER, "last minute", ("/tones/last.wav",), 5.0)
    tones.played(Played("s", CALLEE, "notice", False, error="unreadable"))
    tones.played(Played("s", CALLER, "keys", True, 5.0, 6.0))
    tones.begin(CALLER, "waiting", ("late.wav",), 9.0)
    assert tones.until(7.0) == (Tone(CALLER, "last minute", "last.wav", 5.0, 7.0),)


def test_a_tone_that_replaces_another_of_its_name_is_a_tone_of_its_own() -> None:
    tones = Tones()
    tones.begin(CALLER, "prompt", ("enter.wav",), 1.0)
    tones.begin(CALLER, "prompt", ("wrong.wav",), 4.0)
    tones.played(Played("s", CALLER, "prompt", False, 1.1, 4.0))
    tones.played(Played("s", CALLER, "prompt", True, 4.1, 9.0))
    assert tones.until(8.5) == (
        Tone(CALLER, "prompt", "enter.wav", 1.1, 4.0), Tone(CALLER, "prompt", "wrong.wav", 4.1, 8.5)
    )  # fmt: skip
