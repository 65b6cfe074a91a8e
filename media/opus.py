"""Opus (RFC 7587) for a browser and A-law for the worker: one leg's packets on their way between the two.

    browser   Opus, 48000 samples a second, any frame of 2.5..120 ms    telephone-event at 48000 (or 8000)
    worker    A-law, 8000, the same packets one by one                  telephone-event at 8000

A packet becomes one packet, so what was lost stays lost, and each side's SSRC, sequence numbers and markers are what
they were. Timestamps are scaled by six, with those that RTCP names and its jitter. What needs no conversion passes as
it is, which is all of it when A-law was agreed (webrtc.py then asks for nothing here).

libopus codes at 8000 itself, so nothing is lost to a filter on the way to the browser. Its decoder gives 48000
(FFmpeg's only rate); a low-pass brings that down, since all above 4000 would be heard as something else (RFC 3551 §4).
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import cast

import numpy as np
from av import AudioFrame, CodecContext
from av.error import FFmpegError
from av.packet import Packet
from numpy.lib.stride_tricks import sliding_window_view

from media.browser import Opus
from media.g711 import ALAW_LEVELS, PCMA, PCMU, SILENCE, ULAW_TO_ALAW, to_alaw
from media.rtcp import RECEIVER_REPORT, SENDER_REPORT
from media.rtp import HEADER, RATE, payload_of, signed32

CLOCK = 48000
RATIO = CLOCK // RATE
BITS = 24000
EFFORT = "3"
"""Of 0..10: half the processor time of 10; on a telephone's band nobody hears the rest."""
_FRAMES = {80: "10", 160: "20", 320: "40", 480: "60"}
_TAPS = 145
_CUT = 3500
_LEVELS = np.array(ALAW_LEVELS, dtype=np.int16)
_CODES = np.array([to_alaw(16 * step + 8) for step in range(-2048, 2048)], dtype=np.uint8)


class Transcoder:
    """``inward``: a packet of the browser for the worker; ``outward``: of the worker for the browser. None: neither
    audio nor an event that can be read. ``reports_*``: RTCP likewise, which is always handed on."""

    def __init__(self, opus: Opus) -> None:
        self.opus = opus
        self._stamps = _Stamps()
        self._decoder: Decoder | None = None
        self._encoders: dict[int, Encoder] = {}

    def inward(self, packet: bytes) -> bytes | None:
        payload = payload_of(packet)
        if payload is None:
            return None
        opus = self.opus
        _, second, seq, stamp, ssrc = HEADER.unpack_from(packet)
        kind = second & 0x7F
        if kind == opus.payload:
            self._decoder = self._decoder or Decoder()
            body = self._decoder.decode(payload)
            kind = PCMA
        elif kind == opus.events and len(payload) >= 4:
            body = _event(payload, RATE, opus.clock)
            kind = opus.plain
        else:
            return self._as_offered(packet, kind, payload)
        if not body:
            return None
        return HEADER.pack(0x80, second & 0x80 | kind, seq, self._stamps.down(stamp), ssrc) + body

    def _as_offered(self, packet: bytes, kind: int, payload: bytes) -> bytes | None:
        """What we have offered may come, whatever was answered (RFC 3264 §5.1): Chromium answers with Opus alone and
        sends what stood first in our offer."""
        if not self.opus.sends or kind in (PCMA, self.opus.plain):
            return packet
        if kind != PCMU:
            return None
        _, second, seq, stamp, ssrc = HEADER.unpack_from(packet)
        return HEADER.pack(0x80, second & 0x80 | PCMA, seq, stamp, ssrc) + payload.translate(ULAW_TO_ALAW)

    def outward(self, packet: bytes) -> bytes | None:
        opus = self.opus
        if not opus.sends:
            return packet
        payload = payload_of(packet)
        if payload is None:
            return None
        _, second, seq, stamp, ssrc = HEADER.unpack_from(packet)
        kind = second & 0x7F
        if kind == PCMA:
            body = self._encode(payload)
            kind = opus.payload
        elif kind == opus.plain and len(payload) >= 4:
            body = _event(payload, opus.clock, RATE)
            kind = opus.events
        else:
            return None
        return HEADER.pack(0x80, second & 0x80 | kind, seq, stamp * RATIO & 0xFFFFFFFF, ssrc) + body if body else None

    def reports_inward(self, data: bytes) -> bytes:
        """Sender reports on Opus; reception reports on what we send."""
        return _reports(data, self._stamps.down, (lambda jitter: jitter // RATIO) if self.opus.sends else None)

    def reports_outward(self, data: bytes) -> bytes:
        """Sender reports on what we send; reception reports on Opus."""
        if not self.opus.sends:
            return _reports(data, None, lambda jitter: jitter * RATIO)
        return _reports(data, lambda stamp: stamp * RATIO & 0xFFFFFFFF, lambda jitter: jitter * RATIO)

    def _encode(self, payload: bytes) -> bytes:
        """The worker sends packets of the length that the description asks for; another one is filled up."""
        size = next((size for size in _FRAMES if size >= len(payload)), None)
        if size is None:
            return b""
        encoder = self._encoders.get(size)
        if encoder is None:
            encoder = self._encoders[size] = Encoder(size)
        return encoder.encode(payload.ljust(size, bytes((SILENCE[PCMA],))))


class Encoder:
    """A-law to Opus, ``size`` samples at a time."""

    def __init__(self, size: int) -> None:
        made = CodecContext.create("libopus", "w")
        made.format, made.layout, made.sample_rate = "s16", "mono", RATE
        made.bit_rate, made.time_base = BITS, Fraction(1, RATE)
        made.options = {"application": "voip", "frame_duration": _FRAMES[size], "compression_level": EFFORT}
        self._codec = made
        self._at = 0

    def encode(self, codes: bytes) -> bytes:
        samples = _LEVELS[np.frombuffer(codes, dtype=np.uint8)]
        frame = AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, self._at, Fraction(1, RATE)
        self._at += len(codes)
        return b"".join(bytes(packet) for packet in self._codec.encode(frame))


class Decoder:
    """Opus to A-law. The filter's past goes from packet to packet, so that nothing clicks between them."""

    def __init__(self) -> None:
        made = CodecContext.create("libopus", "r")
        made.format, made.layout, made.sample_rate = "s16", "mono", CLOCK
        self._codec = made
        self._past = np.zeros(_TAPS - 1, dtype=np.float32)

    def decode(self, payload: bytes) -> bytes:
        """b"" for what is no Opus."""
        if not payload:
            return b""
        try:
            frames = self._codec.decode(Packet(payload))
        except FFmpegError:
            return b""
        sound = np.concatenate([self._past, *(frame.to_ndarray().reshape(-1) for frame in frames)], dtype=np.float32)
        self._past = sound[len(sound) - _TAPS + 1 :]
        if len(sound) < _TAPS:
            return b""
        low = sliding_window_view(sound, _TAPS)[::RATIO] @ _FILTER
        codes: bytes = _CODES[(low.clip(-32768, 32767).astype(np.int16) >> 4) + 2048].tobytes()
        return codes


class _Stamps:
    """Timestamps of the browser's stream as the worker sees them, over the wrap of either."""

    def __init__(self) -> None:
        self._last = self._whole = 0

    def down(self, stamp: int) -> int:
        self._whole += signed32(stamp - self._last)
        self._last = stamp
        return self._whole // RATIO & 0xFFFFFFFF


def _event(payload: bytes, to: int, of: int) -> bytes:
    """A telephone-event (RFC 4733 §2.3) whose duration counts another clock's ticks."""
    duration = min(int.from_bytes(payload[2:4], "big") * to // of, 0xFFFF)
    return payload[:2] + duration.to_bytes(2, "big")


def _reports(data: bytes, stamp: Callable[[int], int] | None, jitter: Callable[[int], int] | None) -> bytes:
    """A compound RTCP packet (RFC 3550 §6.4) with other timestamps and jitters; what can't be read is left."""
    changed, at = bytearray(data), 0
    while at + 8 <= len(changed):
        size = 4 + 4 * int.from_bytes(changed[at + 2 : at + 4], "big")
        blocks = {SENDER_REPORT: 28, RECEIVER_REPORT: 8}.get(changed[at + 1], 0)
        if at + size > len(changed) or (blocks and size < blocks + 24 * (changed[at] & 31)):
            break
        if blocks == 28 and stamp is not None:
            _scale(changed, at + 16, stamp)
        if blocks and jitter is not None:
            for block in range(at + blocks, at + blocks + 24 * (changed[at] & 31), 24):
                _scale(changed, block + 12, jitter)
        at += size
    return bytes(changed)


def _scale(data: bytearray, at: int, by: Callable[[int], int]) -> None:
    data[at : at + 4] = min(by(int.from_bytes(data[at : at + 4], "big")), 0xFFFFFFFF).to_bytes(4, "big")


def _low_pass() -> np.ndarray:
    """A windowed sinc."""
    at = np.arange(_TAPS) - (_TAPS - 1) / 2
    taps = np.sinc(2 * _CUT / CLOCK * at) * np.hamming(_TAPS)
    return cast("np.ndarray", (taps / taps.sum()).astype(np.float32))


_FILTER = _low_pass()
