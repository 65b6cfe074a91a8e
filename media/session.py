"""The two legs of a call in a media worker: what each says, what each hears.

The way of one packet: ``Leg.receive`` (is it RTP, of which payload type, where in its stream) -> the spool, as it came
-> the other leg's ``Sender.relay`` (own SSRC, sequence, timestamp) -> bytes for that leg's socket, or None when it
hears a tone, silence, or is on hold. G.711 is converted when the legs differ; telephone-events keep their timestamp and
get the other leg's payload type; comfort noise and unknown types go nowhere.
"""

from __future__ import annotations

from collections.abc import Callable

from media.control import LegStats
from media.g711 import ALAW_TO_ULAW, PCMA, PCMU, ULAW_TO_ALAW
from media.latch import Latch
from media.player import Player
from media.receiver import Receiver
from media.rtp import HEADER, payload_of
from media.sender import Sender
from media.telephone_event import DigitReader

Tape = Callable[[int, float, bytes], None]
_G711 = (PCMA, PCMU)
_unpack = HEADER.unpack_from


class Leg:
    """One party. ``target`` is where its RTP goes, None before the first Connect; ``port`` our RTP port for it."""

    __slots__ = (
        "codec", "digits", "events", "heard", "heard_at", "hears", "keys", "latch", "malformed", "news", "other",
        "player", "port", "ptime", "receiver", "receives", "refused", "rtcp_target", "sender", "sends", "session",
        "side", "silent", "tape", "target", "told",
    )  # fmt: skip

    def __init__(self, session: str, side: int, port: int, sender: Sender) -> None:
        self.session = session
        self.side = side
        self.port = port
        self.sender = sender
        self.receiver = Receiver()
        self.other: Leg
        self.latch: Latch | None = None
        self.target: tuple[str, int] | None = None
        self.rtcp_target: tuple[str, int] | None = None
        self.codec = PCMA
        self.events = -1
        self.ptime = 20
        self.sends = True
        self.receives = True
        self.hears = False
        """Whether it hears the other leg when no tone plays."""
        self.player: Player | None = None
        self.tape: Tape | None = None
        self.keys = DigitReader()
        self.digits = ""
        self.heard = False
        """A packet has come since the last Connect; ``told``: and that has been reported."""
        self.told = False
        self.news = False
        """Something happened in ``receive`` that is to be reported: ``digits``, or the first packet."""
        self.silent = False
        self.heard_at = 0.0
        self.refused = 0
        self.malformed = 0

    def receive(self, data: bytes, now: float) -> bytes | None:
        """A datagram of this party (the latch has let it in); what the other leg is to be sent."""
        if len(data) < 12 or data[0] != 0x80:
            payload = payload_of(data)
            if payload is None:
                self.malformed += 1
                return None
        else:
            payload = data[12:]
        _, second, seq, stamp, ssrc = _unpack(data)
        kind = second & 0x7F
        other = self.other
        if kind in _G711:
            if not self.sends:
                return None
            self.heard_at = now
            if not self.heard:
                self.heard = self.news = True
            self.receiver.receive(ssrc, seq, stamp, len(payload), now)
            if self.tape is not None:
                self.tape(self.side, now, data)
            if not other.hears or other.player is not None or not other.receives:
                return None
            if kind != other.codec:
                payload = payload.translate(ALAW_TO_ULAW if kind == PCMA else ULAW_TO_ALAW)
            return other.sender.relay(self.receiver.source, second & 0x80 | other.codec, seq, stamp, payload, now)
        if kind != self.events:
            if kind == 13:
                self.heard_at = now
            else:
                self.malformed += 1
            return None
        self.heard_at = now
        self.receiver.receive(ssrc, seq, stamp, len(payload), now)
        keys = self.keys.receive(stamp, payload)
        if keys:
            self.digits += keys
            self.news = True
        if other.events < 0 or not other.hears or other.player is not None or not other.receives:
            return None
        return other.sender.relay(self.receiver.source, second & 0x80 | other.events, seq, stamp, payload, now)

    def tone(self, now: float) -> bytes | None:
        """The next packet of the tone that plays; None when it has come to its end."""
        player = self.player
        if player is None:
            return None
        samples = player.next(now)
        if samples is None:
            return None
        if self.codec == PCMU:
            samples = samples.translate(ALAW_TO_ULAW)
        return self.sender.tone(player, samples, now)

    def stats(self) -> LegStats:
        """What this leg's receiver and sender counted."""
        receiver = self.receiver
        return LegStats(
            received=receiver.received,
            octets=receiver.octets,
            lost=receiver.lost,
            refused=self.refused,
            malformed=self.malformed,
            sent=self.sender.packets,
            jitter=receiver.jitter / 8000,
        )
