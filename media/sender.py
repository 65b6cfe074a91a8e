"""One outgoing RTP stream: one SSRC, sequence numbers without a break, a timestamp that runs with the clock.

Whatever feeds the stream (the other party, a tone, a tone again) is a *source*; at each change of source the new one is
re-based onto where the stream stands, and the first packet carries the marker (pains.md P5). Within a source the other
party's own differences are kept, so its losses stay visible and its pauses stay pauses.
"""

from __future__ import annotations

from media.rtp import HEADER, RATE

_pack = HEADER.pack


class Sender:
    """``codec``: the payload type that this stream sends."""

    __slots__ = (
        "_floor",
        "_seq_delta",
        "_stamp_delta",
        "codec",
        "last_at",
        "octets",
        "packets",
        "seq",
        "source",
        "ssrc",
        "stamp",
    )

    def __init__(self, ssrc: int, seq: int, stamp: int) -> None:
        self.ssrc = ssrc
        self.seq = seq & 0xFFFF
        self.stamp = stamp & 0xFFFFFFFF
        self.codec = 8
        self.source: object = None
        self.last_at = -1.0
        self.packets = 0
        self.octets = 0
        self._floor = -1
        """The first sequence number of this source until 100 are sent: older ones would meet the last source's."""
        self._seq_delta = 0
        self._stamp_delta = 0

    def tone(self, source: object, payload: bytes, now: float) -> bytes:
        """A packet of a tone of ours, already in the stream's codec."""
        marker = 0
        if source is not self.source:
            self._rebase(now, len(payload))
            self.source = source
            marker = 0x80
        else:
            self.stamp = (self.stamp + len(payload)) & 0xFFFFFFFF
        self.seq = (self.seq + 1) & 0xFFFF
        self.last_at = now
        self.packets += 1
        self.octets += len(payload)
        return _pack(0x80, marker | self.codec, self.seq, self.stamp, self.ssrc) + payload

    def relay(self, source: object, second: int, seq: int, stamp: int, payload: bytes, now: float) -> bytes | None:
        """A packet of the other party, None for one that is older than this source's first.

        ``second``: marker and payload type as they are to be sent.
        """
        if source is not self.source:
            self._rebase(now, 160)
            self.source = source
            self._seq_delta = self.seq + 1 - seq
            self._stamp_delta = self.stamp - stamp
            if second & 0x7F == self.codec:
                second |= 0x80
            self._floor = (seq + self._seq_delta) & 0xFFFF
        seq = (seq + self._seq_delta) & 0xFFFF
        if self._floor >= 0:
            ahead = (seq - self._floor) & 0xFFFF
            if ahead >= 0x8000:
                return None
            if ahead > 100:
                self._floor = -1
        stamp = (stamp + self._stamp_delta) & 0xFFFFFFFF
        if (seq - self.seq) & 0xFFFF < 0x8000:
            self.seq = seq
            self.stamp = stamp
        self.last_at = now
        self.packets += 1
        self.octets += len(payload)
        return _pack(0x80, second, seq, stamp, self.ssrc) + payload

    def _rebase(self, now: float, samples: int) -> None:
        """Move the timestamp on by the time that has passed, at least by one packet."""
        if self.last_at >= 0:
            self.stamp = (self.stamp + max(samples, round((now - self.last_at) * RATE))) & 0xFFFFFFFF
