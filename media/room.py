"""All sessions of a worker as one pure machine: commands and packets in, reports and packets out.

``worker.py`` drives it on real sockets and calls ``Leg.receive`` itself, packet by packet; the simulator drives it in
virtual time. Timers are rows of one heap: ``tone`` (each packet of a tone), ``rtcp`` (a report about every 5 s,
RFC 3550 §6.2), ``watch`` (silence of a party), ``pace`` (packets cut anew). A row whose leg has moved on does nothing
when it comes up.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any

from media import control
from media.control import CALLEE, CALLER, Command
from media.dialling import Dialler, dtmf, valid
from media.latch import Source
from media.outputs import ClosePorts, Latched, OpenPorts, Output, Reply, SendPacket, Spool
from media.player import Player
from media.ports import PortPool
from media.repacking import Repacker
from media.rtcp import report, sender_time
from media.sender import Sender
from media.session import Leg, pair, part
from media.tones import ToneError

RTCP_EVERY = 5.0
ATTEMPTS = 8
"""Pairs of ports that are tried for a session when another program holds some of them."""


PASSED_ON = "passed on"
"""The Play of digits that one party sent as events and the other hears as tones, having no events."""


class _Session:
    __slots__ = ("legs", "name", "spool", "taped_from", "watch")

    def __init__(self, name: str, legs: tuple[Leg, Leg]) -> None:
        self.name = name
        self.legs = legs
        self.spool: Spool | None = None
        self.taped_from = 0
        """Packets that had been received when the recording began."""
        self.watch = 0.0


class Room:
    """``random_bits(n)`` gives n random bits; ``load_tone(path)`` A-law samples (ToneError, OSError);
    ``open_spool(path, header)`` a recording; ``wall()`` UTC epoch seconds for sender reports."""

    def __init__(
        self,
        ports: PortPool,
        random_bits: Callable[[int], int],
        load_tone: Callable[[str], bytes],
        open_spool: Callable[[str, Mapping[str, Any]], Spool],
        wall: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.ports = ports
        self.legs: dict[int, Leg] = {}
        """By local RTP port."""
        self._random_bits = random_bits
        self._load_tone = load_tone
        self._open_spool = open_spool
        self._wall = wall
        self._sessions: dict[str, _Session] = {}
        self.heap: list[tuple[float, int, str, Leg, object]] = []
        """Timers, the next one first: (when, order, what, leg, mark)."""
        self._order = count()
        self._counted = control.LegStats()
        """What the legs of closed sessions had counted."""

    def __len__(self) -> int:
        return len(self._sessions)

    @property
    def deadline(self) -> float | None:
        """When ``handle_timeout`` is due."""
        return self.heap[0][0] if self.heap else None

    def counted(self) -> control.LegStats:
        """What all legs have counted since the worker began."""
        return _total((self._counted, *(leg.stats() for leg in self.legs.values())))

    # --- commands -----------------------------------------------------------------------------------------------------

    def command(self, command: Command, now: float) -> list[Output]:
        """Carry out a command of the signalling process."""
        if isinstance(command, control.Open):
            if command.session in self._sessions:
                return [Reply(control.OpenFailed(command.session, "exists already"))]
            return self._open(command.session, 1, now)
        if isinstance(command, control.AskUsage):
            return []
        if isinstance(command, control.Drain):
            return [output for name in list(self._sessions) for output in self._close(name, now)]
        session = self._sessions.get(command.session)
        if session is None:
            return []
        match command:
            case control.Connect():
                leg = session.legs[command.leg]
                leg.connect(command, now)
                return [Latched(leg.port)]
            case control.Relay(_, caller_hears, callee_hears):
                session.legs[CALLER].hear(caller_hears)
                session.legs[CALLEE].hear(callee_hears)
                return []
            case control.Play():
                return self._play(session.legs[command.leg], command, now)
            case control.SendDigits():
                return self._dial(session.legs[command.leg], command, now)
            case control.Stop(_, side, play):
                return self._stop(session.legs[side], play, now)
            case control.Record(_, path):
                return self._record(session, path, now)
            case control.Watch(_, seconds):
                self._begin_watch(session, seconds, now)
                return []
            case control.Listen(_, side, digits):
                session.legs[side].listen(digits)
                return []
            case control.Close():
                return self._close(session.name, now)

    def _open(self, name: str, attempt: int, now: float) -> list[Output]:
        first = self.ports.take(now)
        second = self.ports.take(now) if first is not None else None
        if first is None or second is None:
            if first is not None:
                self.ports.put_back(first)
            return [Reply(control.OpenFailed(name, "no free port"))]
        return [OpenPorts(name, (first, second), attempt)]

    def ports_opened(self, opened: OpenPorts, error: str, now: float) -> list[Output]:
        """What came of OpenPorts; ``error`` "" when both pairs are bound."""
        if error:
            for port in opened.ports:
                self.ports.give_back(port, now)
            if opened.attempt < ATTEMPTS:
                return self._open(opened.session, opened.attempt + 1, now)
            return [Reply(control.OpenFailed(opened.session, error))]
        legs = tuple(Leg(opened.session, side, port, self._new_sender()) for side, port in enumerate(opened.ports))
        caller, callee = legs
        pair(caller, callee)
        self._sessions[opened.session] = _Session(opened.session, (caller, callee))
        for leg in legs:
            self.legs[leg.port] = leg
            self._at(now + RTCP_EVERY * (0.5 + self._random_bits(16) / 65536), "rtcp", leg, None)
        return [Reply(control.Opened(opened.session, caller.port, callee.port))]

    def _new_sender(self) -> Sender:
        return Sender(self._random_bits(32), self._random_bits(16), self._random_bits(32))

    def _play(self, leg: Leg, told: control.Play, now: float) -> list[Output]:
        outputs = self._stop(leg, "", now)
        try:
            tones: Sequence[bytes] = [self._load_tone(path) for path in told.files]
        except (ToneError, OSError) as error:
            # A path may lie in a customer's folder: the report says what is wrong, not where.
            why = error.strerror if isinstance(error, OSError) else str(error)
            return [*outputs, Reply(control.Played(leg.session, leg.side, told.play, False, error=why or "unreadable"))]
        self._start(leg, Player(told.play, tones, loop=told.loop, ptime=leg.ptime, now=now), now)
        return outputs

    def _dial(self, leg: Leg, told: control.SendDigits, now: float) -> list[Output]:
        if not valid(told.digits):
            return [Reply(control.Played(leg.session, leg.side, told.play, False, error="no such digits"))]
        player = leg.player
        if player is not None and player.name == told.play:
            if isinstance(player, Dialler):
                player.more(told.digits)
            else:
                player.more(dtmf(told.digits))
            return []
        outputs = self._stop(leg, "", now)
        if leg.events >= 0:
            self._start(leg, Dialler(told.play, told.digits, kind=leg.events, ptime=leg.ptime, now=now), now)
        else:
            tones = (dtmf(told.digits),)
            self._start(leg, Player(told.play, tones, loop=False, ptime=leg.ptime, now=now), now)
        return outputs

    def _start(self, leg: Leg, player: Player | Dialler, now: float) -> None:
        leg.play(player)
        self._at(now, "tone", leg, player)

    def _stop(self, leg: Leg, play: str, now: float, *, completed: bool = False) -> list[Output]:
        player = leg.player
        if player is None or (play and player.name != play):
            return []
        leg.play(None)
        return [Reply(control.Played(leg.session, leg.side, player.name, completed, started=player.started, ended=now))]

    def _record(self, session: _Session, path: str, now: float) -> list[Output]:
        if session.spool is None:
            session.spool = self._open_spool(path, {"session": session.name, "started": now, "wall": self._wall()})
            session.taped_from = sum(leg.receiver.received for leg in session.legs)
            for leg in session.legs:
                leg.tape = session.spool.append
        return []

    def _close(self, name: str, now: float) -> list[Output]:
        session = self._sessions.pop(name)
        outputs: list[Output] = []
        for leg in session.legs:
            outputs += self._stop(leg, "", now)
            leg.latch = leg.target = leg.tape = None
            del self.legs[leg.port]
            self.ports.give_back(leg.port, now)
            outputs.append(ClosePorts(leg.port))
        error, recorded = "", False
        if session.spool is not None:
            error = session.spool.error
            recorded = not error and sum(leg.receiver.received for leg in session.legs) > session.taped_from
            session.spool.close(now=now)
        caller, callee = (leg.stats() for leg in session.legs)
        self._counted = _total((self._counted, caller, callee))
        part(*session.legs)
        return [*outputs, Reply(control.Closed(name, caller, callee, recorded, error))]

    # --- packets ------------------------------------------------------------------------------------------------------

    def receive(self, port: int, data: bytes, source: Source, now: float) -> list[Output]:
        """A datagram on a local port, in virtual time. The worker does the same by hand."""
        leg = self.legs.get(port & ~1)
        if leg is None:
            return []
        if port % 2:
            self.receive_rtcp(leg, data, source, now)
            return []
        if not leg.admits(source):
            return []
        packet = leg.receive(data, now)
        outputs = self.news(leg, now) if leg.news else []
        if packet is not None and leg.other.target is not None:
            outputs.append(SendPacket(leg.other.port, packet, leg.other.target))
        return outputs

    def receive_rtcp(self, leg: Leg, data: bytes, source: Source, now: float) -> None:
        """A datagram on the RTCP port of a leg; only the party's address is listened to, whatever the port."""
        if leg.latch is None or source[0] != leg.latch.host:
            return
        told = sender_time(data)
        receiver = leg.receiver
        if told is not None and told[0] == receiver.ssrc:
            receiver.report_ntp, receiver.report_at = told[1], now

    def news(self, leg: Leg, now: float) -> list[Output]:
        """What ``Leg.receive`` has left to report, and to do later."""
        outputs: list[Output] = []
        if leg.heard and not leg.told:
            leg.told = True
            outputs.append(Reply(control.Heard(leg.session, leg.side)))
        outputs += [Reply(control.Digit(leg.session, leg.side, key)) for key in leg.digits]
        leg.digits = ""
        leg.news = False
        if leg.undelivered:
            keys, leg.undelivered = leg.undelivered, ""
            outputs += self._dial(leg.other, control.SendDigits(leg.session, leg.other.side, PASSED_ON, keys), now)
        if leg.repacker is not None:
            self._pace_later(leg, leg.repacker)
        return outputs

    # --- time ---------------------------------------------------------------------------------------------------------

    def _at(self, when: float, what: str, leg: Leg, mark: object) -> None:
        heapq.heappush(self.heap, (when, next(self._order), what, leg, mark))

    def handle_timeout(self, now: float) -> list[Output]:
        """Do what is due."""
        outputs: list[Output] = []
        heap = self.heap
        while heap and heap[0][0] <= now:
            when, _, what, leg, mark = heapq.heappop(heap)
            if self.legs.get(leg.port) is not leg:
                continue
            if what == "tone":
                if leg.player is mark:
                    outputs += self._tone(leg, now)
            elif what == "watch":
                outputs += self._watch(leg, mark, now)
            elif what == "pace":
                if leg.repacker is mark and leg.repacker is not None and leg.repacker.armed == when:
                    outputs += self._pace(leg, leg.repacker, now)
            else:
                outputs += self._rtcp(leg, now)
        return outputs

    def _tone(self, leg: Leg, now: float) -> list[Output]:
        player = leg.player
        assert player is not None
        if leg.target is None or not leg.receives:
            # Nobody to hear it: the tone stands still, not the clock.
            player.deadline = now + leg.ptime / 1000
            self._at(player.deadline, "tone", leg, player)
            return []
        packet = leg.tone(now)
        if packet is None:
            return self._stop(leg, "", now, completed=True)
        self._at(player.deadline, "tone", leg, player)
        return [SendPacket(leg.port, packet, leg.target)]

    def _pace(self, leg: Leg, repacker: Repacker, now: float) -> list[Output]:
        """What ``leg`` said goes out to the other one, a packet time after the packet before."""
        repacker.armed = -1.0
        packet = leg.repacked(now)
        self._pace_later(leg, repacker)
        other = leg.other
        if packet is None or other.target is None:
            return []
        return [SendPacket(other.port, packet, other.target)]

    def _pace_later(self, leg: Leg, repacker: Repacker) -> None:
        deadline = repacker.deadline
        if deadline >= 0.0 and not 0.0 <= repacker.armed <= deadline:
            repacker.armed = deadline
            self._at(deadline, "pace", leg, repacker)

    def _begin_watch(self, session: _Session, seconds: float, now: float) -> None:
        session.watch = seconds
        for leg in session.legs:
            leg.heard_at = now
            leg.silent = False
            leg.watch = object()
            if seconds:
                self._at(now + seconds, "watch", leg, leg.watch)

    def _watch(self, leg: Leg, mark: object, now: float) -> list[Output]:
        if mark is not leg.watch:
            return []
        seconds = self._sessions[leg.session].watch
        due = leg.last_heard + seconds
        if due > now:
            leg.silent = False
            self._at(due, "watch", leg, mark)
            return []
        self._at(now + seconds, "watch", leg, mark)
        if leg.silent or not leg.sends or leg.target is None:
            return []
        leg.silent = True
        return [Reply(control.Silent(leg.session, leg.side))]

    def _rtcp(self, leg: Leg, now: float) -> list[Output]:
        self._at(now + RTCP_EVERY * (0.5 + self._random_bits(16) / 65536), "rtcp", leg, None)
        latch = leg.latch
        if leg.rtcp_target is None or latch is None or latch.learned:
            # Behind NAT nobody can say where RTCP goes: the SDP's address is a private one.
            return []
        if not (leg.sender.packets or leg.receiver.received):
            return []
        return [SendPacket(leg.port + 1, report(leg.sender, leg.receiver, self._wall(), now), leg.rtcp_target)]


def _total(stats: Sequence[control.LegStats]) -> control.LegStats:
    """Their sum; a jitter has none."""
    names = ("received", "octets", "lost", "refused", "malformed", "sent")
    return control.LegStats(**{name: sum(getattr(one, name) for one in stats) for name in names})
