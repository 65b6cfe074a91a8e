"""A-law or µ-law under a payload type that isn't its own (8, 0): changed where packets come in and where they go out.
Nobody between these has to know: not the relay, not a tone, not a recording.

It has the face of a ``Guard``, and one behind it where the leg is SRTP.
"""

from __future__ import annotations

from media.control import Connect
from media.srtp import Guard


class Renumbering:
    """``incoming``: the party's number of ``codec``; ``outgoing``: the one that it wants."""

    __slots__ = ("codec", "guard", "incoming", "outgoing")

    def __init__(self, told: Connect, guard: Guard | None) -> None:
        self.codec = told.codec
        self.incoming = told.codec if told.payload_in is None else told.payload_in
        self.outgoing = told.codec if told.payload is None else told.payload
        self.guard = guard

    @property
    def failed(self) -> int:
        """As the guard's."""
        return 0 if self.guard is None else self.guard.failed

    def open(self, data: bytes) -> bytes | None:
        """A packet of the party as we know it."""
        clear = data if self.guard is None else self.guard.open(data)
        return clear if clear is None else _renumbered(clear, self.incoming, self.codec)

    def open_rtcp(self, data: bytes) -> bytes | None:
        """RTCP has no payload types."""
        return data if self.guard is None else self.guard.open_rtcp(data)

    def seal(self, packet: bytes) -> bytes | None:
        """A packet of ours as the party knows it."""
        packet = _renumbered(packet, self.codec, self.outgoing)
        return packet if self.guard is None else self.guard.seal(packet)

    def seal_rtcp(self, packet: bytes) -> bytes | None:
        """RTCP has no payload types."""
        return packet if self.guard is None else self.guard.seal_rtcp(packet)


def _renumbered(packet: bytes, old: int, new: int) -> bytes:
    if len(packet) < 2 or packet[1] & 0x7F != old:
        return packet
    return packet[:1] + bytes((packet[1] & 0x80 | new,)) + packet[2:]
