"""What crosses, gets lost or dies: CANCEL against 200, BYE against BYE, lost messages, workers that end, a node that
drains. The outcome may be either of two; what ``World.finish`` checks must hold for both."""

from __future__ import annotations

from collections import Counter
from functools import partial

import pytest

from gateway.calls.outputs import Unacknowledged
from gateway.causes import Cause
from gateway.lab.network import Link
from gateway.lab.phone import Phase, Phone
from gateway.lab.script import Script
from media import control
from tests.sim.world import CALLEE, CALLER, GATEWAY, RECORDED, World, pair

BAD = Link(delay=0.03, jitter=0.02, loss=0.1, duplicate=0.1)
AWFUL = Link(delay=0.03, jitter=0.02, loss=0.3)
TALK = Script(tone_hz=700)
ANSWER = Script(tone_hz=1300, hang_up_after=2.0)


def call(a: Script = TALK, b: Script = ANSWER, world: World | None = None) -> World:
    """A dials X."""
    world = world or World(pair(policy=RECORDED))
    caller = world.phone(CALLER, a)
    world.phone(CALLEE, b)
    world.dial(caller)
    return world


def sent(phone: Phone, title: str) -> int:
    """How many messages with that title left the phone."""
    return sum(trace.sent and trace.title == title for trace in phone.traces)


def got(phone: Phone, title: str) -> int:
    """How many came to it."""
    return sum(not trace.sent and trace.title == title for trace in phone.traces)


# --- CANCEL against everything ----------------------------------------------------------------------------------------


def test_a_caller_gives_up_at_every_moment() -> None:
    """From before the look-up's answer to after the 200, in steps of 3 ms around each turn of the call."""
    causes = Counter[Cause | None]()
    moments = [step * 0.003 for step in range(20)] + [0.2 + step * 0.003 for step in range(20)]
    moments += [1.0 + step * 0.003 for step in range(30)]
    for seed, moment in enumerate(moments):
        world = World(seed=seed)
        world.lookup.seconds = 0.05
        call(Script(tone_hz=700, give_up_after=moment), Script(tone_hz=1300), world)
        world.run(3.0)
        for phone in world.phones:
            world.do(phone, phone.hang_up(world.now))
        world.finish()
        causes[world.record.cause] += 1
    assert set(causes) == {
        Cause.CALLER_GAVE_UP_BEFORE_FORWARD,
        Cause.CALLER_GAVE_UP_BEFORE_RINGING,
        Cause.CALLER_GAVE_UP_RINGING,
        Cause.NORMAL,
    }


def test_a_200_that_crosses_our_cancel_is_acknowledged_and_ended() -> None:
    """RFC 3261 §9.1, §15: the callee answers while our CANCEL is under way."""
    world = call(Script(give_up_after=1.01), Script(tone_hz=1300, answer_after=1.0))
    world.finish()
    callee = world.phones[1]
    assert world.record.cause is Cause.CALLER_GAVE_UP_RINGING
    assert sent(callee, "200 OK") >= 2
    assert got(callee, "ACK") == 1
    assert got(callee, "BYE") == 1
    assert world.phones[0].status == 487


def test_a_refusal_that_crosses_our_cancel() -> None:
    world = call(Script(give_up_after=1.01), Script(refuse=486, refuse_after=1.0)).finish()
    assert world.record.cause is Cause.CALLER_GAVE_UP_RINGING
    assert world.phones[0].status == 487


# --- BYE and re-INVITE against each other -----------------------------------------------------------------------------


@pytest.mark.parametrize("step", range(-6, 7))
def test_a_hold_that_crosses_the_end(step: int) -> None:
    a = Script(tone_hz=700, hold_at=2.0 + step * 0.005, resume_at=2.02 + step * 0.005)
    world = call(a, Script(tone_hz=1300, hang_up_after=2.0)).finish()
    assert world.record.cause is Cause.NORMAL
    assert world.record.talk_seconds == pytest.approx(2.0, abs=0.1)


def test_an_offer_on_top_of_an_offer_is_refused() -> None:
    """RFC 3261 §14.2: a second re-INVITE before the first is done; here from the same side, as a bad phone does."""
    world = call(TALK, Script(tone_hz=1300, hang_up_after=3.0))
    caller = world.phones[0]
    world.until(lambda: caller.answered_at is not None)
    world.run(0.5)
    world.do(caller, caller._reoffer("hold", world.now))
    world.do(caller, caller._reoffer("hold", world.now))
    world.finish()
    assert world.record.cause is Cause.NORMAL
    assert world.record.talk_seconds == pytest.approx(3.0, abs=0.1)


# --- lost messages ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ACK", "INVITE", "200", "BYE", "180"])
@pytest.mark.parametrize("side", ["caller", "callee"])
@pytest.mark.parametrize("times", [1, 3])
def test_lost_messages_are_made_good(kind: str, side: str, times: int) -> None:
    loses = ((kind, times),)
    a = Script(tone_hz=700, loses=loses if side == "caller" else ())
    b = Script(tone_hz=1300, hang_up_after=8.0, loses=loses if side == "callee" else ())
    world = call(a, b).finish()
    assert world.record.cause is Cause.NORMAL
    assert world.record.talk_seconds > 3.0


def test_an_ack_that_never_comes_ends_the_call() -> None:
    """RFC 3261 §13.3.1.4: 64*T1 after the 200 without an ACK, BYE."""
    world = call(Script(tone_hz=700, loses=(("ACK", 99),)), Script(tone_hz=1300)).finish()
    assert world.record.talk_seconds == pytest.approx(32.0, abs=0.5)
    assert world.phones[0].phase is Phase.OVER
    assert got(world.phones[0], "200 OK") >= 7
    assert got(world.phones[1], "BYE") == 1
    (told,) = world.of(Unacknowledged)
    assert (told.side, told.contact) == (control.CALLER, f"<sip:{GATEWAY.host}:{GATEWAY.port}>")


def test_a_bye_that_never_comes_ends_by_silence() -> None:
    world = call(TALK, Script(tone_hz=1300, hang_up_after=2.0, loses=(("BYE", 99),))).finish()
    assert world.record.cause is Cause.NORMAL
    assert world.record.talk_seconds == pytest.approx(32.0, abs=1.0)
    assert got(world.phones[0], "BYE") == 1


@pytest.mark.parametrize("seed", range(25))
def test_thirty_percent_loss(seed: int) -> None:
    world = World(pair(policy=RECORDED), seed=seed, link=AWFUL)
    call(TALK, Script(tone_hz=1300, hang_up_after=4.0), world).finish()
    assert world.record.cause is not None


@pytest.mark.parametrize("seed", range(10))
def test_a_call_over_a_bad_network_succeeds(seed: int) -> None:
    world = World(pair(policy=RECORDED), seed=seed, link=BAD)
    call(TALK, Script(tone_hz=1300, hang_up_after=4.0), world).finish()
    assert world.record.cause is Cause.NORMAL
    assert world.record.answered is not None


@pytest.mark.parametrize("seed", range(10))
def test_giving_up_over_a_bad_network(seed: int) -> None:
    world = World(seed=seed, link=AWFUL)
    call(Script(give_up_after=0.2 * seed), Script(tone_hz=1300, answer_after=1.0, hang_up_after=2.0), world).finish()


# --- what dies --------------------------------------------------------------------------------------------------------


def test_a_worker_that_ends_at_every_moment() -> None:
    causes = Counter[Cause | None]()
    for step in range(60):
        world = World(pair(policy=RECORDED), seed=step, workers=2)
        call(TALK, Script(tone_hz=1300, hang_up_after=2.0), world)
        world.run(step * 0.004 if step < 20 else step * 0.06)
        for worker in (0, 1) if step % 2 else (0,):
            world.kill_worker(worker)
            world.after(0.5, partial(world.start_worker, worker))
        world.finish()
        causes[world.record.cause] += 1
        again = world.phone(CALLER, TALK)
        world.phone(CALLEE, Script(tone_hz=1300, hang_up_after=1.0))
        world.dial(again)
        world.finish()
        assert world.records[-1].cause is Cause.NORMAL, "the next call finds a worker"
    assert causes == {Cause.NORMAL: 58, Cause.OUT_OF_PORTS: 2}, "two come when there is no worker at all"


def test_no_worker_at_all() -> None:
    world = call(world=World(workers=0)).finish()
    assert world.record.cause is Cause.OUT_OF_PORTS
    assert world.phones[0].status == 503


def test_all_ports_taken() -> None:
    world = World()
    for _ in range(9):
        call(TALK, Script(tone_hz=1300, hang_up_after=3.0), world)
    world.finish()
    causes = Counter(record.cause for record in world.records)
    assert causes == {Cause.NORMAL: 8, Cause.OUT_OF_PORTS: 1}


def test_a_node_that_drains_ends_what_stands_and_takes_nothing_new() -> None:
    world = call(TALK, Script(tone_hz=1300, hang_up_after=5.0))
    world.run(2.0)
    world.take(world.exchange.drain(world.now))
    late = world.phone(CALLER, TALK)
    world.dial(late)
    world.finish()
    assert late.status == 503
    assert world.record.cause is Cause.NORMAL
    assert world.record.talk_seconds == pytest.approx(5.0, abs=0.1)


@pytest.mark.parametrize("moment", [0.012, 0.03, 0.5, 1.03, 2.0])
def test_a_node_that_must_stop_ends_every_call(moment: float) -> None:
    world = call(TALK, Script(tone_hz=1300))
    world.run(moment)
    world.take(world.exchange.hang_up_all(world.now))
    world.finish()
    assert len(world.records) == 1


@pytest.mark.parametrize("seed", range(4))
def test_many_calls_at_once(seed: int) -> None:
    """Calls of all kinds side by side, on a bad network, with a worker that ends among them."""
    world = World(pair(policy=RECORDED), seed=seed, link=BAD, workers=3)
    # Whom a caller gets depends on which INVITE arrives first, so every caller hangs up in the end.
    patient = Script(tone_hz=700, hang_up_after=5.0)
    parts = [
        (patient, Script(tone_hz=1300, hang_up_after=4.0)),
        (patient, Script(refuse=486)),
        (Script(give_up_after=1.0, hang_up_after=1.0), Script(answer_after=None)),
        (Script(tone_hz=700, hang_up_after=3.0, hold_at=1.0, resume_at=2.0), Script(tone_hz=1300)),
        (patient, Script(ringing=183, early_hz=450, tone_hz=1300, hang_up_after=2.0)),
    ]

    def begin(a: Script, b: Script) -> None:
        call(a, b, world)

    for index in range(15):
        world.after(0.1 * index, partial(begin, *parts[index % 5]))
    world.after(2.0, lambda: world.kill_worker(1))
    world.run(3.0)
    world.start_worker(1)
    world.finish()
    assert len(world.records) == 15
