"""What one incoming RTP stream tells: loss and jitter (RFC 3550 A.3, A.8), and when its numbering starts anew."""

from __future__ import annotations

from media.rtp import RATE, signed32

DROPOUT = 3000
MISORDER = 100


class Receiver:
    """``source`` is a fresh object for each numbering: a new SSRC, or a jump that no loss explains."""

    __slots__ = ("_arrived", "_base", "_cycles", "_epoch_received", "_highest", "_lost_before", "_stamp",
                 "jitter", "octets", "received", "source", "ssrc")  # fmt: skip

    def __init__(self) -> None:
        self.received = 0
        self.octets = 0
        self.jitter = 0.0
        self.ssrc = -1
        self.source: object = None
        self._base = 0
        self._highest = 0
        self._cycles = 0
        self._epoch_received = 0
        self._lost_before = 0
        self._stamp = 0
        self._arrived = 0.0

    def receive(self, ssrc: int, seq: int, stamp: int, size: int, now: float) -> None:
        """Note a packet. ``jitter`` is in samples."""
        self.received += 1
        self.octets += size
        step = (seq - self._highest) & 0xFFFF
        if ssrc != self.ssrc or DROPOUT < step < 0x10000 - MISORDER:
            self._restart(ssrc, seq, stamp, now)
            return
        moved = signed32(stamp - self._stamp)
        late = (now - self._arrived) * RATE - moved
        if moved > 2 * RATE and late < -2 * RATE:
            # The timestamp has leapt ahead of the clock: another clock, or another source behind the same SSRC.
            self._restart(ssrc, seq, stamp, now)
            return
        self._epoch_received += 1
        if step < 0x8000:
            if seq < self._highest:
                self._cycles += 0x10000
            self._highest = seq
            self._stamp = stamp
            self._arrived = now
        self.jitter += (abs(late) - self.jitter) / 16

    @property
    def lost(self) -> int:
        """Packets expected and not received, never below 0."""
        expected = self._cycles + self._highest - self._base + 1 if self._epoch_received else 0
        return self._lost_before + max(0, expected - self._epoch_received)

    @property
    def highest(self) -> int:
        """Extended highest sequence number received."""
        return (self._cycles + self._highest) & 0xFFFFFFFF

    def _restart(self, ssrc: int, seq: int, stamp: int, now: float) -> None:
        self._lost_before = self.lost
        self.ssrc = ssrc
        self.source = object()
        self._base = self._highest = seq
        self._cycles = 0
        self._epoch_received = 1
        self._stamp = stamp
        self._arrived = now
