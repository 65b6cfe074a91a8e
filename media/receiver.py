"""What one incoming RTP stream tells: loss and jitter (RFC 3550 A.3, A.8), and when its numbering starts anew.

A new numbering (``source``) begins with another SSRC, with a jump of the sequence that no loss explains (A.1), and when
timestamp and clock part by more than ``LEAP``: a timestamp that leaps ahead, goes back, or stands still over a pause
(pains.md P5, P8). ``Leg.receive`` keeps these counters itself for a packet that is simply the next one.
"""

from __future__ import annotations

from media.rtp import RATE, signed32

DROPOUT = 3000
MISORDER = 100
LEAP = 2 * RATE


class Receiver:
    """``source`` is a fresh object for each numbering. ``highest`` and ``stamp`` are of its newest packet with sound,
    ``arrived`` is when that came; ``jitter`` is in samples; ``report_at`` is when ``report_ntp`` came, the middle of
    the NTP time in the party's last sender report."""

    __slots__ = (
        "_base", "_before", "_cycles", "_lost_before", "_told_expected", "_told_received", "arrived", "highest",
        "jitter", "octets", "received", "report_at", "report_ntp", "source", "ssrc", "stamp",
    )  # fmt: skip

    def __init__(self) -> None:
        self.received = 0
        self.octets = 0
        self.jitter = 0.0
        self.ssrc = -1
        self.source: object = None
        self.highest = 0
        self.stamp = 0
        self.arrived = 0.0
        self.report_ntp = 0
        self.report_at = 0.0
        self._base = 0
        self._cycles = 0
        self._before = 0
        self._lost_before = 0
        self._told_expected = 0
        self._told_received = 0

    def receive(self, ssrc: int, seq: int, stamp: int, size: int, now: float, *, timed: bool = True) -> None:
        """Note a packet. ``timed`` False: a telephone-event, whose timestamp stands still while time goes on."""
        step = (seq - self.highest) & 0xFFFF
        if ssrc != self.ssrc or DROPOUT < step < 0x10000 - MISORDER:
            self._restart(ssrc, seq, stamp, now)
        elif timed:
            moved = signed32(stamp - self.stamp)
            late = (now - self.arrived) * RATE - moved
            if 0 < step < 0x8000 and (moved < 0 or not -LEAP < late < LEAP):
                self._restart(ssrc, seq, stamp, now)
            else:
                self._advance(seq, step)
                if step < 0x8000:
                    self.stamp = stamp
                    self.arrived = now
                self.jitter += (abs(late) - self.jitter) / 16
        else:
            self._advance(seq, step)
        self.received += 1
        self.octets += size

    def _advance(self, seq: int, step: int) -> None:
        if step < 0x8000:
            if seq < self.highest:
                self._cycles += 0x10000
            self.highest = seq

    def _restart(self, ssrc: int, seq: int, stamp: int, now: float) -> None:
        self._lost_before = self.lost
        self._before = self.received
        if ssrc != self.ssrc:
            self.report_ntp = 0
        self.ssrc = ssrc
        self.source = object()
        self._base = self.highest = seq
        self._cycles = 0
        self.stamp = stamp
        self.arrived = now

    @property
    def _expected(self) -> int:
        return self._cycles + self.highest - self._base + 1 if self.received > self._before else 0

    @property
    def lost(self) -> int:
        """Packets expected and not received, never below 0."""
        return self._lost_before + max(0, self._expected - (self.received - self._before))

    @property
    def extended(self) -> int:
        """Extended highest sequence number received."""
        return (self._cycles + self.highest) & 0xFFFFFFFF

    def fraction_lost(self) -> int:
        """Loss since the last call, in 256ths (RFC 3550 A.3)."""
        expected = self.received + self.lost
        received = self.received - self._told_received
        missing = expected - self._told_expected - received
        wanted = expected - self._told_expected
        self._told_expected, self._told_received = expected, self.received
        return min(255, (missing << 8) // wanted) if wanted > 0 and missing > 0 else 0
