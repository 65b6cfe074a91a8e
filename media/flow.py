"""What passes over browsers' legs, counted: packets, octets, and what never came (RFC 3550 §A.1, §A.3)."""

from __future__ import annotations

from collections import Counter

_MOST_DROPOUT = 3000
"""A sequence number farther away than that begins anew (§A.1)."""


class Flow:
    """One leg's. ``lost``: what its browser has sent and we have not got, reordered packets taken back."""

    __slots__ = ("_first", "_highest", "_received", "_settled", "_ssrc", "octets_in", "octets_out", "packets_in",
                 "packets_out")  # fmt: skip

    def __init__(self) -> None:
        self.packets_in = self.packets_out = self.octets_in = self.octets_out = 0
        self._ssrc = b""
        self._first = self._highest = self._received = self._settled = 0

    @property
    def lost(self) -> int:
        return self._settled + self._missing()

    def came(self, packet: bytes) -> None:
        """An RTP packet of the browser."""
        self.packets_in += 1
        self.octets_in += len(packet)
        seq, ssrc = packet[2] << 8 | packet[3], packet[8:12]
        ahead = (seq - self._highest) & 0xFFFF
        if ssrc != self._ssrc or _MOST_DROPOUT < ahead < 0x10000 - _MOST_DROPOUT:
            self._settled += self._missing()
            self._ssrc, self._first, self._highest, self._received = ssrc, seq, seq, 1
            return
        self._received += 1
        if ahead < 0x8000:
            self._highest += ahead

    def went(self, packet: bytes) -> None:
        """An RTP packet to the browser."""
        self.packets_out += 1
        self.octets_out += len(packet)

    def _missing(self) -> int:
        return max(0, self._highest - self._first + 1 - self._received) if self._received else 0


class Totals:
    """Of all legs since the edge began. ``failed``: by what (ice, dtls: never came to stand; lost, silent: later)."""

    def __init__(self) -> None:
        self.failed: Counter[str] = Counter()
        self._over = [0] * 5

    def settle(self, flow: Flow) -> None:
        """A leg is over."""
        self._over = [one + other for one, other in zip(self._over, _numbers(flow), strict=True)]

    def sums(self, standing: list[Flow]) -> list[int]:
        """Packets in and out, octets in and out, lost."""
        return [sum(column) for column in zip(self._over, *map(_numbers, standing), strict=True)]


def _numbers(flow: Flow) -> tuple[int, ...]:
    return flow.packets_in, flow.packets_out, flow.octets_in, flow.octets_out, flow.lost
