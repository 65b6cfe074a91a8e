"""What a scripted phone keeps of its call, for whoever judges it afterwards: messages, packets, turns of events."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.lab.audio import PCMA, alaw
from gateway.lab.rtp import EVENTS, Arrival, Packet
from gateway.sip.hop import Hop


@dataclass(frozen=True, slots=True)
class Trace:
    """A SIP message as the phone saw it: ``sent`` or received at ``at``; ``peer`` is the other end."""

    at: float
    sent: bool
    peer: Hop
    data: bytes

    @property
    def title(self) -> str:
        """``INVITE`` or ``180 Ringing``."""
        line = self.data.split(b"\r\n", 1)[0].decode("utf-8", "replace")
        return line.partition(" ")[2] if line.startswith("SIP/") else line.partition(" ")[0]


@dataclass(frozen=True, slots=True)
class Happening:
    """A turn of the phone's call, in words: ``ringing``, ``answered``, ``ended by peer (BYE)``."""

    at: float
    what: str


class Memory:
    """Everything the phone saw. ``events``: the payload type in which telephone-events come to it."""

    def __init__(self) -> None:
        self.traces: list[Trace] = []
        self.arrivals: list[Arrival] = []
        self.history: list[Happening] = []
        self.events: int | None = None

    def received_bytes(self) -> bytes:
        """Every byte of SIP that came in."""
        return b"\n".join(trace.data for trace in self.traces if not trace.sent)

    def heard(self) -> list[tuple[float, bytes]]:
        """The audio that came in as (arrival time, A-law), in the order of arrival; no telephone-events."""
        return [(arrival.at, audio) for arrival in self.arrivals if (audio := audio_of(arrival))]

    def heard_digits(self) -> str:
        """The telephone-events that came in, one character each."""
        digits, seen = "", set[int]()
        for arrival in self.arrivals:
            packet = Packet.parse(arrival.data)
            if packet and packet.payload_type == self.events and len(packet.payload) >= 4:
                if packet.timestamp not in seen and packet.payload[0] < 16:
                    digits += EVENTS[packet.payload[0]]
                seen.add(packet.timestamp)
        return digits


def audio_of(arrival: Arrival) -> bytes:
    """The A-law audio of a datagram; empty when it is none."""
    packet = Packet.parse(arrival.data)
    return alaw(packet.payload, packet.payload_type) if packet and packet.payload_type in (0, PCMA) else b""
