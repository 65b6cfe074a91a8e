"""Talk of today, by application: what is over, what stands, and what others have written down."""

from __future__ import annotations

from gateway.calls.talk_time import TalkTime


def test_standing_calls_count_as_they_go_on() -> None:
    talk = TalkTime()
    assert talk.seconds("app", "monday", 0.0) == 0.0
    talk.answered("app", 10.0)
    talk.answered("app", 20.0)
    assert talk.seconds("app", "monday", 30.0) == 30.0
    talk.ended("app", 10.0, 30.0)
    assert talk.seconds("app", "monday", 50.0) == 20.0 + 30.0
    talk.ended("app", 20.0, 50.0)
    assert talk.seconds("app", "monday", 1000.0) == 50.0
    assert talk.seconds("other", "monday", 1000.0) == 0.0
    assert (talk._standing, talk._answers) == ({}, {})


def test_a_new_day_begins_at_nothing() -> None:
    talk = TalkTime()
    talk.seconds("app", "monday", 0.0)
    talk.answered("app", 0.0)
    talk.ended("app", 0.0, 100.0)
    assert talk.seconds("app", "tuesday", 200.0) == 0.0


def test_what_is_written_down_is_the_truth() -> None:
    talk = TalkTime()
    talk.seconds("app", "monday", 0.0)
    talk.known("monday", {"app": 500.0})
    talk.answered("app", 0.0)
    talk.ended("app", 0.0, 60.0)
    assert talk.seconds("app", "monday", 60.0) == 560.0
    assert talk.watched == {"app"}
