"""One outgoing RTP stream: one SSRC, sequence numbers without a break, a timestamp that runs with the clock.

Whatever feeds the stream (the other party, a tone, a tone again) is a *source*; at each change of source the new one is
re-based onto where the stream stands, and the first packet carries the marker (pains.md P5). Within a source the other
party's own differences are kept, so its losses stay visible and its pauses stay pauses, and what follows a pause
carries the marker too, whether the party has set it or not. ``Leg.receive`` does the work of ``relay`` itself for a
packet that is simply the next one.
"""

from __future__ import annotations

from media.rtp import HEADER, RATE, signed32

_pack = HEADER.pack
_FRESH = 1000
_STALL = 0.2
_AHEAD = RATE
"""What a telephone-event says of its end is believed up to a second ahead of the clock."""


class Sender:
    """``codec``: the payload type that this stream sends. ``stamp`` is of the newest packet with sound, ``last_at``
    when that was sent (-1.0: never); ``filled`` how many samples from ``stamp`` on have been sent, or are a
    telephone-event. ``source`` set to None makes the next packet one of a new source."""

    __slots__ = (
        "_based",
        "_floor",
        "codec",
        "filled",
        "last_at",
        "octets",
        "packets",
        "seq",
        "seq_delta",
        "source",
        "ssrc",
        "stamp",
        "stamp_delta",
    )

    def __init__(self, ssrc: int, seq: int, stamp: int) -> None:
        self.ssrc = ssrc
        self.seq = seq & 0xFFFF
        self.stamp = stamp & 0xFFFFFFFF
        self.codec = 8
        self.source: object = None
        self.last_at = -1.0
        self.filled = 0
        self.packets = 0
        self.octets = 0
        self.seq_delta = 0
        self.stamp_delta = 0
        self._floor = 0
        """The first sequence number of this source: older packets of it would meet those of the last source."""
        self._based = 0

    def tone(self, source: object, payload: bytes, now: float) -> bytes:
        """A packet of a tone of ours, already in the stream's codec."""
        marker = 0
        if source is not self.source or now - self.last_at > _STALL:
            self._rebase(now)
            self.source = source
            marker = 0x80
        else:
            self.stamp = (self.stamp + self.filled) & 0xFFFFFFFF
            self.last_at = now
        self.filled = len(payload)
        self.seq = (self.seq + 1) & 0xFFFF
        self.packets += 1
        self.octets += len(payload)
        return _pack(0x80, marker | self.codec, self.seq, self.stamp, self.ssrc) + payload

    def relay(
        self, source: object, second: int, seq: int, stamp: int, payload: bytes, now: float, *, timed: bool = True
    ) -> bytes | None:
        """A packet of the other party, None for one that is older than this source's first.

        ``second``: marker and payload type as they are to be sent. ``timed`` False: a telephone-event, whose timestamp
        stands still while time goes on.
        """
        if source is not self.source:
            self._rebase(now)
            self.source = source
            self.seq_delta = self.seq + 1 - seq
            self.stamp_delta = self.stamp - stamp
            self._floor = (self.seq + 1) & 0xFFFF
            self._based = self.packets
            if timed:
                second |= 0x80
        seq = (seq + self.seq_delta) & 0xFFFF
        stamp = (stamp + self.stamp_delta) & 0xFFFFFFFF
        step = (seq - self.seq) & 0xFFFF
        if step < 0x8000:
            self.seq = seq
            moved = signed32(stamp - self.stamp)
            if timed:
                if step == 1 and moved > self.filled:
                    second |= 0x80
                self.stamp = stamp
                self.last_at = now
                self.filled = len(payload)
            else:
                end = moved + int.from_bytes(payload[2:4], "big")
                if self.filled < end < (now - self.last_at) * RATE + _AHEAD:
                    self.filled = end
        elif self.packets - self._based < _FRESH and (seq - self._floor) & 0xFFFF >= 0x8000:
            return None
        if timed and seq == self._floor and self.packets - self._based < _FRESH:
            # Its first packet once more: whoever has lost the one needs the marker of the other.
            second |= 0x80
        self.packets += 1
        self.octets += len(payload)
        return _pack(0x80, second, seq, stamp, self.ssrc) + payload

    def skip(self, source: object, seq: int) -> None:
        """A packet of the other party is not for this stream: close the gap, which would look like a loss."""
        if source is self.source and (seq + self.seq_delta - self.seq) & 0xFFFF == 1:
            self.seq_delta -= 1

    def renumber(self, by: int) -> None:
        """The numbers of this source go on ``by`` higher; late ones that still bear the old numbers don't count."""
        self.seq_delta += by
        self._floor = (self.seq + 1) & 0xFFFF
        self._based = self.packets

    def event(self, source: object, kind: int, payload: bytes, duration: int, now: float, *, first: bool) -> bytes:
        """A telephone-event of ours, payload type ``kind``: all its packets bear the time of the ``first`` one."""
        if first or source is not self.source:
            self._rebase(now)
            self.source = source
        self.filled = duration
        self.seq = (self.seq + 1) & 0xFFFF
        self.packets += 1
        self.octets += len(payload)
        return _pack(0x80, (0x80 if first else 0) | kind, self.seq, self.stamp, self.ssrc) + payload

    def stamp_at(self, now: float) -> int:
        """The timestamp that belongs to a time (for sender reports)."""
        return (self.stamp + round((now - self.last_at) * RATE)) & 0xFFFFFFFF

    def _rebase(self, now: float) -> None:
        """Move the timestamp on by the time that has passed, at least beyond what is filled."""
        if self.last_at >= 0:
            self.stamp = (self.stamp + max(self.filled, round((now - self.last_at) * RATE))) & 0xFFFFFFFF
        self.last_at = now
        self.filled = 0
