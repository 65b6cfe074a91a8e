"""The causes that no other scenario brings about; docs/causes.md says which test causes which."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gateway.bindings.models import Binding, Mode, NumberStatus
from gateway.causes import Cause
from gateway.lab.script import Script
from tests.sim.world import CALLEE, CALLER, START, A, B, World, X, application

AX_OF_AXYB = Binding(id="ax", application="demo", mode=Mode.AXYB, x=X, a=A, created_at=START)
EXTENSION = Binding(id="e", application="demo", mode=Mode.AXE, x=X, a=A, extension="1234", created_at=START)


def dial(world: World, callee: Script | None = None, **how: object) -> World:
    caller = world.phone(CALLER, Script(tone_hz=700))
    if callee is not None:
        world.phone(CALLEE, callee)
    world.dial(caller, **how)
    world.finish()
    return world


@pytest.mark.parametrize(
    ("status", "cause"),
    [(NumberStatus.SUSPENDED, Cause.NUMBER_SUSPENDED), (NumberStatus.UNAVAILABLE, Cause.NUMBER_SUSPENDED)],
)
def test_a_number_that_takes_no_calls(status: NumberStatus, cause: Cause) -> None:
    world = World()
    world.lookup.number = {"status": status}
    assert dial(world).record.cause is cause


def test_a_number_without_an_application() -> None:
    world = World()
    world.lookup.ownerless = True
    dial(world)
    (answer,) = [trace for trace in world.phones[0].traces if trace.title.startswith("404")][:1]
    assert not answer.sent
    assert world.record.cause is Cause.NO_APPLICATION


def test_no_y_is_to_be_had_for_a_new_b() -> None:
    world = World(AX_OF_AXYB, owner=application(mode=Mode.AXYB))
    world.lookup.no_y = True
    assert dial(world, caller=B).record.cause is Cause.RELATION_NOT_MADE


def test_a_callee_who_can_not_be_reached() -> None:
    assert dial(World(), Script(ring_after=None, refuse=480)).record.cause is Cause.UNREACHABLE


def test_a_prompt_that_can_not_be_played(tmp_path: Path) -> None:
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF")
    world = World(EXTENSION, owner=replace(application(mode=Mode.AXE), tones={"enter_extension": "broken.wav"}))
    world.own_tones["broken.wav"] = str(broken)
    assert dial(world, caller=B).record.cause is Cause.COLLECT_FAILED
