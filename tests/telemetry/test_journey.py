"""What a call did, step by step: whole calls in virtual time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from gateway.calls.outputs import CallClosed
from gateway.causes import Cause
from gateway.lab.script import Script
from gateway.telemetry.journey import Journey, Journeys, Step
from media.control import Report
from tests.sim.world import CALLEE, CALLER, LOOKUP, RECORDED, A, B, C, World, X, pair


class Followed(World):
    """A world whose calls are followed."""

    def __init__(self, *bindings: Any, **settings: Any) -> None:
        self.told: list[Journey] = []
        self.journeys = Journeys(self.told.append, lambda: self.now, lambda now: now)
        super().__init__(*bindings, **settings)

    def take(self, outputs: Sequence[object]) -> None:
        self.journeys.see(outputs)
        super().take(outputs)

    def send_report(self, worker: int, report: Report) -> None:
        self.after(0.0, lambda: self.journeys.heard(report))
        super().send_report(worker, report)

    def steps(self) -> dict[str, Step]:
        """Those of the only call."""
        (journey,) = self.told
        assert len(self.journeys) == 0
        return {f"{step.name} {step.said.get('leg', '')}".strip(): step for step in journey.steps}


def test_an_answered_call_from_the_look_up_to_the_recording() -> None:
    world = Followed(pair(policy=RECORDED))
    caller = world.phone(CALLER, Script(tone_hz=700))
    world.phone(CALLEE, Script(tone_hz=1300, ring_after=0.5, answer_after=3.0, hang_up_after=6.0))
    world.dial(caller)
    world.finish()
    record, steps = world.record, world.steps()
    assert next(iter(steps)) == "call"
    assert (steps["call"].begin, steps["call"].end) == (record.started, record.ended)
    assert steps["call"].said["talk_seconds"] == round(record.talk_seconds, 3)
    assert steps["call"].said["x"] == str(X)
    assert steps["call"].failed == ""
    assert steps["look-up"].end - steps["look-up"].begin == pytest.approx(LOOKUP)
    assert (steps["caller"].begin, steps["caller"].end) == (record.started, record.answered)
    assert (steps["callee"].begin, steps["callee"].end) == (record.forwarded, record.answered)
    assert steps["callee"].said["trunk"] == "carrier"
    assert steps["callee"].said["rang_after"] == pytest.approx(0.5, abs=0.1)
    assert (steps["talk"].begin, steps["talk"].end) == (record.answered, record.ended)
    assert steps["recording"].said["kept"] is True
    for leg in (0, 1):
        notice = steps[f"tone notice {('caller', 'callee')[leg]}"]
        assert (notice.begin, notice.end) == record.notice[leg]
        assert notice.said["completed"] is True
    assert all(step.begin <= step.end for step in steps.values())


def test_a_refused_call_says_why_and_has_no_talk() -> None:
    world = Followed()
    world.dial(world.phone(CALLER, Script()), caller=C)
    world.finish()
    steps = world.steps()
    assert world.record.cause is not None
    assert steps["call"].failed == world.record.cause.text
    assert steps["call"].said["cause"] == Cause.NO_BINDING
    assert not {"callee", "talk", "recording"} & set(steps)
    assert steps["caller"].failed == steps["call"].failed


def test_a_slow_look_up_is_seen_where_the_caller_has_hung_up_meanwhile() -> None:
    world = Followed()
    world.lookup.seconds = 5.0
    world.dial(world.phone(CALLER, Script(give_up_after=1.0)))
    world.finish()
    steps = world.steps()
    assert steps["look-up"].end - steps["look-up"].begin == pytest.approx(5.0)
    assert steps["caller"].failed


def test_no_number_of_anybody_is_in_it() -> None:
    world = Followed(pair(policy=RECORDED))
    caller = world.phone(CALLER, Script(tone_hz=700))
    world.phone(CALLEE, Script(tone_hz=1300, hang_up_after=4.0))
    world.dial(caller)
    world.finish()
    text = msgspec.json.encode(world.told[0]).decode()
    for number in (A, B, X):
        assert number.e164[-11:] not in text


def test_a_call_that_was_not_seen_from_its_beginning_is_left_out() -> None:
    world = World()
    world.dial(world.phone(CALLER, Script()), caller=C)
    world.finish()
    told: list[Journey] = []
    Journeys(told.append, lambda: 0.0, lambda now: now).see(world.of(CallClosed))
    assert told == []
