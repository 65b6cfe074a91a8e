"""Two legs against each other: the short way of a packet does what the long way does, and a stream stays one stream."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import pairwise

import pytest

from media.control import CALLEE, CALLER, Connect
from media.g711 import ALAW_TO_ULAW
from media.player import Player
from media.rtp import HEADER, signed16
from media.sender import Sender
from media.session import COMFORT_NOISE, Leg, pair

SOUND = bytes(range(160))


def legs(*, a_codec: int = 8, b_codec: int = 8, b_events: int | None = 96, events_in: int | None = None) -> list[Leg]:
    both = [Leg("s", side, 20000 + 2 * side, Sender(100 + side, 65530, 0xFFFFFF00)) for side in (CALLER, CALLEE)]
    pair(both[0], both[1])
    for leg, codec, events in zip(both, (a_codec, b_codec), (101, b_events), strict=True):
        told = Connect(session="s", leg=leg.side, host="192.0.2.1", port=4000, codec=codec, events=events)
        leg.connect(told if leg.side else Connect(**{**_fields(told), "events_in": events_in}), 0.0)
        leg.hear(True)
    return both


def _fields(told: Connect) -> dict[str, object]:
    return {name: getattr(told, name) for name in told.__struct_fields__}


def rtp(seq: int, stamp: int, payload: bytes = SOUND, kind: int = 8, ssrc: int = 7, first: int = 0x80) -> bytes:
    return HEADER.pack(first, kind, seq & 0xFFFF, stamp & 0xFFFFFFFF, ssrc) + payload


def stream(seed: int) -> Iterator[tuple[float, bytes]]:
    """A party's packets over a bad link: lost, doubled, late, paused, renumbered, with digits and wraps among them."""
    chance = random.Random(seed)
    seq, stamp, ssrc, now = chance.randrange(65000, 65536), 2**32 - 160 * 300, 7, 1.0
    waiting: list[tuple[float, bytes]] = []
    for _ in range(1500):
        now += 0.02
        seq, stamp = seq + 1, stamp + 160
        dice = chance.random()
        if dice < 0.003:
            seq, stamp, ssrc = chance.randrange(2**16), chance.randrange(2**32), chance.randrange(2**32)
        elif dice < 0.01:
            stamp += 8000 * chance.choice((1, 3, -40))
        elif dice < 0.02:
            pause = chance.choice((0.5, 4.0))
            now += pause
            stamp += round(8000 * pause)
        kind = chance.choices((8, 8 | 0x80, 0, 101, COMFORT_NOISE, 77), (300, 3, 3, 9, 3, 1))[0]
        payload = bytes((5, 0x8A, 0, 160)) if kind == 101 else SOUND
        late = chance.choice((0.0, 0.0, 0.0, 0.05))
        if chance.random() > 0.03:
            waiting.append((now + late, rtp(seq, stamp, payload, kind, ssrc)))
        if chance.random() < 0.01 and waiting:
            waiting.append((now + 0.01, waiting[-1][1]))
    yield from sorted(waiting, key=lambda row: row[0])


@pytest.mark.parametrize("seed", range(12))
def test_the_short_way_is_the_long_way(seed: int) -> None:
    short, long = legs(), legs()
    taken = 0
    for at, packet in stream(seed):
        taken += short[0].straight >= 0
        assert short[0].receive(packet, at) == long[0]._consider(packet, at)
    assert taken > 500
    assert short[0].stats() == long[0].stats()
    assert short[1].stats() == long[1].stats()
    assert short[0].digits == long[0].digits


@pytest.mark.parametrize("seed", range(12))
def test_what_leaves_never_runs_backwards_and_keeps_near_the_clock(seed: int) -> None:
    """A strict peer: one SSRC, and of packets sent in order the timestamp never goes back nor far ahead of time."""
    a, b = legs()
    newest: tuple[int, int, float] | None = None
    for at, packet in stream(seed):
        out = a.receive(packet, at)
        if out is None:
            continue
        _, second, seq, stamp, ssrc = HEADER.unpack_from(out)
        assert ssrc == b.sender.ssrc
        if second & 0x7F != 8:
            continue
        if newest is not None:
            step, moved = signed16(seq - newest[0]), stamp - newest[1]
            moved -= 2**32 * (moved > 2**31) - 2**32 * (moved < -(2**31))
            if step <= 0:
                continue
            assert moved >= 0
            assert moved - (at - newest[2]) * 8000 < 2.2 * 8000
            assert step < 200
        newest = seq, stamp, at


def test_tones_and_relays_alternate_as_one_stream() -> None:
    a, b = legs()
    rows = []
    now = 1.0
    for turn in range(6):
        if turn % 2:
            b.play(Player("tone", [b"\x11" * 1600], loop=False, ptime=20, now=now))
        for index in range(10):
            packet = b.tone(now) if turn % 2 else a.receive(rtp(1000 * turn + index, 99 * turn + 160 * index), now)
            assert packet is not None
            rows.append(HEADER.unpack_from(packet)[1:5])
            now += 0.02
        b.play(None)
    assert [row[0] >> 7 for row in rows] == ([1] + [0] * 9) * 6
    assert {signed16(later[1] - row[1]) for row, later in pairwise(rows)} == {1}
    assert {(later[2] - row[2]) & 0xFFFFFFFF for row, later in pairwise(rows)} == {160}


def test_after_a_hold_the_numbers_go_on_where_they_stood() -> None:
    a, b = legs()
    first = a.receive(rtp(1, 160), 1.0)
    hold = Connect(session="s", leg=CALLEE, host="0.0.0.0", port=4000, sends=False, receives=False)
    b.connect(hold, 1.0)
    assert b.target is None
    for index in range(500):
        assert a.receive(rtp(2 + index, 320 + 160 * index), 1.02 + 0.02 * index) is None
    b.connect(Connect(session="s", leg=CALLEE, host="192.0.2.1", port=4000), 11.0)
    second = a.receive(rtp(502, 160 * 502), 11.02)
    assert first is not None
    assert second is not None
    before, after = HEADER.unpack_from(first), HEADER.unpack_from(second)
    assert (after[2] - before[2]) & 0xFFFF == 1
    assert (after[3] - before[3]) & 0xFFFFFFFF == round(10.02 * 8000)
    assert after[1] == 0x88


def test_a_pause_stays_a_pause_and_its_comfort_noise_is_no_loss() -> None:
    a, _ = legs()
    packets = [rtp(1, 160), rtp(2, 320, b"\x20", COMFORT_NOISE), rtp(3, 160 + 8000)]
    out = [a.receive(packet, at) for packet, at in zip(packets, (1.0, 1.02, 2.0), strict=True)]
    assert out[1] is None
    assert out[0] is not None
    assert out[2] is not None
    before, after = HEADER.unpack_from(out[0]), HEADER.unpack_from(out[2])
    assert (signed16(after[2] - before[2]), (after[3] - before[3]) & 0xFFFFFFFF) == (1, 8000)
    assert a.receiver.lost == 0


def test_digits_go_nowhere_when_the_other_leg_takes_none() -> None:
    a, b = legs(b_events=None)
    a.receive(rtp(1, 160), 1.0)
    assert a.receive(rtp(2, 320, bytes((11, 0x8A, 0, 160)), 101), 1.02) is None
    assert (a.digits, a.news) == ("#", True)
    out = a.receive(rtp(3, 480), 1.04)
    assert out is not None
    assert signed16(HEADER.unpack_from(out)[2] - 65531) == 1
    assert b.stats().sent == 2


def test_events_come_with_the_number_that_the_party_sends_them_with() -> None:
    a, _ = legs(events_in=97)
    a.receive(rtp(1, 160), 1.0)
    out = a.receive(rtp(2, 320, bytes((1, 10, 0, 160)), 97 | 0x80), 1.02)
    assert out is not None
    assert out[1] == 96 | 0x80
    assert a.receive(rtp(3, 320, bytes((1, 10, 0, 160)), 101), 1.04) is None
    assert a.malformed == 1


def test_digits_leave_the_jitter_alone() -> None:
    a, _ = legs()
    for index in range(20):
        a.receive(rtp(index, 160 * index), 1 + 0.02 * index)
    for index in range(20):
        a.receive(rtp(20 + index, 3200, bytes((1, 10, 0, 160)), 101), 1.4 + 0.02 * index)
    assert a.stats().jitter == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("first", "tail", "sound"),
    [
        (0x82, bytes(8) + SOUND, SOUND),
        (0x90, bytes((0xBE, 0xDE, 0, 1)) + bytes(4) + SOUND, SOUND),
        (0xA0, SOUND + bytes((0, 0, 3)), SOUND),
        (0xB1, bytes(4) + bytes((0xBE, 0xDE, 0, 0)) + SOUND + bytes((1,)), SOUND),
        (0x90, bytes((0xBE, 0xDE, 255, 255)) + SOUND, None),
        (0x8F, bytes(8), None),
        (0xA0, SOUND + bytes((0,)), None),
        (0xA0, SOUND + bytes((255,)), None),
        (0x40, SOUND, None),
    ],
)  # fmt: skip
def test_csrcs_extensions_and_padding_stay_behind(first: int, tail: bytes, sound: bytes | None) -> None:
    a, _ = legs()
    out = a.receive(rtp(1, 160, tail, first=first), 1.0)
    if sound is None:
        assert out is None
        assert a.malformed == 1
    else:
        assert out is not None
        assert (out[0], out[12:]) == (0x80, sound)


def test_a_ptime_that_no_packet_has_is_not_believed() -> None:
    a, _ = legs()
    for ptime, kept in ((0, 20), (-5, 20), (5000, 20), (30, 30)):
        a.connect(Connect(session="s", leg=0, host="192.0.2.1", port=4000, ptime=ptime), 0.0)
        assert a.ptime == kept


def test_conversion_takes_the_long_way_every_time() -> None:
    a, b = legs(b_codec=0)
    for index in range(3):
        out = a.receive(rtp(index, 160 * index), 1 + 0.02 * index)
        assert out is not None
        assert (out[1] & 0x7F, out[12:]) == (0, SOUND.translate(ALAW_TO_ULAW))
    back = b.receive(rtp(1, 0, SOUND, 0), 1.0)
    assert back is not None
    assert back[1] & 0x7F == 8
