"""The two legs of a call in a media worker: what each says, what each hears.

The way of one packet: ``Leg.receive`` (is it RTP, of which payload type, where in its stream) -> the spool, as it came
-> the other leg's ``Sender.relay`` (own SSRC, sequence, timestamp) -> bytes for that leg's socket, or None when it
hears a tone, silence, or is on hold. G.711 is converted when the legs differ, and so is the length of the packets
(``repacking``); telephone-events keep their timestamp and get the other leg's payload type; comfort noise and unknown
types go nowhere. Digits for a party that takes no events are played to it as tones.

Nearly every packet is simply the next one of its stream, bound for a leg of the same codec and packet length. For these
``receive`` does in one piece what ``_consider``, ``Receiver.receive`` and ``Sender.relay`` do between them; everything
else takes the long way. ``straight`` says when that is allowed: the long way sets it, every change of who hears what
clears it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from media.control import Connect, LegStats
from media.dialling import Dialler
from media.dtmf import Detector
from media.g711 import ALAW_TO_ULAW, PCMA, PCMU, ULAW_TO_ALAW
from media.latch import Latch, Source
from media.player import Player
from media.quality import Gauge
from media.receiver import LEAP, Receiver
from media.renumbering import Renumbering
from media.repacking import Repacker
from media.rtp import HEADER, RATE, payload_of
from media.sender import Sender
from media.srtp import Guard
from media.telephone_event import DigitReader

Tape = Callable[[int, float, bytes], None]
COMFORT_NOISE = 13
_G711 = (PCMA, PCMU)
_PTIMES = range(10, 121)
_RTCP = range(192, 224)
"""The second octet of RTCP, on a port that it shares with RTP (RFC 5761 §4)."""
# As floats: the interpreter is quicker when both sides are of one type.
_RATE = float(RATE)
_LEAP = float(LEAP)
_unpack = HEADER.unpack_from
_pack = HEADER.pack


class Leg:
    """One party. ``target`` is where its RTP goes, None when there is nowhere; ``port`` our RTP port for it."""

    __slots__ = (
        "codec", "digits", "ears", "events", "events_in", "gauge", "guard", "heard", "heard_at", "hears", "keys",
        "latch", "length", "malformed", "muxed", "news", "onward", "other", "player", "port", "ptime", "receiver",
        "receives", "refused", "repacker", "rtcp_mux", "rtcp_target", "samples", "sender", "sends", "session", "side",
        "silent", "straight", "stranger", "tape", "target", "told", "undelivered", "unopened", "watch", "watched_from",
    )  # fmt: skip

    __deletable__: ClassVar = ["other"]

    def __init__(self, session: str, side: int, port: int, sender: Sender) -> None:
        self.session = session
        self.side = side
        self.port = port
        self.sender = sender
        self.receiver = Receiver()
        self.other: Leg
        self.onward: Sender
        """The sender of the other leg."""
        self.latch: Latch | None = None
        self.target: Source | None = None
        self.rtcp_target: Source | None = None
        self.codec = PCMA
        self.events = -1
        self.events_in = -1
        self.ptime = 20
        self.samples = 160
        """In each packet that it wants."""
        self.repacker: Repacker | None = None
        """Cuts what this party sends, when the other one wants packets of another length."""
        self.sends = True
        self.receives = True
        self.hears = False
        """Whether it hears the other leg when no tone plays."""
        self.player: Player | Dialler | None = None
        self.tape: Tape | None = None
        self.keys = DigitReader()
        self.digits = ""
        self.undelivered = ""
        """Keys that the other party would hear, but takes no events."""
        self.ears: Detector | None = None
        """Hears digits in the sound, while somebody wants to know."""
        self.straight = -1
        """The second octet (payload type, no marker) of packets that may take the short way; -1: none."""
        self.length = 172
        """Theirs, with the header."""
        self.heard = False
        """A packet has come since the last Connect; ``told``: and that has been reported."""
        self.told = False
        self.news = False
        """Something happened in ``receive`` that is to be reported: ``digits``, or the first packet."""
        self.silent = False
        self.heard_at = 0.0
        self.watch: object = None
        """The mark of the running silence timer."""
        self.watched_from = 0
        """Packets that had been received when the watch began."""
        self.gauge = Gauge()
        self.rtcp_mux = False
        self.muxed = b""
        """RTCP that came to the RTP port (RFC 5761), to be read."""
        self.guard: Guard | Renumbering | None = None
        """Opens and seals what is otherwise on the wire: SRTP, or the codec under another number."""
        self.stranger: Source | None = None
        """Whom the latch has refused last."""
        self.refused = 0
        self.malformed = 0
        self.unopened = 0
        """What guards that are gone could not open."""

    # --- what is to be -----------------------------------------------------------------------------------------------

    def connect(self, told: Connect, now: float) -> None:
        """What the party's SDP says now."""
        self.latch = Latch(told.host, told.port, told.networks, told.learn_from if told.learn else "")
        self.target = target = self.latch.target
        self.rtcp_mux = told.rtcp_mux
        self._secure(told)
        self.rtcp_target = (target[0], told.rtcp_port or told.port + 1) if target is not None else None
        self.codec = self.sender.codec = told.codec
        self.events = -1 if told.events is None else told.events
        self.events_in = self.events if told.events_in is None else told.events_in
        self.ptime = told.ptime if told.ptime in _PTIMES else 20
        self.samples = 8 * self.ptime
        self.sends = told.sends
        self.receives = told.receives
        self.heard = self.told = self.silent = False
        self.heard_at = now
        self.straight = -1
        self._turn()

    def _secure(self, told: Connect) -> None:
        guard = self.guard.guard if isinstance(self.guard, Renumbering) else self.guard
        if told.srtp is None:
            self.unopened += guard.failed if guard is not None else 0
            guard = None
        elif guard is None:
            guard = Guard(told.srtp, resumed=told.resumed)
        else:
            guard.renew(told.srtp)
        plain = told.payload is None and told.payload_in is None
        self.guard = guard if plain else Renumbering(told, guard)

    def listen(self, digits: bool) -> None:
        """Hear digits in this party's sound, or no longer."""
        self.ears = Detector() if digits else None
        self.straight = -1

    def hear(self, other: bool) -> None:
        """Hear the other leg, or silence, when no tone plays."""
        if other != self.hears:
            self.hears = other
            self._turn()

    def play(self, player: Player | Dialler | None) -> None:
        """Hear a tone, or no longer."""
        self.player = player
        self._turn()

    def _turn(self) -> None:
        """What this leg hears may change: whatever comes next is a new source."""
        self.sender.source = None
        self.other.straight = -1
        self.other.repacker = None

    # --- packets -----------------------------------------------------------------------------------------------------

    def admits(self, source: Source) -> bool:
        """Whether the latch lets a datagram in; follows the party where it is behind NAT."""
        latch = self.latch
        if latch is None or not latch.admits(source):
            self.refused += 1
            self.stranger = source
            return False
        self.target = latch.target
        return True

    def let_in(self, data: bytes, source: Source) -> bytes | None:
        """A datagram in clear, when it is the party's. Nothing that isn't sealed with its key moves the latch."""
        guard, latch = self.guard, self.latch
        if guard is None:
            return data if self.admits(source) else None
        if latch is not None and latch.locked is None:
            clear = self.open(data)
            return clear if clear is not None and self.admits(source) else None
        return self.open(data) if self.admits(source) else None

    def open(self, data: bytes) -> bytes | None:
        """What came to the RTP port, in clear."""
        guard = self.guard
        if guard is None:
            return data
        return guard.open_rtcp(data) if len(data) > 1 and data[1] in _RTCP else guard.open(data)

    def receive(self, data: bytes, now: float) -> bytes | None:
        """A datagram of this party (the latch has let it in); what the other leg is to be sent."""
        if len(data) != self.length:
            return self._consider(data, now)
        first, second, seq, stamp, ssrc = _unpack(data)
        if second != self.straight or first != 0x80:
            return self._consider(data, now)
        receiver = self.receiver
        size = len(data) - 12
        moved = stamp - receiver.stamp
        late = (now - receiver.arrived) * _RATE - moved
        if late < 0.0:
            late = -late
        if moved != size or seq != receiver.highest + 1 or ssrc != receiver.ssrc or late >= _LEAP:
            return self._consider(data, now)
        payload = data[12:]
        receiver.highest = seq
        receiver.stamp = stamp
        receiver.arrived = now
        receiver.received += 1
        receiver.octets += size
        jitter = receiver.jitter
        receiver.jitter = jitter + (late - jitter) * 0.0625
        tape = self.tape
        if tape is not None:
            tape(self.side, now, data)
        sender = self.onward
        sender.seq = seq = (seq + sender.seq_delta) & 0xFFFF
        sender.stamp = stamp = (stamp + sender.stamp_delta) & 0xFFFFFFFF
        sender.last_at = now
        sender.packets += 1
        sender.octets += size
        return _pack(0x80, second, seq, stamp, sender.ssrc) + payload

    def _consider(self, data: bytes, now: float) -> bytes | None:
        self.straight = -1
        if len(data) >= 8 and data[0] & 0xC0 == 0x80 and data[1] in _RTCP:
            self.muxed, self.news = data, True
            return None
        payload = payload_of(data)
        if payload is None:
            self.malformed += 1
            return None
        _, second, seq, stamp, ssrc = _unpack(data)
        kind = second & 0x7F
        if kind in _G711:
            return self._sound(data, payload, second, seq, stamp, ssrc, now)
        if kind == self.events_in or kind == COMFORT_NOISE:
            return self._beside(payload, second, seq, stamp, ssrc, now)
        self.malformed += 1
        return None

    def _sound(
        self, data: bytes, payload: bytes, second: int, seq: int, stamp: int, ssrc: int, now: float
    ) -> bytes | None:
        if not self.sends:
            return None
        self.heard_at = now
        if not self.heard:
            self.heard = self.news = True
        receiver, other = self.receiver, self.other
        receiver.receive(ssrc, seq, stamp, len(payload), now)
        if self.tape is not None:
            self.tape(self.side, now, data)
        if self.ears is not None:
            self._listened(self.ears.receive(stamp, payload, second & 0x7F))
        if not other.hears or other.player is not None or not other.receives:
            return None
        kind = second & 0x7F
        if kind != other.codec:
            payload = payload.translate(ALAW_TO_ULAW if kind == PCMA else ULAW_TO_ALAW)
        second = second & 0x80 | other.codec
        if len(payload) != other.samples or self.repacker is not None:
            return self._repack(second, seq, stamp, payload, now)
        if kind == other.codec and self.ears is None and seq == receiver.highest:
            self.straight, self.length = kind, 12 + len(payload)
        return self.onward.relay(receiver.source, second, seq, stamp, payload, now)

    def _repack(self, second: int, seq: int, stamp: int, payload: bytes, now: float) -> bytes | None:
        """Sound in packets of another length than the other party wants, until whole packets come again."""
        source, repacker = self.receiver.source, self.repacker
        if repacker is None or repacker.source is not source:
            repacker = self.repacker = Repacker(self.other.samples, source, seq, stamp)
        elif len(payload) == self.other.samples and (by := repacker.leads_on(seq)) >= 0:
            self.repacker = None
            self.onward.renumber(by)
            return self.onward.relay(source, second, seq, stamp, payload, now)
        repacker.put(second, seq, stamp, payload, now)
        return self.repacked(now)

    def repacked(self, now: float) -> bytes | None:
        """The next packet cut anew for the other leg, when it is due; ``news`` when its driver must look sooner."""
        repacker = self.repacker
        if repacker is None:
            return None
        cut = repacker.next(now)
        deadline = repacker.deadline
        if deadline >= 0.0 and not 0.0 <= repacker.armed <= deadline:
            self.news = True
        if cut is None:
            return None
        return self.onward.relay(
            repacker.source, cut.second, cut.seq, cut.stamp, cut.payload, now, timed=cut.timed
        )  # fmt: skip

    def _beside(self, payload: bytes, second: int, seq: int, stamp: int, ssrc: int, now: float) -> bytes | None:
        """Telephone-events and comfort noise: numbered like the sound that they come between, but no sound."""
        other, receiver = self.other, self.receiver
        event = second & 0x7F != COMFORT_NOISE or self.events_in == COMFORT_NOISE
        self.heard_at = now
        receiver.receive(ssrc, seq, stamp, len(payload), now, timed=not event)
        if event and self.ears is not None:
            # Who sends events may send the tone as well; a key counts once.
            self.ears.deafen()
        keys = ""
        if event and self.sends:
            keys = self.keys.receive(stamp, payload)
            self._listened(keys)
        if not other.hears or not other.receives:
            return None
        if keys and other.events < 0:
            self.undelivered += keys
        if other.player is not None:
            return None
        passes = event and other.events >= 0 and self.sends
        repacker = self.repacker
        if repacker is not None and repacker.source is receiver.source:
            second = second & 0x80 | max(other.events, 0)
            repacker.put(second, seq, stamp, payload if passes else b"", now, timed=False)
            return self.repacked(now)
        if not passes:
            self.onward.skip(receiver.source, seq)
            return None
        return self.onward.relay(
            receiver.source, second & 0x80 | other.events, seq, stamp, payload, now, timed=False
        )  # fmt: skip

    def _listened(self, keys: str) -> None:
        if keys:
            self.digits += keys
            self.news = True

    def tone(self, now: float) -> bytes | None:
        """The next packet of the tone or the digits that play; None when all has been sent."""
        player = self.player
        return player.packet(self.sender, now) if player is not None else None

    # --- what was ----------------------------------------------------------------------------------------------------

    @property
    def last_heard(self) -> float:
        """When the party last sent something, or was last told to."""
        return max(self.heard_at, self.receiver.arrived)

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
            jitter=receiver.jitter / RATE,
            unopened=self.unopened + (self.guard.failed if self.guard is not None else 0),
        )


def pair(caller: Leg, callee: Leg) -> None:
    """Make two legs each other's."""
    caller.other, callee.other = callee, caller
    caller.onward, callee.onward = callee.sender, caller.sender


def part(caller: Leg, callee: Leg) -> None:
    """Of a closed session: legs that hold each other would wait for the garbage collector."""
    del caller.other, callee.other
