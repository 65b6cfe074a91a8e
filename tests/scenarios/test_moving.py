"""A media worker dies in a call: the call goes on at another one. Whole calls in virtual time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise

import pytest

from gateway.bindings.models import Binding, CallPolicy, Mode
from gateway.calls.outputs import CallMoved, MediaCommand
from gateway.causes import Cause
from gateway.lab.analysis import dominant, seconds_of
from gateway.lab.checks import heard_between
from gateway.lab.network import Link
from gateway.lab.phone import Phone
from gateway.lab.rtp import check_stream, streams_of
from gateway.lab.script import Script
from gateway.scenarios.stage import BEGIN
from media import control
from tests.sim.world import CALLEE, CALLER, RECORDED, START, TRUNK, A, B, World, X, application, pair

SEEN = 0.8
"""What it takes to see that a worker hangs."""
RESTART = 0.5
SILENCE = 2.0
CALL = Script(tone_hz=700)
ANSWER = Script(tone_hz=1300, hang_up_after=8.0)
ALL = ["CallIn", "CallOut", "Alerting", "Answered", "Disconnected"]


def call(a: Script = CALL, b: Script = ANSWER, world: World | None = None) -> tuple[World, Phone, Phone]:
    world = world or World(pair(), workers=2)
    caller, callee = world.phone(CALLER, a), world.phone(CALLEE, b)
    world.dial(caller)
    return world, caller, callee


def kill(world: World, at: float, worker: int = 0, *, restart: float | None = RESTART) -> None:
    """A worker dies ``at`` seconds from now, and its successor is up ``restart`` later."""
    world.after(at, partial(world.kill_worker, worker))
    if restart is not None:
        world.after(at + restart, partial(world.start_worker, worker))


def reinvites(phone: Phone, *, to_it: bool = True) -> int:
    """re-INVITEs that came to a phone."""
    got = [trace for trace in phone.traces if trace.title == "INVITE" and trace.sent is not to_it]
    return sum(b";tag=" in trace.data.partition(b"\r\nTo:")[2].partition(b"\r\n")[0] for trace in got)


def silence(phone: Phone) -> float:
    """The longest time in which nothing came to a phone that had heard something."""
    times = [arrival.at for arrival in phone.arrivals]
    return max(after - before for before, after in pairwise(times))


def hears(phone: Phone, start: float, end: float | None) -> int | None:
    assert phone.answered_at is not None
    return dominant(heard_between(phone, phone.answered_at + start, None if end is None else phone.answered_at + end))


def clean(phone: Phone, streams: int) -> None:
    """Streams without a fault or a loss, one for each worker."""
    found = streams_of(phone.arrivals)
    assert len(found) == streams
    for one in found:
        report = check_stream(one)
        assert (report.faults, report.lost) == ((), 0)


def both_hear(phones: Sequence[Phone], start: float, end: float | None = None) -> None:
    assert [hears(phone, start, end) for phone in phones] == [1300, 700]


def test_a_call_goes_on_at_another_worker_and_the_others_notice_nothing() -> None:
    world, *phones = call(world=World(pair(policy=replace(RECORDED, notice="")), workers=2))
    other = call(world=world)[1:]
    world.run(4.0)
    for phone in (*phones, *other):
        assert phone.answered_at is not None
    kill(world, 0.0)
    before = len(world.commands)
    world.run(0.5)
    told = world.commands[before:]
    assert {command.worker for command in told} == {1}
    (session,) = {command.command.session for command in told if hasattr(command.command, "session")}
    world.finish()
    assert [record.cause for record in world.records] == [Cause.NORMAL] * 2
    moved = next(record for record in world.records if record.session == session)
    stayed = next(record for record in world.records if record.session != session)
    assert stayed.moved == ()
    ((since, until),) = moved.moved
    assert since == pytest.approx(104.0, abs=0.01)
    assert until - since < 0.5
    assert [one.result for one in world.of(CallMoved)] == ["moved"]
    assert world.kinds.count("Disconnected") == 2
    for phone in phones:
        assert reinvites(phone) == 1
        assert silence(phone) < 0.3
        clean(phone, 2)
    for phone in other:
        assert reinvites(phone) == 0
        assert silence(phone) < 0.05
        clean(phone, 1)
    both_hear(phones, 1.0, 2.5)
    both_hear(phones, 4.0)
    assert [command for command in told if isinstance(command.command, control.Record)] == [
        MediaCommand(1, control.Record(session, f"/spool/{moved.recording}.spool.1", b"", moved.record_started or 0.0))
    ]
    paths = [tape.path for tape in world.tapes]
    assert paths.count(f"/spool/{moved.recording}.spool") == 1
    assert moved.recorded


@pytest.mark.parametrize("seed", range(3))
def test_over_a_bad_network(seed: int) -> None:
    world, *phones = call(world=World(pair(), workers=2, seed=seed, link=Link(0.03, 0.02, 0.04, 0.05)))
    kill(world, 4.0)
    world.finish()
    assert world.record.cause is Cause.NORMAL
    both_hear(phones, 6.0)
    assert all(silence(phone) < SILENCE for phone in phones)


def test_the_only_worker_is_waited_for_and_its_ports_stay() -> None:
    world, *phones = call(world=World(pair(), workers=1))
    kill(world, 4.0)
    world.finish()
    assert world.record.cause is Cause.NORMAL
    assert [reinvites(phone) for phone in phones] == [0, 0]
    assert all(RESTART < silence(phone) < RESTART + 0.1 for phone in phones)
    both_hear(phones, 4.0)
    assert world.of(CallMoved) == [CallMoved(world.record.session, "moved", pytest.approx(RESTART, abs=0.01))]


def test_a_worker_that_never_comes_back_ends_the_call_and_it_counts() -> None:
    world, *_ = call(b=replace(ANSWER, hang_up_after=20.0), world=World(pair(policy=RECORDED), workers=1))
    kill(world, 6.0, restart=None)
    world.finish()
    record = world.record
    assert (record.cause, record.recorded) == (Cause.NORMAL, True)
    assert record.talk_seconds == pytest.approx(10.0, abs=1.1)
    assert world.of(CallMoved)[0].result == "ended"
    assert world.kinds == ALL


@pytest.mark.parametrize(("at", "workers"), [(0.3, 1), (0.7, 2), (1.0, 1), (1.03, 2)])
def test_a_call_that_rings_keeps_its_place(at: float, workers: int) -> None:
    """Before the answer the port that was told stays; the tone that plays goes on."""
    world = World(pair(policy=CallPolicy(tone_for_a="waiting.wav")), workers=workers)
    world, *phones = call(world=world)
    kill(world, at)
    world.finish()
    assert world.record.cause is Cause.NORMAL
    assert world.kinds == ALL
    assert [reinvites(phone) for phone in phones] == [0, 0]
    both_hear(phones, 2.0)


def test_early_media_of_the_network_goes_on() -> None:
    ringing = Script(ringing=183, early_hz=450, tone_hz=1300, answer_after=6.0, hang_up_after=3.0)
    world, caller, callee = call(b=ringing)
    kill(world, 2.0)
    world.finish()
    assert caller.answered_at is not None
    late = heard_between(caller, caller.answered_at - 2.5, caller.answered_at)
    assert seconds_of(late, 450) == pytest.approx(2.5, abs=0.2)
    both_hear((caller, callee), 1.0)


@pytest.mark.parametrize(("first", "workers"), [(False, 1), (True, 2)])
def test_a_notice_that_was_cut_off_is_heard_from_its_start_to_its_end(first: bool, workers: int) -> None:
    world = World(pair(policy=RECORDED), workers=workers, notice_first=first)
    world, *phones = call(world=world)
    kill(world, 2.0)
    world.finish()
    record = world.record
    assert record.cause is Cause.NORMAL
    assert record.answered is not None
    ((_, back),) = record.moved
    for span, phone in zip(record.notice, phones, strict=True):
        assert span is not None
        assert span[0] == pytest.approx(back, abs=0.1), "anew at the other worker"
        assert phone.answered_at is not None
        assert seconds_of(heard_between(phone, span[0], span[1] + 0.1), 950) >= 0.4, "its beep"
        heard_before = heard_between(phone, phone.answered_at, span[1])
        assert seconds_of(heard_before, 700) + seconds_of(heard_before, 1300) == 0, "nobody is heard before its end"
    both_hear(phones, 6.0)
    if first:
        (tape,) = [tape for tape in world.tapes if tape.packets]
        assert tape.packets[0][1] >= max(span[1] for span in record.notice if span)


def test_a_held_leg_stays_held() -> None:
    world, caller, callee = call(replace(CALL, hold_at=1.0, resume_at=5.0))
    kill(world, 4.0)
    world.run(5.8)
    assert caller.answered_at is not None
    heard = [arrival for arrival in caller.arrivals if caller.answered_at + 1.3 < arrival.at < caller.answered_at + 4.8]
    assert heard == [], "he holds, through the move too"
    world.finish()
    assert reinvites(caller) == 1
    both_hear((caller, callee), 5.5)


@pytest.mark.parametrize("shift", [-0.03, -0.001, 0.02])
@pytest.mark.parametrize("side", ["caller", "callee"])
def test_offers_that_cross(side: str, shift: float) -> None:
    """A party puts us on hold, and moves, in the same moment."""
    scripts = {"caller": CALL, "callee": ANSWER}
    scripts[side] = replace(scripts[side], hold_at=3.0, resume_at=5.5)
    world, *phones = call(*scripts.values())
    world.until(lambda: all(phone.answered_at is not None for phone in phones))
    begun = max(phone.answered_at or 0.0 for phone in phones)
    kill(world, begun + 3.0 + shift - world.now)
    world.finish()
    assert world.record.cause is Cause.NORMAL
    assert [one.result for one in world.of(CallMoved)] == ["moved"]
    assert hears(phones[0], 4.8, 5.2) is None or side == "callee"
    both_hear(phones, 6.8)


def test_a_worker_that_dies_before_the_ack_moves_when_it_has_come() -> None:
    world, *phones = call(replace(CALL, loses=(("ACK", 3),)))
    world.until(lambda: phones[0].answered_at is not None)
    kill(world, 0.1)
    world.finish()
    assert world.record.cause is Cause.NORMAL
    assert reinvites(phones[0]) == 1
    both_hear(phones, 5.0)


def test_the_next_worker_dies_too() -> None:
    world, *phones = call(world=World(pair(policy=replace(RECORDED, notice="")), workers=3))
    world.run(3.0)
    for worker, at in ((0, 0.0), (1, 0.002), (2, 1.0), (0, 2.0)):
        kill(world, at, worker)
    world.finish()
    assert world.record.cause is Cause.NORMAL
    both_hear(phones, 6.0)
    assert len(world.record.moved) == 3, "one died while the call was on its way to it"
    assert all(silence(phone) < SILENCE for phone in phones)
    assert len({tape.path for tape in world.tapes}) == len(world.tapes)


def test_all_workers_die_at_once() -> None:
    world, *phones = call(world=World(pair(), workers=2))
    for worker in (0, 1):
        kill(world, 4.0, worker)
    world.finish()
    both_hear(phones, 5.0)


def test_digits_of_an_extension_are_still_collected() -> None:
    binding = Binding(
        id="axe", application="demo", mode=Mode.AXE, x=X, a=A, extension="1234", created_at=START, policy=RECORDED
    )
    world = World(binding, owner=application(mode=Mode.AXE), workers=2)
    caller = world.phone(CALLER, Script(tone_hz=700, digits="1234", early_digits_at=3.0, press="tone"))
    callee = world.phone(CALLEE, Script(tone_hz=1300, hang_up_after=4.0))
    world.dial(caller, caller=B)
    kill(world, 1.0)
    world.finish()
    assert (world.record.cause, world.record.extension) == (Cause.NORMAL, "1234")
    assert seconds_of(heard_between(caller, BEGIN + 1.5, BEGIN + 3.0), 1100) > 0, "the prompt begins anew"
    assert hears(callee, 3.0, None) == 700


@pytest.mark.parametrize("policy", ["optional", "required"])
def test_srtp_goes_on(policy: str) -> None:
    scripts = [replace(one, srtp=policy) for one in (CALL, ANSWER)]
    world, *phones = call(*scripts, World(pair(), workers=2, trunk=replace(TRUNK, srtp=policy)))
    kill(world, 4.0)
    world.finish()
    both_hear(phones, 5.0)
    for phone in phones:
        assert phone.sealing is not None
        assert phone.sealing.failed == 0
        numbers = [stream[0].data[8:12] for stream in streams_of(phone.arrivals)]
        assert [number[3] & 0x0F for number in numbers] == [0, 1], "no worker's SSRC is another's"


def test_the_last_minute_and_the_limit_come_in_their_time() -> None:
    world = World(
        pair(policy=CallPolicy(last_minute="last_minute.wav", max_minutes=1)), workers=2, longest=8.0, last_minute=4.0
    )
    world, caller, _ = call(b=Script(tone_hz=1300), world=world)
    kill(world, 3.0)
    world.finish()
    assert world.record.cause is Cause.MAX_DURATION
    assert world.record.talk_seconds == pytest.approx(8.0, abs=0.01)
    assert hears(caller, 3.0, 3.9) == 1300
    assert hears(caller, 4.1, 4.5) not in (None, 1300), "the tone"


def test_a_party_that_falls_silent_is_still_noticed() -> None:
    world, *_ = call(Script(mute=True), Script(tone_hz=1300), World(pair(), workers=2, media_timeout=10.0))
    kill(world, 4.0)
    world.finish()
    assert world.record.cause is Cause.NORMAL
    assert world.record.talk_seconds == pytest.approx(13.0, abs=1.5)


@pytest.mark.parametrize("status", [488, 500])
@pytest.mark.parametrize("side", ["caller", "callee", "both"])
def test_a_party_that_refuses_to_move_is_heard_again_where_it_was(side: str, status: int) -> None:
    """The successor of the dead worker takes its ports; the other party, which may have moved, is asked back."""
    a, b = (replace(one, refuse_reinvite=status if side in (who, "both") else 0)
            for one, who in ((CALL, "caller"), (ANSWER, "callee")))  # fmt: skip
    world, *phones = call(a, b, World(pair(policy=replace(RECORDED, notice="")), workers=2))
    kill(world, 4.0)
    world.finish()
    assert world.record.cause is Cause.NORMAL
    assert world.kinds == ALL
    assert [one.result for one in world.of(CallMoved)] == ["moved"]
    both_hear(phones, 5.5)
    for phone, who in zip(phones, ("caller", "callee"), strict=True):
        refuses = side in (who, "both")
        assert reinvites(phone) == (1 if refuses or side == "both" else 2)
        assert silence(phone) < SILENCE
        for stream in streams_of(phone.arrivals):
            assert check_stream(stream).faults == ()
    paths = [tape.path.rpartition(".spool")[2] for tape in world.tapes]
    assert paths == ["", ".1", ".2"], "one recording"


def test_a_party_that_refuses_to_move_is_lost_when_nobody_comes_back() -> None:
    world, *_ = call(b=replace(ANSWER, refuse_reinvite=488, hang_up_after=20.0))
    kill(world, 4.0, restart=None)
    world.finish()
    assert world.record.cause is Cause.NORMAL
    assert world.record.talk_seconds == pytest.approx(8.0, abs=1.1)
    assert [one.result for one in world.of(CallMoved)] == ["ended"]
