from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from gateway.lab.analysis import dominant, level, seconds_of
from media.recording import wav
from media.recording.timeline import place

Packets = list[tuple[float, bytes]]
Streams = Callable[..., Packets]
Builder = Callable[..., bytes]


def test_a_plain_stream_stands_where_it_arrived(make_stream: Streams) -> None:
    placed = place(make_stream(700, 2.0, begin=100.5), 100.0)
    assert placed.positions.tolist() == [4000 + 160 * number for number in range(100)]
    assert placed.end == 20000
    out = placed.samples(24000)
    assert len(out) == 24000
    assert (out[:4000] == wav.SILENCE).all()
    assert (out[20000:] == wav.SILENCE).all()
    assert dominant(wav.decode(out[4000:20000])) == 700


@pytest.mark.parametrize("jitter", [0.005, 0.04, 0.1])
def test_jitter_and_reordering_leave_the_sound_whole(make_stream: Streams, jitter: float) -> None:
    packets = make_stream(700, 20.0, jitter=jitter)
    clean = place(make_stream(700, 20.0), 100.0).samples(160_000)
    placed = place(packets, 100.0)
    error = placed.positions[0]
    out = placed.samples(160_000)
    assert 0 <= error <= 0.01 * 8000
    assert (out[error:] == clean[: 160_000 - error]).mean() > 0.995
    assert seconds_of(wav.decode(out), 700) > 19.7


def test_loss_and_pauses_are_silence_of_their_length(make_stream: Streams) -> None:
    packets = make_stream(700, 10.0)
    kept = packets[:100] + packets[300:400] + packets[401:]
    out = place(kept, 100.0).samples(80_000)
    silent = out == wav.SILENCE
    assert silent[16_000:48_000].all()
    assert silent[64_000:64_160].all()
    assert seconds_of(wav.decode(out[:16_000]), 700) == pytest.approx(2.0)
    assert seconds_of(wav.decode(out[48_000:]), 700) >= 3.8


def test_duplicates_change_nothing(make_stream: Streams) -> None:
    packets = make_stream(700, 5.0, jitter=0.03)
    doubled = sorted([*packets, *((now + 0.015, packet) for now, packet in packets)])
    assert (place(doubled, 100.0).samples(40_000) == place(packets, 100.0).samples(40_000)).all()


def test_a_very_late_packet_goes_to_its_place(make_stream: Streams) -> None:
    packets = make_stream(700, 5.0)
    late = (packets[120][0] + 1.0, packets[120][1])
    out = place(sorted([*packets[:120], *packets[121:], late]), 100.0).samples(40_000)
    assert (out == place(packets, 100.0).samples(40_000)).all()


@pytest.mark.parametrize("seconds", [0.1, 0.3, 0.5, 1.2, 2.0])
@pytest.mark.parametrize("disorder", [0.0, 0.02])
def test_a_stalled_network_that_delivers_all_at_once_loses_nothing(
    make_stream: Streams, seconds: float, disorder: float
) -> None:
    packets = make_stream(700, 10.0)
    stalls = [(begun, begun + seconds) for begun in (1.0, 4.0, 6.5)]
    stalled = []
    for now, packet in packets:
        until = next((100 + until for begun, until in stalls if 100 + begun <= now < 100 + until), now)
        # What comes all at once comes in its order, or behind the first that is on time.
        stalled.append((until - 1e-3 + now * 1e-6 + disorder if until > now else now, packet))
    placed = place(sorted(stalled), 100.0)
    assert seconds_of(wav.decode(placed.samples(80_000)), 700) > 9.7
    assert np.abs(np.sort(placed.positions) - 160 * np.arange(500)).max() <= 320


def test_a_new_source_and_a_timestamp_jump_are_hung_on_the_clock(make_stream: Streams, make_rtp: Builder) -> None:
    audio = make_stream(700, 6.0)
    packets = [(now, packet) for now, packet in audio[:100]]
    for number, (now, packet) in enumerate(audio[100:200]):
        packets.append((now, make_rtp(7 + number, 5_000_000 + 160 * number, packet[12:], source=9)))
    for number, (now, packet) in enumerate(audio[200:]):
        packets.append((now, make_rtp(107 + number, 99 + 160 * number, packet[12:], source=9)))
    out = place(packets, 100.0).samples(48_000)
    assert (out == place(audio, 100.0).samples(48_000)).mean() > 0.999


@pytest.mark.parametrize("jump", [800, 1600, -1600, 1 << 31, -8000])
def test_a_jump_of_any_size_is_seen(make_stream: Streams, make_rtp: Builder, jump: int) -> None:
    audio = make_stream(700, 6.0)
    packets = [
        (now, make_rtp(number, 160 * number + (jump if number >= 150 else 0), packet[12:]))
        for number, (now, packet) in enumerate(audio)
    ]
    assert np.abs(place(packets, 100.0).positions - 160 * np.arange(300)).max() <= 1


@pytest.mark.parametrize("ppm", [100.0, -100.0])
def test_an_hour_of_drift_stays_on_the_clock(make_stream: Streams, ppm: float) -> None:
    placed = place(make_stream(700, 3600.0, jitter=0.02, ppm=ppm), 100.0)
    true = 160 * np.arange(180_000) / (1 + ppm * 1e-6)
    error = (np.sort(placed.positions) - true) / 8000
    assert np.abs(error).max() < 0.02
    out = placed.samples(placed.end)
    assert (out == wav.SILENCE).mean() < 1 / 80 + 0.001  # a 700 Hz sine is 0 in every 80th sample
    assert level(wav.decode(out[-8000:]), 700) > -14


def test_digits_and_comfort_noise_are_silence_and_move_nothing(make_stream: Streams, make_rtp: Builder) -> None:
    packets = make_stream(700, 4.0)
    base = 0xFFFFF000
    for number in range(60, 80):
        packets[number] = (packets[number][0], make_rtp(65000 + number, base + 160 * 60, b"\1\x0a\0\xa0", kind=101))
    for number in range(120, 130):
        packets[number] = (packets[number][0], make_rtp(65000 + number, base + 160 * number, b"\x40", kind=13))
    placed = place(packets, 100.0)
    out = placed.samples(32_000)
    assert (out[9600:12_800] == wav.SILENCE).all()
    assert (out[19_200:20_800] == wav.SILENCE).all()
    assert set(placed.positions.tolist()) == {160 * n for n in range(200) if not (60 <= n < 80 or 120 <= n < 130)}


def test_mulaw_padding_extension_and_sources_listed(make_stream: Streams, make_rtp: Builder) -> None:
    mulaw = [(100.0 + n * 0.02, make_rtp(n, n * 160, b"\xff" * 80 + b"\x80" * 80, kind=0)) for n in range(4)]
    out = place(mulaw, 100.0).samples(640)
    assert (out[:80] == wav.SILENCE).all()
    assert (out[80:160] == wav.FROM_MULAW[0x80]).all()
    head = b"\0\0\0\7" + b"\xbe\xde\0\1" + b"abcd"
    dressed = make_rtp(1, 0, head + b"\x11" * 160 + b"\0\0\0\4", first=0x80 | 0x20 | 0x10 | 1)
    placed = place([(100.0, dressed)], 100.0)
    assert placed.end == 160
    assert (placed.samples(160) == 0x11).all()


def test_what_is_no_rtp_is_passed_over(make_stream: Streams, make_rtp: Builder) -> None:
    assert len(place([], 100.0).samples(10)) == 10
    assert place([], 100.0).end == 0
    random = np.random.default_rng(5)
    packets = make_stream(700, 2.0)
    expected = place(packets, 100.0).samples(16_000)
    for size in (0, 1, 11, 12, 13):
        packets.insert(size, (100.1, random.bytes(size)[:1].replace(b"\x80", b"") + bytes(max(0, size - 1))))
    packets.insert(3, (100.1, make_rtp(1, 2, b"x", first=0xBF)))
    packets.insert(9, (100.1, make_rtp(1, 2, b"xxx\xff", first=0xA0)))
    assert (place(packets, 100.0).samples(16_000) == expected).all()


@pytest.mark.parametrize("seed", range(20))
def test_anything_at_all_gives_the_length_asked_for(seed: int) -> None:
    random = np.random.default_rng(seed)
    packets = [
        (100.0 + n * 0.01, bytes([random.choice([0x80, 0x90, 0xB1]), random.choice([0, 8])]) + random.bytes(30))
        for n in range(300)
    ]
    assert len(place(packets, 100.0).samples(5000)) == 5000


def test_what_came_before_the_origin_is_cut_off(make_stream: Streams) -> None:
    whole = place(make_stream(700, 4.0), 100.0).samples(32_000)
    later = place(make_stream(700, 4.0), 101.01).samples(23_920)
    assert (later == whole[8080:]).all()


def paused(packets: Packets, pauses: list[tuple[int, float]]) -> Packets:
    """The sender stops for some seconds before some packets, and its timestamps don't tell (pjproject #4785)."""
    shift, out, waits = 0.0, [], dict(pauses)
    for number, (now, packet) in enumerate(packets):
        shift += waits.get(number, 0.0)
        out.append((now + shift, packet))
    return out


@pytest.mark.parametrize("seconds", [0.06, 0.1, 0.16, 0.24, 0.5])
@pytest.mark.parametrize("jitter", [0.0, 0.01])
def test_a_pause_that_the_timestamps_do_not_tell_moves_only_what_follows(
    make_stream: Streams, seconds: float, jitter: float
) -> None:
    packets = paused(make_stream(700, 20.0), [(500, seconds)])
    random = np.random.default_rng(3)
    late = sorted((now + jitter * random.random(), packet) for now, packet in packets)
    positions = np.sort(place(late, 100.0).positions)
    true = np.array([(now - 100.0) * 8000 for now, _ in packets])
    assert np.abs(positions - true).max() <= 0.011 * 8000


def test_pauses_again_and_again_do_not_add_up(make_stream: Streams) -> None:
    random = np.random.default_rng(5)
    pauses = [(number, 0.02 + 0.2 * random.random()) for number in range(60, 6000, 97)]
    packets = paused(make_stream(700, 120.0), pauses)
    late = sorted((now + 0.008 * random.random(), packet) for now, packet in packets)
    lost = [packet for packet in late if random.random() > 0.05]
    placed = place(lost, 100.0)
    true = {packet: (now - 100.0) * 8000 for now, packet in packets}
    wanted = np.sort([true[packet] for _, packet in lost])
    assert np.abs(np.sort(placed.positions) - wanted).max() <= 0.02 * 8000


def test_two_drifting_channels_with_everything_at_once_stay_together(make_stream: Streams) -> None:
    """Pains P8: 100 ppm apart, 5 % loss, reordering, silences of DTX and unstamped pauses, for half an hour."""
    random = np.random.default_rng(7)
    errors = []
    for ppm in (100.0, -100.0):
        packets = make_stream(700, 1800.0, ppm=ppm)
        packets = paused(packets, [(number, 0.1) for number in range(5000, 90_000, 9001)])
        true = {packet: (now - 100.0) * 8000 for now, packet in packets}
        heard = [one for number, one in enumerate(packets) if number % 1500 < 1200 and random.random() > 0.05]
        late = sorted((now + 0.03 * random.random(), packet) for now, packet in heard)
        wanted = np.sort([true[packet] for _, packet in late])
        errors.append(np.abs(np.sort(place(late, 100.0).positions) - wanted).max() / 8000)
    assert max(errors) <= 0.01, "each within 10 ms of the truth: both within 20 ms of each other"
