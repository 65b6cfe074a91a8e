"""Opus and A-law, there and back: what is heard, packets that stay what they were, and what can't be read."""

from __future__ import annotations

import itertools
import struct

import numpy as np
import pytest

from gateway.lab.analysis import dominant
from gateway.lab.audio import decode, tone
from media.browser import Opus
from media.opus import Decoder, Encoder, Transcoder
from media.rtp import HEADER

OPUS = Opus(payload=111, events=110, clock=48000, plain=101)
TONES = (440, 700, 1300)
REPORT = struct.Struct(">BBHIIIIII")


def spoken(hertz: int, seconds: float = 1.0, size: int = 160) -> list[bytes]:
    """The worker's packets of a tone."""
    codes = (tone(hertz) * 2)[: round(8000 * seconds)]
    return [
        HEADER.pack(0x80, 8, number & 0xFFFF, number * size, 7) + codes[at : at + size]
        for number, at in enumerate(range(0, len(codes), size))
    ]


def level(codes: bytes) -> float:
    return float(np.sqrt(np.mean(np.square(decode(codes)))))


@pytest.mark.parametrize("size", [80, 160, 320, 480])
@pytest.mark.parametrize("hertz", TONES)
def test_a_tone_there_and_back(hertz: int, size: int) -> None:
    ours, theirs = Transcoder(OPUS), Transcoder(OPUS)
    heard = b""
    for packet in spoken(hertz, 0.96, size):
        sent = ours.outward(packet)
        assert sent is not None
        assert len(sent) < len(packet)
        back = theirs.inward(sent)
        assert back is not None
        assert back[:12] == packet[:12]
        assert len(back) == len(packet)
        heard += back[12:]
    assert dominant(decode(heard[1600:]), TONES) == hertz
    assert level(heard[1600:]) == pytest.approx(level(tone(hertz)), rel=0.15)


def test_what_telephones_do_not_carry_is_not_heard_as_something_else() -> None:
    """6700 Hz would be 1300 if every sixth sample were taken as it is."""
    from av import AudioFrame, CodecContext

    made = CodecContext.create("libopus", "w")
    made.format, made.layout, made.sample_rate = "s16", "mono", 48000
    at, heard, decoder = np.arange(960), b"", Decoder()
    for number in range(50):
        wave = 9000 * np.sin(2 * np.pi * 6700 * (at + 960 * number) / 48000)
        frame = AudioFrame.from_ndarray(wave.astype(np.int16).reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts = 48000, 960 * number
        for packet in made.encode(frame):
            heard += decoder.decode(bytes(packet))
    assert len(heard) == 8000
    assert level(heard[1600:]) < 0.01 * 9000 / 32768


def test_packets_keep_number_marker_and_source_and_their_clock_goes_on_over_its_wrap() -> None:
    out, back = Transcoder(OPUS), Transcoder(OPUS)
    stamp, stamps = 2**32 - 320, []
    payload = tone(700)[:160]
    for number in (65534, 65535, 0, 2):
        sent = out.outward(HEADER.pack(0x80, 0x88, number, stamp & 0xFFFFFFFF, 0xABCDEF01) + payload)
        assert sent is not None
        first, second, seq, there, ssrc = HEADER.unpack_from(sent)
        assert (first, second, seq, ssrc) == (0x80, 0x80 | 111, number, 0xABCDEF01)
        assert there == stamp * 6 % 2**32
        again = back.inward(sent)
        assert again is not None
        assert HEADER.unpack_from(again)[:3] == (0x80, 0x88, number)
        stamps.append(HEADER.unpack_from(again)[3])
        stamp += 160
    assert [(b - a) % 2**32 for a, b in itertools.pairwise(stamps)] == [160, 160, 160]


@pytest.mark.parametrize(("clock", "ticks"), [(48000, 4800), (8000, 800)])
def test_keys_keep_their_length_in_time(clock: int, ticks: int) -> None:
    coder = Transcoder(Opus(payload=111, events=110, clock=clock, plain=101))
    theirs = HEADER.pack(0x80, 0x80 | 110, 9, 48000, 5) + bytes((5, 0x8A)) + ticks.to_bytes(2, "big")
    ours = HEADER.pack(0x80, 0x80 | 101, 9, 8000, 5) + bytes((5, 0x8A)) + (800).to_bytes(2, "big")
    assert coder.inward(theirs) == ours
    assert coder.outward(ours) == theirs


def test_a_key_that_is_held_for_too_long_for_the_other_clock() -> None:
    long = HEADER.pack(0x80, 101, 9, 8000, 5) + bytes((5, 0x0A)) + (0xF000).to_bytes(2, "big")
    sent = Transcoder(OPUS).outward(long)
    assert sent is not None
    assert sent[-2:] == b"\xff\xff"


def test_what_is_no_audio_is_dropped() -> None:
    coder = Transcoder(OPUS)
    for packet in (b"", b"\x80", HEADER.pack(0x80, 111, 1, 1, 1), HEADER.pack(0x80, 111, 1, 1, 1) + b"\xff" * 9,
                   HEADER.pack(0x80, 9, 1, 1, 1) + bytes(160), HEADER.pack(0x80, 110, 1, 1, 1) + b"ab"):  # fmt: skip
        assert coder.inward(packet) is None
    for packet in (b"", HEADER.pack(0x80, 0, 1, 1, 1) + bytes(160), HEADER.pack(0x80, 8, 1, 1, 1) + bytes(481)):
        assert coder.outward(packet) is None
    # It has taken no harm.
    sent = Transcoder(OPUS).outward(spoken(700)[0])
    assert sent is not None
    assert coder.inward(sent) is not None


def test_a_short_packet_is_filled_up() -> None:
    sent = Transcoder(OPUS).outward(HEADER.pack(0x80, 8, 1, 160, 1) + bytes(100))
    assert sent is not None
    assert len(Decoder().decode(sent[12:])) == 160


def test_a_browser_that_takes_a_law_but_sends_opus() -> None:
    coder = Transcoder(Opus(payload=111, events=110, clock=48000, plain=101, sends=False))
    packet = spoken(700)[0]
    assert coder.outward(packet) is packet
    assert coder.inward(packet) is packet
    back = coder.inward(HEADER.pack(0x80, 111, 1, 960, 3) + Encoder(160).encode(packet[12:]))
    assert back is not None
    assert HEADER.unpack_from(back) == (0x80, 8, 1, 160, 3)
    assert coder.reports_inward(sender_report(jitter=60)) == sender_report(stamp=8000, jitter=60)


def test_what_we_offered_may_come_though_opus_alone_was_answered() -> None:
    coder, packet = Transcoder(OPUS), spoken(700)[0]
    assert coder.inward(packet) is packet
    event = HEADER.pack(0x80, 0x80 | 101, 9, 8000, 5) + bytes((5, 0x8A, 3, 0x20))
    assert coder.inward(event) is event
    mu_law = HEADER.pack(0x80, 0x80, 2, 320, 7) + b"\xff" * 160
    assert coder.inward(mu_law) == HEADER.pack(0x80, 0x88, 2, 320, 7) + b"\xd5" * 160


def sender_report(stamp: int = 48000, jitter: int = 600) -> bytes:
    head = REPORT.pack(0x81, 200, 12, 3, 1, 2, stamp, 50, 8000)
    return head + struct.pack(">IIIIII", 4, 5, 6, jitter, 7, 8) + struct.pack(">BBHI", 0x81, 203, 1, 3)


def test_reports_speak_of_each_sides_clock() -> None:
    coder = Transcoder(OPUS)
    assert coder.reports_inward(sender_report()) == sender_report(8000, 100)
    assert coder.reports_outward(sender_report(8000, 100)) == sender_report()
    receiver = struct.pack(">BBHI", 0x81, 201, 7, 3) + struct.pack(">IIIIII", 4, 5, 6, 600, 7, 8)
    assert coder.reports_inward(receiver)[20:24] == (100).to_bytes(4, "big")


@pytest.mark.parametrize("data", [b"", b"\x81\xc8\x00", sender_report()[:40], b"\x9f\xc8\x00\x01" + bytes(4)])
def test_reports_that_can_not_be_read_pass(data: bytes) -> None:
    assert Transcoder(OPUS).reports_inward(data) == data
