"""What a strict peer sees of whole calls: one stream, whatever feeds it, without a gap, in packets of its own length.

The judge is gateway.lab.rtp.check_stream; World.finish lets it judge every phone of every scenario.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from gateway.bindings.models import CallPolicy
from gateway.lab.analysis import dominant
from gateway.lab.checks import heard_between
from gateway.lab.network import Link
from gateway.lab.phone import Phone
from gateway.lab.rtp import Packet, StreamReport, check_stream
from gateway.lab.script import Script
from gateway.sip.hop import Hop
from media import control
from media.telephone_event import DigitReader
from tests.sim.world import CALLEE, CALLER, RECORDED, TRUNK, World, pair

LONGEST = 0.16
"""No tone of ours, and no change, leaves a party without packets for longer than this."""


def call(a: Script, b: Script, world: World | None = None) -> tuple[World, Phone, Phone]:
    world = world or World()
    caller, callee = world.phone(CALLER, a), world.phone(CALLEE, b)
    world.dial(caller)
    return world.finish(), caller, callee


def judged(phone: Phone) -> StreamReport:
    report = check_stream(phone.arrivals, phone.events)
    assert report.faults == ()
    return report


@pytest.mark.parametrize(("a", "b"), list(product((10, 20, 30, 40, 60), repeat=2)))
def test_each_party_gets_packets_of_the_length_that_it_asked_for(a: int, b: int) -> None:
    _, caller, callee = call(Script(tone_hz=700, ptime=a), Script(tone_hz=1300, ptime=b, hang_up_after=3.0))
    assert judged(caller).lengths == (8 * a,)
    assert judged(callee).lengths == (8 * b,)
    for phone, hertz in ((caller, 1300), (callee, 700)):
        assert phone.answered_at is not None
        assert dominant(heard_between(phone, phone.answered_at + 0.2, None)) == hertz
        assert [seconds for _, seconds in judged(phone).gaps if seconds > LONGEST] == []


def test_from_tone_to_tone_there_is_no_gap_and_one_stream() -> None:
    """Waiting tone, ring-back, the network's own ring, notice, the other party, the last minute, the other party."""
    policy = CallPolicy(
        record=True, notice="notice.wav", tone_for_a="waiting.wav", last_minute="last_minute.wav", max_minutes=2
    )
    _, caller, callee = call(
        Script(tone_hz=700, ptime=30),
        Script(tone_hz=1300, ring_after=1.0, ringing=183, early_hz=450, answer_after=9.0),
        World(pair(policy=policy)),
    )
    report = judged(caller)
    assert [gap for gap in report.gaps if gap[1] > LONGEST] == []
    assert report.lost == 0
    assert [gap for gap in judged(callee).gaps if gap[1] > LONGEST] == []


def test_a_hold_is_the_only_gap() -> None:
    _, caller, callee = call(
        Script(tone_hz=700, hold_at=2.0, resume_at=5.0), Script(tone_hz=1300, hang_up_after=8.0, ptime=40)
    )
    gaps = [seconds for _, seconds in judged(caller).gaps if seconds > LONGEST]
    assert len(gaps) == 1
    assert gaps[0] == pytest.approx(3.0, abs=0.2)
    judged(callee)


@pytest.mark.parametrize("seed", range(6))
def test_a_bad_network_leaves_the_streams_strict(seed: int) -> None:
    world = World(seed=seed, link=Link(delay=0.02, jitter=0.06, loss=0.03, duplicate=0.02))
    _, caller, callee = call(
        Script(tone_hz=700, ptime=20, codecs=(8,), digits="159", digits_at=1.0),
        Script(tone_hz=1300, ptime=30, codecs=(0,), hang_up_after=5.0),
        world,
    )
    judged(caller)
    judged(callee)


def test_keys_by_info_reach_the_other_phone_as_events() -> None:
    _, caller, callee = call(
        Script(tone_hz=700, digits="19#", press="info"), Script(tone_hz=1300, hang_up_after=4.0, ptime=30)
    )
    judged(callee)
    reader, keys = DigitReader(), ""
    for arrival in callee.arrivals:
        packet = Packet.parse(arrival.data)
        if packet is not None and packet.payload_type == callee.events:
            keys += reader.receive(packet.timestamp, packet.payload)
    assert keys == "19#"
    judged(caller)


def test_the_record_says_how_well_each_leg_was_heard() -> None:
    def link(source: Hop, target: Hop) -> Link | None:
        rtp = target.port != 5060
        return Link(delay=0.03, jitter=0.04, loss=0.1) if rtp and source.host == CALLEE.host else None

    world, _, _ = call(
        Script(tone_hz=700), Script(tone_hz=1300, hang_up_after=16.0), World(pair(policy=RECORDED), link_of=link)
    )
    quality = world.record.quality
    assert quality is not None
    assert quality["caller"]["mos"] > 4.3
    assert quality["callee"]["mos"] < 3.6
    assert len(quality["callee"]["series"]) in (3, 4)
    assert quality["callee"]["lost"] / quality["callee"]["packets"] == pytest.approx(0.11, abs=0.04)


def test_a_leg_that_is_never_heard_is_told_of_once() -> None:
    world, _, _ = call(Script(tone_hz=700), Script(mute=True, hang_up_after=8.0))
    assert [(one.leg, one.port) for one in world.unheard] == [(control.CALLEE, 4020)]


@pytest.mark.parametrize(
    ("policy", "a", "b"),
    [("required", "required", "required"), ("optional", "optional", "off"), ("optional", "off", "required")],
)
def test_srtp_through_hold_and_a_new_address(policy: str, a: str, b: str) -> None:
    world, caller, callee = call(
        Script(tone_hz=700, srtp=a, hold_at=1.0, resume_at=2.0, move_at=3.0),
        Script(tone_hz=1300, srtp=b, hang_up_after=5.0),
        World(pair(policy=RECORDED), trunk=replace(TRUNK, srtp=policy)),
    )
    for phone, hertz, sealed in ((caller, 1300, a), (callee, 700, b)):
        judged(phone)
        assert (phone.sealing is not None) == (sealed != "off")
        if phone.sealing is not None:
            assert phone.sealing.failed == 0
        assert phone.answered_at is not None
        assert dominant(heard_between(phone, phone.answered_at + 4.0, None)) == hertz
    (tape,) = world.tapes
    assert {packet[1] & 0x7F for _, _, packet in tape.packets} == {8}, "recorded in clear"


def test_a_trunk_that_requires_srtp_takes_no_plain_call() -> None:
    world = World(trunk=replace(TRUNK, srtp="required"))
    caller = world.phone(CALLER, Script())
    world.phone(CALLEE, Script())
    world.dial(caller)
    world.finish()
    assert caller.status == 488
